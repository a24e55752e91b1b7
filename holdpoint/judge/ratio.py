"""Whether the canary's share of bad requests is a given multiple of stable's: one test, looked at any time.

Of the requests that canary and baseline got between two scrapes, w is the canary's part, k_c of them were bad
at the canary and k at both. With D(r) = w * r + 1 - w,

    E(r; r0) = product over scrapes of (r / r0)^k_c * (D(r0) / D(r))^k

is an e-process against "the ratio of the shares is at most r0" for r > r0, and against "at least r0" for r <
r0: each factor has an expectation of at most 1 whatever stable's own share is just then, so that common
incidents, the hours of the day and a weight that changes are covered. It needs independent requests, which
`noise.py` corrects for. Source: Turner, Ly, Grünwald, "Generic E-variables for exact sequential k-sample
tests that allow for optional stopping", in the limit of rare events, where it holds for common ones too, on
the safe side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log
from typing import NamedTuple


class Scrape(NamedTuple):
    """Requests since the scrape before, and how many of them were bad."""

    canary: float
    canary_bad: float
    baseline: float
    baseline_bad: float


@dataclass(frozen=True)
class Alternatives:
    """The ratios that a test thinks possible, and how likely each of them is: `prior` sums to 1."""

    ratios: tuple[float, ...]
    prior: tuple[float, ...]


GROWTH = Alternatives((1.25, 1.75, 2.5, 4.0, 8.0, 24.0), (0.15, 0.25, 0.25, 0.2, 0.1, 0.05))
"""How many times beyond what is tolerated a bad version is thought to be."""

HEALTHY = Alternatives((0.5, 1.0, 1.3), (0.15, 0.6, 0.25))
"""What the ratio of a good version is thought to be."""


class RatioProcess:
    """The evidence against "the ratio is `bound`, or on its other side than the alternatives are"."""

    def __init__(self, bound: float, alternatives: Alternatives) -> None:
        self.bound = bound
        self._prior = alternatives.prior
        self._ratios = alternatives.ratios
        self._logs = [0.0] * len(self._ratios)
        self._history = [tuple(self._logs)]
        self._steps = [log(ratio / bound) for ratio in self._ratios]

    @classmethod
    def beyond(cls, tolerated: float) -> "RatioProcess":
        """Return the process against "the canary is at most `tolerated` times as bad"."""
        return cls(tolerated, Alternatives(tuple(tolerated * g for g in GROWTH.ratios), GROWTH.prior))

    def add(self, scrape: Scrape) -> None:
        """Take in one more scrape. One without a request on either side says nothing."""
        bad = scrape.canary_bad + scrape.baseline_bad
        requests = scrape.canary + scrape.baseline
        if bad and requests:
            self._learn(scrape, bad, requests)
        self._history.append(tuple(self._logs))

    def _learn(self, scrape: Scrape, bad: float, requests: float) -> None:
        weight = scrape.canary / requests
        at_bound = log(weight * self.bound + 1 - weight)
        for index, ratio in enumerate(self._ratios):
            self._logs[index] += scrape.canary_bad * self._steps[index]
            self._logs[index] += bad * (at_bound - log(weight * ratio + 1 - weight))

    def evidence(self, overdispersion: float = 1.0) -> float:
        """Return E, each alternative's to the power of 1 / `overdispersion`; infinity where a float ends."""
        return self._mixed(self._logs, overdispersion)

    def without_any(self, scrapes: int, overdispersion: float = 1.0) -> float:
        """Return the least evidence that is left when so many scrapes in a row are left out, whichever."""
        spans = zip(self._history, self._history[scrapes:], strict=False)
        left = (
            [whole - (after - before) for whole, before, after in zip(self._logs, start, end, strict=True)]
            for start, end in spans
        )
        return min((self._mixed(logs, overdispersion) for logs in left), default=1.0)

    def _mixed(self, logs: Sequence[float], overdispersion: float) -> float:
        return sum(p * _exp(one / overdispersion) for p, one in zip(self._prior, logs, strict=True))


class AbsoluteProcess:
    """The evidence against "the canary's share of bad requests is at least `bound`".

    A mixture of Bernoulli likelihood ratios. Bad requests clump between two looks, and only `overdispersion`
    corrects for that: without it this is asked once, at the deadline.
    """

    BELOW = Alternatives((0.05, 0.2, 0.5), (0.5, 0.3, 0.2))
    """What part of the bound a good version's share is thought to be."""

    def __init__(self, bound: float) -> None:
        self.bound = bound

    def evidence(self, requests: float, bad: float, overdispersion: float = 1.0) -> float:
        """Return the evidence from so many requests of which so many were bad."""
        total = 0.0
        for part, prior in zip(self.BELOW.ratios, self.BELOW.prior, strict=True):
            share = part * self.bound
            power = bad * log(part) + (requests - bad) * (log(1 - share) - _log_rest(self.bound))
            total += prior * _exp(power / overdispersion)
        return total


def mean(evidences: Sequence[float]) -> float:
    """Return the average of e-values, which is one again, however they depend on each other."""
    return sum(evidences) / len(evidences)


def _log_rest(bound: float) -> float:
    return log(1 - bound) if bound < 1 else -inf


def _exp(power: float) -> float:
    return exp(power) if power < 700 else inf
