"""Durations as people write them in a change file: `300ms`, `5s`, `1h30m`."""

import math
import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(ms|s|m|h|d)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")

SHORTEST = 0.001
"""The precision of every duration: what is shorter could not be written back."""

LONGEST = 366 * 86400.0
"""No wait of a change is longer than a year; what is larger is a slip of the pen."""


def parse_duration(value: object) -> float:
    """Return the seconds that a duration such as `1h30m` names. Raises ValueError."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        seconds = sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(value))
    else:
        raise ValueError("must be a duration such as 300ms, 5s, 10m or 1h30m")
    if not math.isfinite(seconds) or not SHORTEST <= seconds <= LONGEST:
        raise ValueError("must be longer than zero (at least 1ms) and at most 366d")
    return round(seconds, 3)


def _read_duration(value: object, info: ValidationInfo) -> float:
    """Return the seconds. In a file that a person wrote (context `written`) a bare number is a mistake."""
    bare = isinstance(value, float | int) and not isinstance(value, bool)
    if bare and math.isfinite(float(str(value))) and info.context is not None and info.context.get("written"):
        raise ValueError(f"must be a duration with its unit, such as {value}s or {value}m")
    return parse_duration(value)


def format_duration(seconds: float) -> str:
    """Return the shortest exact writing of a duration in seconds, such as `1h30m`."""
    left, parts = round(seconds * 1000), []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    float,
    BeforeValidator(_read_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^([0-9]{1,12}(\.[0-9]{1,12})?(ms|s|m|h|d))+$",
            "examples": ["300ms", "5s", "1h30m"],
        }
    ),
]
"""Seconds in memory, `1h30m` in a file."""
