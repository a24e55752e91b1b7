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


def negative(value: float | Vector) -> float | Vector:
    """Return the value with its sign turned, without the metric's name."""
    if isinstance(value, list):
        return [(_unnamed(labels), -number) for labels, number in value]
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
    out: Vector = []
    for labels, value in vector:
        left, right = (scalar, value) if turned else (value, scalar)
        if node.operator not in _COMPARE:
            out.append((_unnamed(labels), calculated(node.operator, left, right)))
        elif node.as_bool:
            out.append((_unnamed(labels), float(_COMPARE[node.operator](left, right))))
        elif _COMPARE[node.operator](left, right):
            out.append((labels, value))
    return out


def _matched(node: Binary, left: Vector, right: Vector) -> Vector:
    others = _by_group(node.matching, right, "right")
    _by_group(node.matching, left, "left")
    out: Vector = []
    for labels, value in left:
        group = _group(node.matching, labels)
        if group not in others:
            continue
        other = others[group]
        kept = dict(sorted(group)) if node.matching.on else _without(labels, node.matching.labels)
        if node.operator not in _COMPARE:
            out.append((kept, calculated(node.operator, value, other)))
        elif node.as_bool:
            out.append((kept, float(_COMPARE[node.operator](value, other))))
        elif _COMPARE[node.operator](value, other):
            out.append((kept if node.matching.on else labels, value))
    return out


def _by_group(matching: Matching, vector: Vector, side: str) -> dict[Group, float]:
    found: dict[Group, float] = {}
    for labels, value in vector:
        group = _group(matching, labels)
        if group in found:
            shown = ", ".join(f'{key}="{text}"' for key, text in sorted(group))
            raise ExecutionError(
                f"found duplicate series for the match group {{{shown}}} on the {side} hand-side of the "
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


def _unnamed(labels: Labels) -> Labels:
    return _without(labels, ())
