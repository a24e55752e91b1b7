"""No data is never a pass, a bad share fails, and a good canary is failed at most once in a hundred."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdpoint.judge.share import ALPHA, MIN_BAD, MIN_REQUESTS, Finding, Share, evidence, judge


def share(requests: float, bad: float, *, maybe: float | None = None, allowed: float = 0.01) -> Share:
    return Share("errorRatio", requests, bad, bad if maybe is None else maybe, allowed)


@pytest.mark.parametrize(
    ("requests", "bad", "baked", "finding"),
    [
        pytest.param(0, 0, True, "no_data", id="silence is no data"),
        pytest.param(math.nan, 0, True, "no_data", id="NaN requests are no data"),
        pytest.param(1000, math.nan, True, "no_data", id="NaN failures are no data"),
        pytest.param(math.inf, 0, True, "no_data", id="infinitely many are no data"),
        pytest.param(10, 11, True, "no_data", id="more bad than there were are no data"),
        pytest.param(MIN_REQUESTS - 1, 0, True, "low_sample", id="too few to pass"),
        pytest.param(MIN_REQUESTS, 0, True, "pass", id="just enough"),
        pytest.param(MIN_REQUESTS, 0, False, "inconclusive", id="no pass before the bake is over"),
        pytest.param(1000, 10, True, "pass", id="exactly what is allowed"),
        pytest.param(1000, 11, True, "inconclusive", id="a little more is not sure"),
        pytest.param(1000, 50, False, "fail", id="five times what is allowed fails at once"),
        pytest.param(10, MIN_BAD, False, "fail", id="half of ten fails although ten are few"),
        pytest.param(4, MIN_BAD - 1, True, "low_sample", id="four bad requests never fail"),
    ],
)
def test_finding(requests: float, bad: float, baked: bool, finding: str) -> None:
    assert judge(share(requests, bad), baked=baked).finding == finding


def test_what_a_histogram_cannot_tell_neither_fails_nor_passes() -> None:
    unclear = share(1000, 0, maybe=500)

    assert judge(unclear, baked=True).finding is Finding.INCONCLUSIVE


def test_more_metrics_need_more_evidence_each() -> None:
    near = next(s for k in range(10, 100) if evidence((s := share(1000, k)).surely_bad, 1000, 0.01) >= 100)

    assert judge(near, baked=True, metrics=1).finding is Finding.FAIL
    assert judge(near, baked=True, metrics=1000).finding is Finding.INCONCLUSIVE


def test_nothing_is_too_bad_when_everything_is_allowed() -> None:
    assert judge(share(100, 100, allowed=1.0), baked=True).finding is Finding.PASS


@settings(deadline=None)
@given(requests=st.integers(0, 10**9), part=st.floats(0, 1), allowed=st.floats(1e-6, 1))
def test_evidence_is_never_negative_and_never_not_a_number(
    requests: int, part: float, allowed: float
) -> None:
    value = evidence(requests * part, requests, allowed)

    assert value >= 0


@settings(deadline=None)
@given(requests=st.integers(1, 10**6), bad=st.integers(0, 10**6), allowed=st.floats(1e-4, 0.5))
def test_one_more_bad_request_is_never_evidence_of_health(requests: int, bad: int, allowed: float) -> None:
    bad = min(bad, requests - 1)

    assert evidence(bad + 1, requests, allowed) >= evidence(bad, requests, allowed)


@settings(deadline=None)
@given(allowed=st.floats(1e-3, 0.9))
def test_evidence_is_expected_to_stay_at_one_when_just_what_is_allowed_happens(allowed: float) -> None:
    n = 20
    mean = sum(
        math.comb(n, k) * allowed**k * (1 - allowed) ** (n - k) * evidence(k, n, allowed)
        for k in range(n + 1)
    )

    assert mean == pytest.approx(1.0)


def failed_within(rng: random.Random, *, true: float, allowed: float, per_look: int, looks: int) -> bool:
    """Tell whether a canary with this true share is failed at any of so many looks."""
    requests = bad = 0
    for _ in range(looks):
        requests += per_look
        bad += sum(rng.random() < true for _ in range(per_look))
        if judge(share(requests, bad, allowed=allowed), baked=False).finding is Finding.FAIL:
            return True
    return False


@pytest.mark.parametrize(("true", "allowed"), [(0.01, 0.01), (0.001, 0.001), (0.002, 0.01)])
def test_good_canary_is_failed_at_most_once_in_a_hundred(true: float, allowed: float) -> None:
    rng = random.Random(20261)
    runs = 400

    failures = sum(
        failed_within(rng, true=true, allowed=allowed, per_look=20, looks=100) for _ in range(runs)
    )

    assert failures / runs <= ALPHA


def test_five_times_the_allowed_share_is_found_within_seconds() -> None:
    rng = random.Random(7)

    found = sum(failed_within(rng, true=0.05, allowed=0.01, per_look=20, looks=20) for _ in range(200))

    assert found / 200 >= 0.95
