"""Evaluates a parsed query at one moment."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from holdpoint.sandbox.prom import arithmetic, functions
from holdpoint.sandbox.prom.series import NAME, Database, Labels, Series
from holdpoint.sandbox.prom.syntax import (
    Aggregate,
    BadQuery,
    Binary,
    Call,
    Matcher,
    Negative,
    Node,
    Number,
    Selector,
)

Vector = list[tuple[Labels, float]]
Matrix = list[tuple[Labels, list[tuple[int, float]]]]


@dataclass(frozen=True)
class Evaluator:
    """Queries over one database."""

    database: Database

    def value(self, node: Node, moment: int) -> float | Vector:
        """Return the scalar or the instant vector that a node is at a moment (milliseconds)."""
        match node:
            case Number():
                return node.value
            case Selector():
                return self._instant(node, moment)
            case Negative():
                return arithmetic.negative(self.value(node.argument, moment))
            case Call():
                return self._call(node, moment)
            case Aggregate():
                vector = self.value(node.argument, moment)
                return _aggregated(node, vector if isinstance(vector, list) else [])
            case Binary():
                return arithmetic.binary(node, self.value(node.left, moment), self.value(node.right, moment))
        raise BadQuery("unknown expression")

    def matrix(self, selector: Selector, moment: int) -> Matrix:
        """Return the samples of a range selector at a moment (milliseconds)."""
        end = moment - selector.offset_ms
        start = end - (selector.range_ms or 0)
        found = ((series.labels, series.between(start, end)) for series in self._matching(selector))
        return [(labels, samples) for labels, samples in found if samples]

    def _matching(self, selector: Selector) -> list[Series]:
        tests = [(matcher.label, _value_test(matcher)) for matcher in selector.matchers]
        return list(self.database.select(tests))

    def _instant(self, selector: Selector, moment: int) -> Vector:
        found = (
            (series.labels, series.at(moment - selector.offset_ms)) for series in self._matching(selector)
        )
        return [(labels, value) for labels, value in found if value is not None]

    def _call(self, node: Call, moment: int) -> float | Vector:
        argument = node.arguments[-1]
        if node.function == "vector":
            scalar = self.value(argument, moment)
            return [({}, scalar)] if isinstance(scalar, float) else []
        if node.function == "histogram_quantile":
            quantile, vector = self.value(node.arguments[0], moment), self.value(argument, moment)
            return _quantiles(quantile if isinstance(quantile, float) else math.nan, vector)
        if not isinstance(argument, Selector) or argument.range_ms is None:
            raise BadQuery(f"{node.function} needs a range vector")
        end = moment - argument.offset_ms
        out: Vector = []
        for labels, samples in self.matrix(argument, moment):
            value = _rate(node.function, samples, end - argument.range_ms, end)
            if value is not None:
                out.append((arithmetic.unnamed(labels), value))
        return arithmetic.unique(out)


def _rate(function: str, samples: list[tuple[int, float]], start: int, end: int) -> float | None:
    if function == "irate":
        return functions.instant_rate(samples)
    return functions.extrapolated(samples, start, end, per_second=function == "rate")


def _value_test(matcher: Matcher) -> Callable[[str], bool]:
    value = matcher.value
    match matcher.operator:
        case "=":
            return lambda text: text == value
        case "!=":
            return lambda text: text != value
    pattern, wanted = re.compile(value, re.DOTALL), matcher.operator == "=~"
    return lambda text: (pattern.fullmatch(text) is not None) == wanted


def _aggregated(node: Aggregate, vector: Vector) -> Vector:
    groups: dict[frozenset[tuple[str, str]], list[float]] = {}
    for labels, value in vector:
        if node.without:
            kept = {key: text for key, text in labels.items() if key not in (*node.labels, NAME)}
        else:
            kept = {key: labels[key] for key in node.labels if labels.get(key)}
        groups.setdefault(frozenset(kept.items()), []).append(value)
    return [(dict(sorted(group)), _combined(node.operator, values)) for group, values in groups.items()]


def _combined(operator: str, values: list[float]) -> float:
    match operator:
        case "sum":
            return arithmetic.total(values)
        case "avg":
            return arithmetic.total(values) / len(values)
        case "count":
            return float(len(values))
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return math.nan
    return max(known) if operator == "max" else min(known)


def _quantiles(quantile: float, vector: float | Vector) -> Vector:
    groups: dict[frozenset[tuple[str, str]], list[tuple[float, float]]] = {}
    for labels, value in vector if isinstance(vector, list) else []:
        bound = _bound(labels.get("le"))
        if bound is not None:
            kept = frozenset((key, text) for key, text in labels.items() if key not in ("le", NAME))
            groups.setdefault(kept, []).append((bound, value))
    found = ((dict(sorted(kept)), buckets) for kept, buckets in groups.items())
    return [(labels, functions.histogram_quantile(quantile, buckets)) for labels, buckets in found]


def _bound(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
