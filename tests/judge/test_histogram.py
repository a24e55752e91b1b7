"""A bucket's edge is all that is known of how slow a request was."""

from math import inf, isnan, nan

import pytest

from holdpoint.judge.histogram import slow


@pytest.mark.parametrize(
    ("buckets", "limit", "found"),
    [
        pytest.param({0.1: 90, 0.3: 98, inf: 100}, 0.3, (100, 2, 2), id="an edge at the limit is exact"),
        pytest.param(
            {0.1: 90, 0.5: 98, inf: 100}, 0.3, (100, 2, 10), id="between two edges there are bounds"
        ),
        pytest.param(
            {0.1: 90, inf: 100}, 0.3, (100, 0, 10), id="without an edge beyond nothing is surely slow"
        ),
        pytest.param(
            {0.5: 98, inf: 100}, 0.3, (100, 2, 100), id="without an edge within nothing is surely quick"
        ),
        pytest.param({}, 0.3, (0, 0, 0), id="no histogram at all"),
    ],
)
def test_slow_requests(buckets: dict[float, float], limit: float, found: tuple[float, float, float]) -> None:
    assert slow(buckets, limit) == found


def test_buckets_that_are_not_numbers_are_not_taken_for_quick() -> None:
    assert isnan(slow({0.3: nan, inf: 100}, 0.3)[2])
    assert isnan(slow({0.3: nan, inf: nan}, 0.3)[0])
