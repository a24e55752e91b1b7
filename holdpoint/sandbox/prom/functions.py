"""The functions of the subset, as Prometheus 3 computes them (promql/functions.go, promql/quantile.go)."""

import math
from collections.abc import Sequence

Sample = tuple[int, float]


def extrapolated(samples: Sequence[Sample], start: int, end: int, *, per_second: bool) -> float | None:
    """Return `rate` or `increase` over the range (milliseconds): counter resets undone, edges extrapolated.

    Extrapolation reaches to the range's edge when the samples come close to it (1.1 of their average
    distance), else by half that distance, and never to before the counter would have been zero.
    """
    if len(samples) < 2:
        return None
    (first_at, first), (last_at, last) = samples[0], samples[-1]
    grown, before = last - first, first
    for _, value in samples[1:]:
        if value < before:
            grown += before
        before = value
    sampled = (last_at - first_at) / 1000
    average = sampled / (len(samples) - 1)
    to_start, to_end = (first_at - start) / 1000, (end - last_at) / 1000
    if to_start >= average * 1.1:
        to_start = average / 2
    if grown > 0 and first >= 0:
        to_start = min(to_start, sampled * (first / grown))
    if to_end >= average * 1.1:
        to_end = average / 2
    factor = (sampled + to_start + to_end) / sampled
    return grown * (factor / ((end - start) / 1000) if per_second else factor)


def instant_rate(samples: Sequence[Sample]) -> float | None:
    """Return `irate`: the rate between the last two samples."""
    if len(samples) < 2:
        return None
    (earlier, before), (later, value) = samples[-2], samples[-1]
    if later == earlier:
        return None
    return (value if value < before else value - before) / ((later - earlier) / 1000)


def histogram_quantile(quantile: float, buckets: list[tuple[float, float]]) -> float:
    """Return a quantile of cumulative buckets (upper bound, count); NaN where there is nothing to tell."""
    if math.isnan(quantile):
        return math.nan
    if quantile < 0:
        return -math.inf
    if quantile > 1:
        return math.inf
    ordered = _coalesced(sorted(buckets))
    if len(ordered) < 2 or not math.isinf(ordered[-1][0]):
        return math.nan
    total = ordered[-1][1]
    if total == 0 or math.isnan(total):
        return math.nan
    rank = quantile * total
    index = next((i for i, (_, count) in enumerate(ordered[:-1]) if count >= rank), len(ordered) - 1)
    if index == len(ordered) - 1:
        return ordered[-2][0]
    bound, count = ordered[index]
    if index == 0 and bound <= 0:
        return bound
    start, below = ordered[index - 1] if index else (0.0, 0.0)
    return start + (bound - start) * ((rank - below) / (count - below))


def _coalesced(buckets: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Add up buckets of one bound and keep the counts from falling, as rounding of rates can make them."""
    out: list[tuple[float, float]] = []
    for bound, count in buckets:
        if out and out[-1][0] == bound:
            out[-1] = (bound, out[-1][1] + count)
        else:
            out.append((bound, count))
    highest = -math.inf
    for index, (bound, count) in enumerate(out):
        highest = max(highest, count)
        out[index] = (bound, highest)
    return out
