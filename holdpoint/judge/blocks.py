"""What pods counted from one moment of a grid to the next, from counters that start again with their pod."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from math import isfinite
from typing import Generic, TypeVar

from holdpoint.judge.counters import risen

K = TypeVar("K", bound=Hashable)

Points = Sequence[tuple[float, float]]
"""Moments (Unix seconds) and what a counter showed at them."""


class Rises(Generic[K]):
    """Counters on a grid of moments, taken in bit by bit."""

    def __init__(self) -> None:
        self._last: dict[K, float] | None = None

    def take(self, counters: Mapping[K, Points], moments: Sequence[float]) -> list[dict[K, float]]:
        """Return by how much each counter rose up to each of these moments, since the moment before it.

        What is shown at the first moment of all was counted before it, and that moment has no block. A
        counter that appears later began at zero, and one that fell was started again. What rose over a gap is
        counted at its end.
        """
        shown: defaultdict[float, dict[K, float]] = defaultdict(dict)
        for key, points in counters.items():
            for moment, value in points:
                if isfinite(value):
                    shown[moment][key] = value
        blocks = []
        for moment in moments:
            now = shown[moment]
            if self._last is None:
                self._last = now
                continue
            blocks.append({key: risen(self._last.get(key, 0.0), value) for key, value in now.items()})
            self._last |= now
        return blocks
