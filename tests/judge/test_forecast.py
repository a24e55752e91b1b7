"""The forecast says before a canary starts how long a worse version would go unseen."""

from math import inf

import pytest

from holdpoint.judge.comparison import Comparison, Look
from holdpoint.judge.forecast import requests_needed
from holdpoint.judge.noise import Clumps
from holdpoint.judge.share import Finding


def needed(ratio: float) -> float:
    """Return how many requests to the canary fail it when all comes just as expected."""
    metric, requests = Comparison("errorRatio", allowed=0.005, clumps=Clumps(1.0, 5.0)), 0.0
    while metric.finding(baked=False).finding is not Finding.FAIL:
        metric.add([Look({"a": (100.0, 0.1 * ratio)}, (900.0, 0.9))])
        requests += 100
    return requests


@pytest.mark.parametrize("ratio", [2.0, 3.0, 5.0, 10.0])
def test_it_is_near_what_the_test_needs(ratio: float) -> None:
    assert requests_needed(ratio, share=0.001, weight=0.1, phi=1.0) == pytest.approx(needed(ratio), rel=0.5)


@pytest.mark.parametrize(
    ("ratio", "share", "weight"),
    [
        pytest.param(1.1, 0.001, 0.1, id="what is tolerated is never found"),
        pytest.param(5.0, 0.0, 0.1, id="no errors, no ratio"),
        pytest.param(5.0, 0.001, 0.0, id="no weight"),
    ],
)
def test_what_cannot_be_found_takes_forever(ratio: float, share: float, weight: float) -> None:
    assert requests_needed(ratio, share=share, weight=weight, phi=1.0) == inf


def test_clumped_errors_take_longer() -> None:
    calm, clumped = (requests_needed(3.0, share=0.001, weight=0.1, phi=phi) for phi in (1.0, 2.0))

    assert clumped == pytest.approx(2 * calm)
