"""How much less a series of values says than as many independent ones would.

What is measured each few seconds hardly moves in between, all the more where each value is itself an average
over the last minute. The variance of ranks is then larger by

    tau = 1 + 2 * (rho_1 + rho_2 + ...)

with rho_k the correlation of values that are k apart. The sum ends where pairs of neighbours stop being
positive. Source: Geyer, "Practical Markov Chain Monte Carlo", section 3.3.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from holdpoint.judge.noise import UNKNOWN

MOST = 30.0
"""No series is taken to say less than this: a slow drift of the day is no noise."""

ENOUGH = 24
"""Fewer values than this do not tell how they hang together."""


def inflation(values: Sequence[float]) -> float:
    """Return tau of the values' ranks (1 to 30); 2 where too few are there, or all are the same."""
    count = len(values)
    if count < ENOUGH:
        return UNKNOWN.phi
    ordered = sorted(values)
    ranks = [bisect_left(ordered, value) + bisect_right(ordered, value) for value in values]
    mean = sum(ranks) / count
    apart = [rank - mean for rank in ranks]
    whole = sum(one * one for one in apart)
    if not whole:
        return UNKNOWN.phi
    tau = -1.0
    for lag in range(0, count // 3, 2):
        pair = _lagged(apart, lag) + _lagged(apart, lag + 1)
        if pair <= 0:
            break
        tau += 2 * pair / whole
    return min(max(tau, 1.0), MOST)


def _lagged(apart: Sequence[float], lag: int) -> float:
    return sum(one * later for one, later in zip(apart, apart[lag:], strict=False))
