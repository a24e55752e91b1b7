"""The samples, in memory: what a Prometheus with a scrape interval of one second would have kept.

Times are Unix milliseconds. A NaN is a staleness marker: no sample of ours is a NaN otherwise.
"""

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Labels = Mapping[str, str]
LOOKBACK_MS = 5 * 60 * 1000
RETENTION_MS = 70 * 60 * 1000
"""The longest window of a burn-rate rule (1 h) and some more."""

NAME = "__name__"

Test = tuple[str, Callable[[str], bool]]
"""A label, and what its value must pass."""


@dataclass
class Series:
    """One series; its times are those of its target, since all of a target's series are scraped at once."""

    labels: Labels
    times: "array[int]"
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def at(self, moment: int) -> float | None:
        """Return the value at a moment: the last one of the five minutes before it, unless stale."""
        index = bisect_right(self.times, moment) - 1
        if index < 0 or self.times[index] <= moment - LOOKBACK_MS or math.isnan(self.values[index]):
            return None
        return self.values[index]

    def between(self, start: int, end: int) -> list[tuple[int, float]]:
        """Return the samples after `start` up to `end` (a left-open range, as of Prometheus 3)."""
        low, high = bisect_right(self.times, start), bisect_right(self.times, end)
        pairs = zip(self.times[low:high], self.values[low:high], strict=True)
        return [(moment, value) for moment, value in pairs if not math.isnan(value)]


@dataclass
class Target:
    """One scraped pod with all its series."""

    labels: Labels
    times: "array[int]" = field(default_factory=lambda: array("q"))
    series: list[Series] = field(default_factory=list)
    ended: bool = False

    def add(self, name: str, **labels: str) -> Series:
        """Give the target one more series, with labels of its own; only before its first sample."""
        made = Series({NAME: name, **self.labels, **labels}, self.times)
        self.series.append(made)
        return made

    def append(self, moment: int, values: Iterable[float]) -> None:
        """Append one sample to every series, in the order in which they were added."""
        self.times.append(moment)
        for series, value in zip(self.series, values, strict=True):
            series.values.append(value)

    def end(self, moment: int) -> None:
        """Mark every series stale: the pod is gone."""
        self.append(moment, [math.nan] * len(self.series))
        self.ended = True

    def forget(self, before: int) -> None:
        """Drop the samples before a moment."""
        gone = bisect_right(self.times, before)
        if gone:
            del self.times[:gone]
            for series in self.series:
                del series.values[:gone]


class Database:
    """All targets, also those that are gone but still within the retention."""

    def __init__(self) -> None:
        self.targets: list[Target] = []

    def select(self, tests: Sequence[Test]) -> Iterator[Series]:
        """Yield the series that pass each test of a label's value; an absent label is an empty one.

        A target that fails one by its own labels, which all its series have, is left out as a whole.
        """
        for target in self.targets:
            if all(test(target.labels[label]) for label, test in tests if label in target.labels):
                for series in target.series:
                    if all(test(series.labels.get(label, "")) for label, test in tests):
                        yield series

    def trim(self, now: int) -> None:
        """Drop what is older than the retention."""
        for target in self.targets:
            target.forget(now - RETENTION_MS)
        self.targets = [target for target in self.targets if target.times]
