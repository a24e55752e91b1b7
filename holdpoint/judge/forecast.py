"""How many requests a canary needs until it passes or a worse version is found, told before it starts."""

from math import inf, log, log1p

from holdpoint.judge.comparison import PASSES
from holdpoint.judge.noise import TOLERATED, UNKNOWN
from holdpoint.judge.ratio import AbsoluteProcess
from holdpoint.judge.share import ALPHA


def requests_needed(
    ratio: float, *, share: float, weight: float, phi: float, tolerated: float = TOLERATED, metrics: int = 1
) -> float:
    """Return about how many requests to the canary find a version that is `ratio` times as bad as stable.

    `share` is stable's share of bad requests, `weight` the canary's part of all requests (both 0 to 1).
    Infinite where no number of them can: nothing is ever bad, or the ratio is tolerated.

    n = phi * (ln(K / alpha) + 1.5) / (share * g), with g = ratio * ln(ratio / r0 * D0 / D) + (1 - w) / w *
    ln(D0 / D): the growth of the evidence's logarithm for each bad request that stable would have had.
    """
    if share <= 0 or weight <= 0 or ratio <= tolerated:
        return inf
    ahead = log(_mixed(tolerated, weight) / _mixed(ratio, weight))
    growth = ratio * (log(ratio / tolerated) + ahead) + (1 - weight) / weight * ahead
    return phi * (log(metrics / ALPHA) + 1.5) / (share * growth)


def requests_to_pass(allowed: float) -> float:
    """Return about how many requests without a bad one pass a canary where stable has no bad one either.

    The likeliest part of the mixture of `AbsoluteProcess` alone, for bad requests that come in clumps.
    """
    part, prior = AbsoluteProcess.BELOW.ratios[0], AbsoluteProcess.BELOW.prior[0]
    if allowed >= 1:
        return 0.0
    return UNKNOWN.phi * log(PASSES / prior) / (log1p(-part * allowed) - log1p(-allowed))


def _mixed(ratio: float, weight: float) -> float:
    return weight * ratio + 1 - weight
