"""Operators between scalars and vectors, with the floats of IEEE 754: a division by zero is Inf or NaN."""

import math
from collections.abc import Callable, Iterable

from holdpoint.sandbox.prom.series import NAME, Labels
from holdpoint.sandbox.prom.syntax import Binary, ExecutionError, Matching

Vector = list[tuple[Labels, float]]
Group = frozenset[tuple[str, str]]

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def total(values: Iterable[float]) -> float:
    """Return the sum, exact where it is finite."""
    listed = list(values)
    if all(math.isfinite(value) for value in listed):
        return math.fsum(listed)
    return sum(listed)


def unnamed(labels: Labels) -> Labels:
    """Return labels without the metric's name."""
    return _without(labels, ())


def unique(vector: Vector) -> Vector:
    """Return the vector; raises where two series have the same labels, as happens when names are dropped."""
    if len({frozenset(labels.items()) for labels, _ in vector}) != len(vector):
        raise ExecutionError("vector cannot contain metrics with the same labelset")
    return vector


def negative(value: float | Vector) -> float | Vector:
    """Return the value with its sign turned, without the metric's name."""
    if isinstance(value, list):
        return unique([(unnamed(labels), -number) for labels, number in value])
    return -value


def binary(node: Binary, left: float | Vector, right: float | Vector) -> float | Vector:
    """Return the result of a binary operation; raises ExecutionError for series that match more than once."""
    operator = node.operator
    if isinstance(left, list) and isinstance(right, list):
        if operator in ("and", "or", "unless"):
            return _set(node, left, right)
        return _matched(node, left, right)
    if isinstance(left, list):
        assert not isinstance(right, list)  # noqa: S101 - narrows the type: both lists were handled above
        return _each(node, left, right, turned=False)
    if isinstance(right, list):
        return _each(node, right, left, turned=True)
    return (
        float(_COMPARE[operator](left, right)) if operator in _COMPARE else calculated(operator, left, right)
    )


def _number(operator: str, left: float, right: float) -> float:
    if operator in _COMPARE:
        return float(_COMPARE[operator](left, right))
    return calculated(operator, left, right)


def calculated(operator: str, left: float, right: float) -> float:
    """Return the result of an arithmetic operator."""
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return _quotient(left, right)
        case "%":
            return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)
    return _power(left, right)


def _quotient(left: float, right: float) -> float:
    if right == 0 and not math.isnan(right):
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _power(left: float, right: float) -> float:
    try:
        result = left**right
    except OverflowError:
        return -math.inf if left < 0 and right % 2 == 1 else math.inf
    except ZeroDivisionError:
        return math.inf
    return math.nan if isinstance(result, complex) else float(result)


def _each(node: Binary, vector: Vector, scalar: float, *, turned: bool) -> Vector:
    """Apply the operator between each element and a scalar; `turned` when the scalar is on the left."""
    pairs = [(labels, value, *((scalar, value) if turned else (value, scalar))) for labels, value in vector]
    operator = node.operator
    if operator in _COMPARE and not node.as_bool:
        return [(labels, value) for labels, value, left, right in pairs if _COMPARE[operator](left, right)]
    return unique([(unnamed(labels), _number(operator, left, right)) for labels, _, left, right in pairs])


def _matched(node: Binary, left: Vector, right: Vector) -> Vector:
    if not left or not right:
        return []  # as Prometheus: where nothing can match, nothing can match twice
    others = _by_group(node.matching, right)
    out: Vector = []
    seen: set[Group] = set()
    for labels, value in left:
        group = _group(node.matching, labels)
        if group not in others:
            continue
        if group in seen:
            raise ExecutionError(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            )
        seen.add(group)
        number, kept = _result(node, labels, value, others[group])
        if number is not None:
            out.append((kept, number))
    return out


def _result(node: Binary, labels: Labels, value: float, other: float) -> tuple[float | None, Labels]:
    """Return number and labels of one matched pair; no number where a comparison filters it out."""
    kept: Labels = _without(labels, node.matching.labels)
    if node.matching.on:
        kept = {key: labels[key] for key in node.matching.labels if labels.get(key)}
    if node.operator not in _COMPARE:
        return calculated(node.operator, value, other), kept
    holds = _COMPARE[node.operator](value, other)
    if node.as_bool:
        return float(holds), kept
    return value if holds else None, kept if node.matching.on else _shown(labels, node.matching.labels)


def _shown(labels: Labels, gone: tuple[str, ...]) -> Labels:
    return {key: value for key, value in labels.items() if key not in gone}


def _by_group(matching: Matching, vector: Vector) -> dict[Group, float]:
    found: dict[Group, float] = {}
    for labels, value in vector:
        group = _group(matching, labels)
        if group in found:
            shown = ", ".join(f'{key}="{text}"' for key, text in sorted(group))
            raise ExecutionError(
                f"found duplicate series for the match group {{{shown}}} on the right hand-side of the "
                "operation;many-to-many matching not allowed: matching labels must be unique on one side"
            )
        found[group] = value
    return found


def _set(node: Binary, left: Vector, right: Vector) -> Vector:
    ours = {_group(node.matching, labels) for labels, _ in left}
    theirs = {_group(node.matching, labels) for labels, _ in right}
    match node.operator:
        case "and":
            return [item for item in left if _group(node.matching, item[0]) in theirs]
        case "unless":
            return [item for item in left if _group(node.matching, item[0]) not in theirs]
    return [*left, *(item for item in right if _group(node.matching, item[0]) not in ours)]


def _group(matching: Matching, labels: Labels) -> Group:
    if matching.on:
        return frozenset((key, labels[key]) for key in matching.labels if labels.get(key))
    return frozenset(_without(labels, matching.labels).items())


def _without(labels: Labels, gone: tuple[str, ...]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key not in gone and key != NAME}
