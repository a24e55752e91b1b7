"""What happened between two looks at counters of pods, which come, go and start from zero."""

from collections.abc import Hashable, Mapping
from math import nan
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def increases(before: Mapping[K, float], now: Mapping[K, float]) -> dict[K, float]:
    """Return by how much each series rose. One that is new began at zero; one that fell was started again.

    A series that has gone says nothing about the time since. What is not a number stays NaN.
    """
    return {key: risen(before.get(key, 0.0), value) for key, value in now.items()}


def risen(before: float, now: float) -> float:
    """Return by how much one counter rose; NaN if either is."""
    if before != before or now != now:  # the only numbers that differ from themselves are NaN
        return nan
    return now - before if now >= before else now
