"""The comparison decides, the limit guards beside it, and what repairs a broken stable gets through."""

import pytest

from holdpoint.judge.comparison import Compared
from holdpoint.judge.decision import Decided, decide
from holdpoint.judge.share import Finding, Share, judge
from holdpoint.judge.verdict import sentence

REQUESTS = 10_000


def decided(
    compared: str,
    *,
    bad: float,
    stable_bad: float,
    stable: float = 9 * REQUESTS,
    suspect: str | None = None,
    scrapes: int = 9,
) -> Decided:
    """Return the finding where at most 1 % may be bad."""
    absolute = judge(Share("errorRatio", REQUESTS, bad, bad, 0.01), baked=True)
    beside = Compared(
        "errorRatio", Finding(compared), 1.0, 1.0, REQUESTS, bad, (stable, stable_bad), 1.0, scrapes, suspect
    )
    return decide(absolute, beside)


@pytest.mark.parametrize(
    ("compared", "bad", "stable_bad", "finding"),
    [
        pytest.param("pass", 10, 90, "pass", id="as good as stable"),
        pytest.param("fail", 50, 90, "fail", id="worse than stable, though within the limit"),
        pytest.param("inconclusive", 10, 90, "inconclusive", id="not known yet"),
        pytest.param("inconclusive", 500, 90, "fail", id="beyond the limit, and stable is not"),
        pytest.param("pass", 2000, 18_000, "inconclusive", id="what hits both is not promoted"),
        pytest.param("inconclusive", 2000, 18_000, "inconclusive", id="nor rolled back"),
        pytest.param("pass", 200, 18_000, "pass", id="a repair of a broken stable"),
        pytest.param("fail", 4000, 18_000, "fail", id="worse than a broken stable"),
        pytest.param("low_sample", 0, 0, "low_sample", id="too few requests to compare"),
        pytest.param("no_data", 0, 0, "inconclusive", id="no whole scrape yet"),
        pytest.param("pass", 110, 990, "inconclusive", id="not surely beyond the limit, but not within it"),
    ],
)
def test_finding(compared: str, bad: float, stable_bad: float, finding: str) -> None:
    assert decided(compared, bad=bad, stable_bad=stable_bad).finding == finding


def test_without_requests_at_stable_the_limit_decides_by_itself() -> None:
    assert decided("no_data", bad=0, stable_bad=0, stable=0).finding is Finding.PASS


@pytest.mark.parametrize(("bad", "later"), [(0, "pass"), (500, "fail")])
def test_the_limit_waits_until_stable_could_have_been_seen(bad: float, later: str) -> None:
    early, late = (decided("no_data", bad=bad, stable_bad=0, stable=0, scrapes=n) for n in (0, 6))

    assert (early.finding, late.finding) == ("inconclusive", later)


def test_without_data_of_the_canary_nothing_else_counts() -> None:
    absolute = judge(Share("errorRatio", 0, 0, 0, 0.01), baked=True)
    compared = Compared("errorRatio", Finding.PASS, 1.0, 99.0, 0, 0, (1000.0, 1.0), 1.0, 9)

    assert decide(absolute, compared).finding is Finding.NO_DATA


def test_sentence_names_both_sides_and_what_speaks_against_it() -> None:
    worse = decided("fail", bad=50, stable_bad=90)
    one_pod = decided("suspect_pod", bad=50, stable_bad=90, suspect="shop-canary-x")

    assert sentence([worse]) == (
        "errorRatio 0.5 % of 10,000 requests (at most 1 %), stable 0.1 % of 90,000 requests, which is surely "
        "less: fail"
    )
    assert sentence([one_pod]).endswith(
        "stable 0.1 % of 90,000 requests, and only pod shop-canary-x is bad: suspect_pod"
    )
