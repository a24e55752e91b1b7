"""Whether one series of values lies above another: for metrics that are no share of requests.

The Mann-Whitney test, with the normal approximation, the correction for ties and that for continuity; and
the Hodges-Lehmann estimate of the shift with its confidence interval. Source: Hollander, Wolfe and Chicken,
"Nonparametric Statistical Methods", sections 4.1 to 4.3. A test of a fixed size: it must not be asked again
and again and believed the first time. `values.py` asks it so that it may be.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, sqrt
from statistics import NormalDist, median

NORMAL = NormalDist()


@dataclass(frozen=True)
class Shift:
    """By how much the values of one series are estimated to lie above the other's, in their unit."""

    estimate: float
    lower: float
    upper: float


def p_greater(values: Sequence[float], others: Sequence[float], inflation: float = 1.0) -> float:
    """Return how likely such ranks are (0 to 1) if `values` do not lie above `others`.

    1 where either is empty, or all are the same: nothing was seen. `inflation` is how many times the variance
    of independent values theirs is.
    """
    m, n = len(values), len(others)
    if not m or not n:
        return 1.0
    ties = Counter([*values, *others])
    total = m + n
    tied = sum(count**3 - count for count in ties.values()) / (total * (total - 1))
    variance = m * n / 12 * (total + 1 - tied)
    if variance <= 0:
        return 1.0
    ranked = sorted(others)
    above = sum(bisect_left(ranked, a) + bisect_right(ranked, a) for a in values) / 2
    return NORMAL.cdf(-(above - m * n / 2 - 0.5) / sqrt(variance * inflation))


def shift(values: Sequence[float], others: Sequence[float], confidence: float) -> Shift:
    """Return the Hodges-Lehmann shift of `values` over `others` with its interval. Neither may be empty."""
    m, n = len(values), len(others)
    differences = sorted(a - b for a in values for b in others)
    deviation = sqrt(m * n * (m + n + 1) / 12)
    rank = floor(m * n / 2 - NORMAL.inv_cdf((1 + confidence) / 2) * deviation)
    rank = min(max(rank, 0), (len(differences) - 1) // 2)
    return Shift(median(differences), differences[rank], differences[-1 - rank])
