"""Judge a share of requests, such as those that failed, against the largest share that is allowed.

    E(k, n) = sum_j pi_j * (p_j / p0)^k * ((1 - p_j) / (1 - p0))^(n - k)        with p_j > p0

For requests that are bad with a probability of at most p0, independently, each factor has an expectation of
at most 1: E is an e-process against "p <= p0", so that P(E ever reaches 1/alpha) <= alpha however often one
looks (Ville's inequality). Source of the mixture over odds: Lindon and Malek, "Anytime-Valid Inference for
Multinomial Count Data".
"""

from dataclasses import dataclass
from enum import StrEnum
from math import exp, inf, isfinite, log, log1p

ALPHA = 0.01
"""A good canary is failed by chance at most once in a hundred, over all looks at one metric."""

MIN_BAD = 5
"""Fewer bad requests than this never fail a canary: one broken connection is not a broken version."""

MIN_REQUESTS = 50
"""Fewer requests than this never pass one: silence is not health."""

ALL = 1 - 1e-9
"""A share beyond this allows everything; a float cannot tell a worse one from it."""

GROWTH = (1.25, 1.75, 2.5, 4.0, 8.0, 24.0)
PRIOR = (0.15, 0.25, 0.25, 0.2, 0.1, 0.05)
"""How many times worse than allowed a bad version is thought to be, and how likely.

From the rules of the judge.
"""


class Finding(StrEnum):
    """What one metric says. The words are those of the verdict."""

    PASS = "pass"  # noqa: S105  # a word of the verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    LOW_SAMPLE = "low_sample"
    SUSPECT_POD = "suspect_pod"


@dataclass(frozen=True)
class Share:
    """Requests of one metric: in all, surely bad, and at most bad (a histogram cannot always tell)."""

    name: str
    requests: float
    surely_bad: float
    maybe_bad: float
    allowed: float

    @property
    def usable(self) -> bool:
        """Tell whether these are numbers that something can be concluded from."""
        numbers = (self.requests, self.surely_bad, self.maybe_bad, self.allowed)
        return all(isfinite(n) and n >= 0 for n in numbers) and (
            self.surely_bad <= self.maybe_bad <= self.requests and self.allowed <= 1
        )


@dataclass(frozen=True)
class Judged:
    """The finding on one metric and the evidence against it: `e` of 1/alpha and more fails it."""

    share: Share
    finding: Finding
    e: float


def judge(share: Share, *, baked: bool, metrics: int = 1) -> Judged:
    """Return the finding on everything seen so far.

    `baked` says that the shortest time to a pass is over; `metrics` is how many are judged together, which
    divides the chance of a false fail among them.
    """
    if not share.usable or share.requests == 0:
        return Judged(share, Finding.NO_DATA, 1.0)
    e = evidence(share.surely_bad, share.requests, share.allowed)
    if e >= metrics / ALPHA and share.surely_bad >= MIN_BAD:
        return Judged(share, Finding.FAIL, e)
    if share.requests < MIN_REQUESTS:
        return Judged(share, Finding.LOW_SAMPLE, e)
    good = share.maybe_bad / share.requests <= share.allowed
    return Judged(share, Finding.PASS if baked and good else Finding.INCONCLUSIVE, e)


def evidence(bad: float, requests: float, allowed: float) -> float:
    """Return E for `bad` of `requests`; infinity where the logarithm leaves the range of a float."""
    if allowed > ALL:
        return 1.0
    if allowed <= 0:
        return inf if bad > 0 else 1.0
    total = 0.0
    for weight, growth in zip(PRIOR, GROWTH, strict=True):
        worse = _worse(allowed, growth)
        power = bad * log(worse / allowed) + (requests - bad) * (log1p(-worse) - log1p(-allowed))
        total += weight * (exp(power) if power < 700 else inf)
    return total


def _worse(allowed: float, growth: float) -> float:
    """Return the share that is `growth` times worse.

    Near 1 the good share shrinks instead, so that it stays below.
    """
    return min(allowed * growth, 1 - (1 - allowed) / growth)
