"""Prometheus' HTTP API: instant and range queries."""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from holdpoint.sandbox.prom.evaluate import Evaluator, Matrix, Vector
from holdpoint.sandbox.prom.lexer import milliseconds
from holdpoint.sandbox.prom.parser import parse
from holdpoint.sandbox.prom.series import Labels
from holdpoint.sandbox.prom.syntax import BadQuery, ExecutionError, Selector
from holdpoint.sandbox.prom.vocabulary import is_range, type_of

MAX_POINTS = 11_000
Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class QueryApi:
    """Answers the two query routes with Prometheus' own documents."""

    evaluator: Evaluator

    def answer(self, route: str, parameters: Mapping[str, str]) -> Answer:
        """Return status code and document of `query` or `query_range`."""
        try:
            data = self._instant(parameters) if route == "query" else self._range(parameters)
        except BadQuery as error:
            return failure(400, "bad_data", str(error))
        except ExecutionError as error:
            return failure(422, "execution", str(error))
        return 200, {"status": "success", "data": data}

    def _instant(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        moment = _moment(parameters, "time") if parameters.get("time") else int(time.time() * 1000)
        node = parse(parameters.get("query", ""))
        if isinstance(node, Selector) and is_range(node):
            return {"resultType": "matrix", "result": _matrix(self.evaluator.matrix(node, moment))}
        value = self.evaluator.value(node, moment)
        if isinstance(value, float):
            return {"resultType": "scalar", "result": [_seconds(moment), plain_text(value)]}
        result = [
            {"metric": dict(sorted(labels.items())), "value": _point(moment, number)}
            for labels, number in value
        ]
        return {"resultType": "vector", "result": result}

    def _range(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        start, end = _moment(parameters, "start"), _moment(parameters, "end")
        if end < start:
            raise BadQuery('invalid parameter "end": end timestamp must not be before start time')
        step = _step(parameters.get("step", ""))
        if (end - start) // step > MAX_POINTS:
            raise BadQuery(
                "exceeded maximum resolution of 11,000 points per timeseries. "
                "Try decreasing the query resolution (?step=XX)"
            )
        node = parse(parameters.get("query", ""))
        if is_range(node):
            raise BadQuery(
                f'invalid parameter "query": invalid expression type "{type_of(node)}" for range query, '
                "must be Scalar or instant Vector"
            )
        rows: dict[frozenset[tuple[str, str]], list[tuple[int, float]]] = {}
        for moment in range(start, end + 1, step):
            value = self.evaluator.value(node, moment)
            vector: Vector = [({}, value)] if isinstance(value, float) else value
            for labels, number in vector:
                rows.setdefault(frozenset(labels.items()), []).append((moment, number))
        found: Matrix = [(dict(labels), points) for labels, points in rows.items()]
        return {"resultType": "matrix", "result": _matrix(found)}


def failure(code: int, kind: str, message: str) -> Answer:
    """Return an error as Prometheus answers it."""
    return code, {"status": "error", "errorType": kind, "error": message}


def number_text(value: float) -> str:
    """Return a sample's value as Prometheus writes it: the shortest digits, an exponent only far from one."""
    if value != 0 and math.isfinite(value) and not 1e-6 <= abs(value) < 1e21:
        return repr(value)
    return plain_text(value)


def plain_text(value: float) -> str:
    """Return a float as Go's `FormatFloat(v, 'f', -1, 64)`, as a scalar is written: never an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def _point(moment: int, value: float) -> list[Any]:
    return [_seconds(moment), number_text(value)]


def _seconds(moment: int) -> int | float:
    return moment // 1000 if moment % 1000 == 0 else moment / 1000


def _matrix(matrix: Matrix) -> list[dict[str, Any]]:
    def key(item: tuple[Labels, Any]) -> list[tuple[str, str]]:
        return sorted(item[0].items())

    return [
        {
            "metric": dict(sorted(labels.items())),
            "values": [_point(moment, value) for moment, value in points],
        }
        for labels, points in sorted(matrix, key=key)
    ]


def _moment(parameters: Mapping[str, str], name: str) -> int:
    """Return a time parameter (Unix seconds or RFC 3339) in milliseconds."""
    text = parameters.get(name, "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            parsed = None
        if parsed is None or parsed.tzinfo is None or "T" not in text:
            raise BadQuery(
                f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp'
            ) from None
        seconds = parsed.timestamp()
    if not math.isfinite(seconds) or abs(seconds) > 1e11:
        raise BadQuery(
            f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp. It overflows int64'
        )
    return round(seconds * 1000)


def _step(text: str) -> int:
    try:
        length = (
            milliseconds(text)
            if re.fullmatch(r"(?:\d+(?:ms|[smhdwy]))+", text)
            else round(float(text) * 1000)
        )
    except (ValueError, OverflowError):
        raise BadQuery(f'invalid parameter "step": cannot parse "{text}" to a valid duration') from None
    if length <= 0:
        message = "zero or negative query resolution step widths are not accepted. Try a positive integer"
        raise BadQuery(f'invalid parameter "step": {message}')
    return length
