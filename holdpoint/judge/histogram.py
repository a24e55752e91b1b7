"""Slow requests from a histogram.

Only a bucket's edge is known, so a share has a lower and an upper bound.
"""

from collections.abc import Mapping
from math import inf, isfinite


def slow(buckets: Mapping[float, float], limit: float) -> tuple[float, float, float]:
    """Return requests in all, surely slower than `limit`, and perhaps slower (`limit` in the buckets' unit).

    `buckets` maps an upper edge to how many requests were at or below it. Surely slow is what is above the
    smallest edge at or beyond the limit; surely quick what is at or below the largest edge within it. NaN
    spreads.
    """
    total = buckets.get(inf, max(buckets.values(), default=0.0))
    beyond = [edge for edge in buckets if edge >= limit and isfinite(edge)]
    within = [edge for edge in buckets if edge <= limit]
    surely = total - buckets[min(beyond)] if beyond else 0.0
    perhaps = total - (buckets[max(within)] if within else 0.0)
    return total, _counted(surely), _counted(perhaps)


def _counted(value: float) -> float:
    """Return a count that is not negative; NaN stays, where `max` would make it a zero, which is a pass."""
    return 0.0 if value < 0 else value
