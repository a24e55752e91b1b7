"""A metric that is one number at a time, such as a queue's lag: a canary's values beside stable's.

Two rules, for two questions:

* Is it worse than stable, by more than is tolerated? The Mann-Whitney test of the canary's values against
  stable's, those made worse by the tolerance. It has a fixed size, so it is asked at 8, 12, 18, 27 … values
  only, and the j-th time with the j-th part of the level, 1 / (j * (j + 1)): these parts sum to 1, so that
  over all looks a good canary fails with the level's chance at most (Bonferroni). Its variance is that of
  values which hang together as stable's do (`autocorrelation.py`).
* Is it beyond an edge? Where its median is within, a value lies beyond with a probability of at most one
  half, whatever its distribution: the e-process of `share.py` against that share may be looked at any time.

Numbers that are none (NaN, an infinity) are no values, and many of them no data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite, log
from statistics import median

from holdpoint.judge.autocorrelation import ENOUGH, inflation
from holdpoint.judge.comparison import PASSES
from holdpoint.judge.decision import SCRAPES_FOR_STABLE
from holdpoint.judge.ranks import p_greater
from holdpoint.judge.ratio import AbsoluteProcess
from holdpoint.judge.share import ALPHA, MIN_BAD, Finding, evidence

FEWEST = 8
"""Values of either side before anything is said: with fewer, no ranks are rare enough."""

GROWS = 1.5
"""By how much there are more values at the next look."""

SILENT = 6
"""Moments in a row without a number after which there is no data: what it was before is no answer now."""

PASS_LEVEL = 0.05
"""A canary that is worse by twice what is tolerated passes at most once in twenty."""

LEAST_MARGIN = 0.1
HALF = 0.5

TOLERANCE = 0.25
"""By which part of stable's a canary may be worse, where the change does not say: as in Kayenta's judge."""


@dataclass(frozen=True)
class Aim:
    """What a metric is held to: which way is better, between which edges, and how near to stable's."""

    higher: bool = False
    low: float = -inf
    high: float = inf
    tolerance: float = TOLERANCE

    @property
    def edged(self) -> bool:
        """Tell whether there is any edge."""
        return isfinite(self.low) or isfinite(self.high)

    def beyond(self, value: float) -> bool:
        """Tell whether a value is beyond an edge."""
        return not self.low <= value <= self.high

    def badness(self, value: float) -> float:
        """Return the value so that more is worse."""
        return -value if self.higher else value


def values_needed(tau: float) -> int:
    """Return how many values pass a canary that is never worse than stable, where they hang together so."""
    part, prior = AbsoluteProcess.BELOW.ratios[0], AbsoluteProcess.BELOW.prior[0]
    surely = tau * log(PASSES / prior) / log((1 - part * HALF) / HALF)
    return max(FEWEST, ceil(surely))


@dataclass(frozen=True)
class Ranked:
    """A finding with its numbers: `worse` and `broken` are what fails it, at most and at least."""

    finding: Finding
    values: int
    moments: int
    silent: int
    beyond: int
    worse: float
    broken: float
    inflation: float
    median: float | None
    stable: float | None


class Values:
    """One metric of one canary, moment by moment; `history` are stable's values before it."""

    def __init__(self, aim: Aim, history: Sequence[float] = ()) -> None:
        self._aim = aim
        self._before = self._inflation = inflation([value for value in history if isfinite(value)])
        self._canary: list[float] = []
        self._stable: list[float] = []
        self._moments = self._silent = self._looks = 0
        self._next = FEWEST
        self._worse, self._healthy, self._better = 1.0, 1.0, 1.0

    def add(self, canary: float | None, stable: float | None) -> None:
        """Take in what both showed at one moment; None where there was nothing."""
        self._moments += 1
        if stable is not None and isfinite(stable):
            self._stable.append(stable)
        if canary is None or not isfinite(canary):
            self._silent += 1
            return
        self._silent = 0
        self._canary.append(canary)
        if len(self._canary) >= self._next:
            self._next = ceil(self._next * GROWS)
            self._look()

    def finding(
        self, *, baked: bool, deadline: bool = False, metrics: int = 1, beside: bool = True
    ) -> Ranked:
        """Return what is found now.

        `beside`: something of stable runs beside it. The others are as in `Comparison.finding`.
        """
        found = self._found(baked=baked, deadline=deadline, metrics=metrics, beside=beside)
        return Ranked(
            finding=found,
            values=len(self._canary),
            moments=self._moments,
            silent=self._silent,
            beyond=self._beyond(self._canary),
            worse=self._worse,
            broken=self._breaks(self._canary),
            inflation=self._inflation,
            median=median(self._canary) if self._canary else None,
            stable=median(self._stable) if beside and self._stable else None,
        )

    def _found(self, *, baked: bool, deadline: bool, metrics: int, beside: bool) -> Finding:
        if not self._canary or self._silent >= SILENT or 2 * len(self._canary) < self._moments:
            return Finding.NO_DATA
        ill = beside and self._breaks(self._stable) >= 1 / ALPHA
        if beside and self._worse <= ALPHA / metrics:
            return Finding.FAIL
        broken = self._breaks(self._canary) >= metrics / ALPHA and self._beyond(self._canary) >= MIN_BAD
        if broken and not ill:
            return Finding.FAIL
        if len(self._canary) < FEWEST:
            return Finding.LOW_SAMPLE
        good = self._within(deadline=deadline) or (ill and self._better <= PASS_LEVEL)
        good = good and (not beside or self._compares(deadline=deadline))
        return Finding.PASS if baked and good else Finding.INCONCLUSIVE

    def _look(self) -> None:
        """Compare, at one of the moments that are fixed beforehand by how many values there are."""
        if len(self._stable) < FEWEST:
            return
        self._looks += 1
        # Values hang together as stable's did before, and do now: an incident is no noise either.
        now = inflation(self._stable) if len(self._stable) >= ENOUGH else 1.0
        self._inflation = tau = max(self._before, now)
        parts, aim = self._looks * (self._looks + 1), self._aim
        canary = [aim.badness(value) for value in self._canary]
        worse = p_greater(canary, self._shifted(aim.tolerance), tau)
        self._worse = min(self._worse, parts * worse)
        margin = self._shifted(max(2 * aim.tolerance, LEAST_MARGIN))
        self._healthy = parts * p_greater(margin, canary, tau)
        self._better = parts * p_greater(self._shifted(-aim.tolerance), canary, tau)

    def _shifted(self, part: float) -> list[float]:
        """Return stable's values, made worse by a part of them."""
        found = [self._aim.badness(value) for value in self._stable]
        return [value + part * abs(value) for value in found]

    def _compares(self, *, deadline: bool) -> bool:
        """Tell whether the canary is as good as stable, or stable says nothing and an edge decides alone."""
        if len(self._stable) < FEWEST:
            return self._aim.edged and self._moments >= SCRAPES_FOR_STABLE and not self._stable
        if self._worse <= PASS_LEVEL:
            return False
        tolerated = median(self._shifted(self._aim.tolerance))
        canary = [self._aim.badness(value) for value in self._canary]
        above = sum(value > tolerated for value in canary)
        surely = AbsoluteProcess(HALF).evidence(len(canary), above, self._inflation) >= PASSES
        return surely or self._healthy <= PASS_LEVEL or (deadline and median(canary) <= tolerated)

    def _beyond(self, values: Sequence[float]) -> int:
        return sum(self._aim.beyond(value) for value in values)

    def _breaks(self, values: Sequence[float]) -> float:
        """Return the evidence that more than half of such values are beyond an edge."""
        tau = self._inflation
        return evidence(self._beyond(values) / tau, len(values) / tau, HALF)

    def _within(self, *, deadline: bool) -> bool:
        if not self._aim.edged:
            return True
        beyond, count = self._beyond(self._canary), len(self._canary)
        surely = AbsoluteProcess(HALF).evidence(count, beyond, self._inflation) >= PASSES
        return surely or (deadline and 2 * beyond < count)
