"""A worse canary fails, a good one passes, one bad pod is suspected, and silence is never a pass."""

from collections.abc import Iterable

import pytest

from holdpoint.judge.comparison import Compared, Comparison, Look
from holdpoint.judge.noise import Clumps
from holdpoint.judge.share import Finding

INDEPENDENT = Clumps(1.0, 5.0)


def over(looks: Iterable[Look], *, phi: float = 1.0, allowed: float = 0.005, **asked: bool | int) -> Compared:
    metric = Comparison("errorRatio", allowed=allowed, clumps=Clumps(phi, 5.0))
    for look in looks:
        metric.add([look])
    return metric.finding(baked=bool(asked.get("baked", True)), deadline=bool(asked.get("deadline", False)))


def steady(canary_bad: float, stable_bad: float, *, scrapes: int = 12) -> list[Look]:
    """Return a minute at 10 % of 1,000 requests a second, in two canary pods."""
    pods = {"a": (250.0, canary_bad / 2), "b": (250.0, canary_bad / 2)}
    return [Look(pods, (4500.0, stable_bad))] * scrapes


@pytest.mark.parametrize(
    ("looks", "finding"),
    [
        pytest.param(steady(5, 9), "fail", id="five times as bad"),
        pytest.param(steady(1, 9, scrapes=60), "pass", id="as good as stable"),
        pytest.param(
            steady(0, 0, scrapes=60), "inconclusive", id="no error anywhere tells nothing before the deadline"
        ),
        pytest.param(steady(100, 900, scrapes=24), "pass", id="an incident that both share"),
        pytest.param([], "no_data", id="nothing was scraped"),
        pytest.param([Look({}, (4500.0, 0.0))] * 50, "no_data", id="no canary pod"),
        pytest.param(
            [Look({"a": (0.0, 0.0)}, (4500.0, 3.0))] * 50, "no_data", id="a canary without requests"
        ),
        pytest.param([Look({"a": (1.0, 0.0)}, (9.0, 0.0))] * 9, "low_sample", id="hardly a request"),
        pytest.param(steady(20, 200, scrapes=60), "pass", id="stable is ill and the canary as ill"),
    ],
)
def test_finding(looks: list[Look], finding: str) -> None:
    assert over(looks).finding == finding


def test_stable_at_a_fifth_of_errors_does_not_stop_its_repair() -> None:
    assert over(steady(10, 900, scrapes=12)).finding is Finding.PASS


def test_nothing_passes_before_the_bake() -> None:
    assert over(steady(1, 9, scrapes=200), baked=False).finding is Finding.INCONCLUSIVE


def test_without_errors_the_deadline_passes_what_had_enough_requests() -> None:
    quiet = steady(0, 0, scrapes=2)

    assert over(quiet, deadline=True).finding is Finding.PASS
    assert over(quiet[:1], deadline=True).finding is Finding.INCONCLUSIVE


def test_four_errors_never_fail() -> None:
    assert over([Look({"a": (100.0, 4.0)}, (1e6, 0.0))]).finding is not Finding.FAIL


def test_one_bad_pod_is_suspected_and_named() -> None:
    bad = [Look({"good": (250.0, 0.0), "bad": (250.0, 10.0)}, (4500.0, 9.0))] * 12

    found = over(bad)

    assert (found.finding, found.suspect) == (Finding.SUSPECT_POD, "bad")


def test_a_pod_that_came_late_is_left_out_only_where_it_was() -> None:
    early = [Look({"first": (250.0, 3.0)}, (4500.0, 9.0))] * 12
    late = [Look({"first": (250.0, 3.0), "second": (250.0, 3.0)}, (4500.0, 9.0))] * 12

    assert over([*early, *late]).finding is Finding.FAIL


def test_a_single_pod_is_the_version() -> None:
    assert over([Look({"only": (500.0, 5.0)}, (4500.0, 9.0))] * 12).finding is Finding.FAIL


def test_what_speaks_against_a_canary_keeps_its_weight() -> None:
    metric = Comparison("errorRatio", allowed=0.05, clumps=INDEPENDENT)
    while not 20 <= (found := metric.finding(baked=True)).against < 100:
        metric.add([Look({"a": (500.0, 3.0)}, (4500.0, 9.0))])

    assert found.held
    assert found.finding is Finding.INCONCLUSIVE


def test_clumped_errors_need_more_of_them() -> None:
    looks = steady(3, 9, scrapes=9)

    assert over(looks, phi=1.0).finding is Finding.FAIL
    assert over(looks, phi=4.0).finding is not Finding.FAIL


def test_more_metrics_need_more_evidence_each() -> None:
    metric = Comparison("errorRatio", allowed=0.005, clumps=INDEPENDENT)
    while metric.finding(baked=False).finding is not Finding.FAIL:
        metric.add([Look({"a": (500.0, 2.0)}, (4500.0, 9.0))])

    assert metric.finding(baked=False, metrics=1000).finding is not Finding.FAIL


def test_one_edge_that_moved_is_seen_though_the_others_did_not() -> None:
    latency = Comparison("latency", allowed=0.01, edges=3, clumps=INDEPENDENT)
    for _ in range(24):
        latency.add(
            [
                Look({"a": (500.0, 300.0)}, (4500.0, 1350.0)),  # above the edge at stable's p70
                Look({"a": (500.0, 25.0)}, (4500.0, 225.0)),
                Look({"a": (500.0, 0.0)}, (4500.0, 0.0)),
            ]
        )

    assert latency.finding(baked=True).finding is Finding.FAIL


def test_one_burst_is_not_a_bad_version_where_stable_has_such_bursts() -> None:
    calm, burst = Look({"a": (500.0, 0.0)}, (4500.0, 9.0)), Look({"a": (500.0, 60.0)}, (4500.0, 9.0))
    looks = [*[calm] * 6, burst, *[calm] * 6]

    assert over(looks, phi=2.0).finding is Finding.FAIL
    assert over(looks, phi=3.5).finding is Finding.INCONCLUSIVE
    assert over([*looks, *looks, *looks], phi=3.5).finding is Finding.FAIL


@pytest.mark.parametrize(
    ("scrapes", "stable_bad", "canary_bad", "finding"),
    [
        pytest.param(2, 0, 0, "inconclusive", id="too few requests"),
        pytest.param(4, 0, 0, "pass", id="enough for a share below the limit, with clumps allowed for"),
        pytest.param(4, 1, 0, "inconclusive", id="stable was bad once: there is a ratio to find out"),
        pytest.param(12, 0, 5, "fail", id="and a canary that alone is bad fails"),
    ],
)
def test_where_stable_is_never_bad_the_limit_decides_before_the_deadline(
    scrapes: int, stable_bad: float, canary_bad: float, finding: str
) -> None:
    metric = Comparison("errorRatio", allowed=0.005, quiet=True)
    for look in steady(canary_bad, stable_bad, scrapes=scrapes):
        metric.add([look])

    assert metric.finding(baked=True).finding == finding


def test_what_was_bad_in_stables_history_is_not_quiet() -> None:
    metric = Comparison("errorRatio", allowed=0.005, quiet=False)
    for look in steady(0, 0, scrapes=60):
        metric.add([look])

    assert metric.finding(baked=True).finding is Finding.INCONCLUSIVE


def test_only_scrapes_in_which_the_canary_was_asked_count() -> None:
    before = [Look({}, (100.0, 0.0)), Look({"a": (0.0, 0.0)}, (100.0, 0.0))]

    assert over([*before, *steady(0, 0, scrapes=3)]).scrapes == 3
