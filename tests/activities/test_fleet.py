"""A canary is compared with stable, pod by pod, over all whole scrapes since it began, and its history."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import nan

import pytest

from activities.fleet import Fleet
from activities.fleet_counters import Place, chosen, counters_of
from holdpoint.clients.metrics import Query, RangeQuery, Sample, Series
from holdpoint.judge.share import Finding
from holdpoint.models.analysis import Analysis, ErrorRatio, Latency
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.metric_names import MetricNames

BEGAN = datetime(2026, 11, 21, 12, tzinfo=UTC)
EDGES = {"0.05": 0.7, "0.1": 0.95, "0.3": 1.0, "+Inf": 1.0}
"""Share of requests within each edge."""
STABLE = [f"stable-{number}" for number in range(9)]

Rate = Callable[[str, float], float]
"""Requests a second of a pod that are bad, at so many seconds since the beginning."""


class Prometheus:
    """Ten pods with 100 requests a second each; the canary's two share those of one, and began at 0 s."""

    def __init__(self, bad: Rate, *, slow: float = 0.0, began: datetime = BEGAN) -> None:
        self.bad, self.slow, self.began = bad, slow, began
        self.asked: list[RangeQuery] = []
        self.down = False

    async def samples(self, query: Query) -> list[Sample]:
        return [Sample(labels={"le": le}, value=1e6 * share) for le, share in EDGES.items()]

    async def series(self, query: RangeQuery) -> list[Series]:
        self.asked.append(query)
        if self.down:
            raise UpstreamUnavailable("Prometheus gave no answer.")
        pods = {pod: "shop" for pod in STABLE}
        if "shop-canary" in query.text.replace("\\", ""):
            pods |= {"canary-a": "shop-canary", "canary-b": "shop-canary"}
        if "_bucket" in query.text:
            return [self._one(query, pod, name, le) for pod, name in pods.items() for le in EDGES]
        return [self._one(query, pod, name, status=s) for pod, name in pods.items() for s in ("200", "500")]

    def _one(
        self, query: RangeQuery, pod: str, name: str, le: str | None = None, status: str | None = None
    ) -> Series:
        count = (query.end - query.start).total_seconds() // query.step
        moments = [(query.start - self.began).total_seconds() + n * query.step for n in range(int(count) + 1)]
        labels = {"deployment": name, "pod": pod} | ({"le": le} if le else {"status": status or ""})
        born = 0 if name == "shop-canary" else -9999
        points = [
            (self.began.timestamp() + at, self._value(pod, at - born, at, le, status))
            for at in moments
            if at >= born
        ]
        return Series(labels=labels, points=points)

    def _value(self, pod: str, age: float, at: float, le: str | None, status: str | None) -> float:
        rate = 50.0 if pod.startswith("canary") else 100.0
        if le is not None:
            shift = self.slow if pod.startswith("canary") else 0.0
            return rate * age * (EDGES[le] if le == "+Inf" else max(0.0, EDGES[le] - shift))
        bad = self.bad(pod, at) * age
        return bad if status == "500" else rate * age - bad


def everywhere(share: float, canary: float | None = None) -> Rate:
    """Return errors at the same share everywhere, or at another one at the canary."""
    return lambda pod, _: 50 * (share if canary is None else canary) if pod[0] == "c" else 100 * share


def a_fleet(metrics: Prometheus, **analysis: object) -> Fleet:
    looks_at = analysis or {"errorRatio": ErrorRatio(max=0.01)}
    place = Place("prod", canary=["shop-canary"], stable=["shop"], began=BEGAN, every=5.0)
    return Fleet(metrics, place, Analysis.model_validate(looks_at))


async def found_after(fleet: Fleet, seconds: float, **asked: bool) -> dict[str, Finding]:
    now = BEGAN + timedelta(seconds=seconds)
    compared = await fleet.compared(
        now, baked=asked.get("baked", True), deadline=asked.get("deadline", False)
    )
    return {name: one.finding for name, one in compared.items()}


async def test_a_worse_canary_fails() -> None:
    assert await found_after(a_fleet(Prometheus(everywhere(0.001, canary=0.02))), 30) == {
        "errorRatio": "fail"
    }


async def test_one_as_good_as_stable_passes() -> None:
    assert await found_after(a_fleet(Prometheus(everywhere(0.01))), 120) == {"errorRatio": "pass"}


async def test_an_incident_that_hits_both_is_not_the_canarys() -> None:
    def incident(pod: str, at: float) -> float:
        return everywhere(0.2 if at > 10 else 0.001)(pod, at)

    assert (await found_after(a_fleet(Prometheus(incident)), 60))["errorRatio"] != "fail"


async def test_one_bad_pod_is_suspected_not_the_version() -> None:
    def one_pod(pod: str, at: float) -> float:
        return 25.0 if pod == "canary-b" else everywhere(0.001)(pod, at)

    fleet = a_fleet(Prometheus(one_pod))

    compared = await fleet.compared(BEGAN + timedelta(seconds=60), baked=True, deadline=False)
    assert (compared["errorRatio"].finding, compared["errorRatio"].suspect) == ("suspect_pod", "canary-b")


async def test_a_shift_of_all_latencies_fails_though_the_limit_is_kept() -> None:
    metrics = Prometheus(everywhere(0), slow=0.2)

    assert await found_after(a_fleet(metrics, latency=Latency(quantile=0.5, max=0.3)), 60) == {
        "latency": "fail"
    }


async def test_scrapes_are_taken_in_once_however_often_one_looks() -> None:
    metrics = Prometheus(everywhere(0.01))
    fleet = a_fleet(metrics)
    for second in range(61):
        at_last = await fleet.compared(BEGAN + timedelta(seconds=second), baked=True, deadline=False)

    at_once = await a_fleet(metrics).compared(BEGAN + timedelta(seconds=60), baked=True, deadline=False)
    assert at_last == at_once
    assert at_once["errorRatio"].requests == 100 * 55  # what is younger than half a second is not taken in


async def test_an_outage_in_between_loses_nothing() -> None:
    metrics = Prometheus(everywhere(0.01))
    fleet = a_fleet(metrics)
    await found_after(fleet, 20)
    metrics.down = True
    with pytest.raises(UpstreamUnavailable):
        await found_after(fleet, 40)
    metrics.down = False

    after = await fleet.compared(BEGAN + timedelta(seconds=61), baked=True, deadline=False)

    assert after["errorRatio"].requests == 100 * 60


async def test_no_question_is_for_more_points_than_a_server_gives() -> None:
    metrics = Prometheus(everywhere(0.001))

    await found_after(a_fleet(metrics), 7 * 86_400)

    points = [(query.end - query.start).total_seconds() / query.step for query in metrics.asked]
    assert max(points) <= 1001


async def test_names_enter_a_question_escaped_twice() -> None:
    metrics = Prometheus(everywhere(0.001))
    place = Place("prod", canary=["a.b-canary"], stable=["a.b"], began=BEGAN, every=5.0)

    await Fleet(metrics, place, Analysis(errorRatio=ErrorRatio(max=0.01))).compared(
        BEGAN + timedelta(seconds=9), baked=True, deadline=False
    )

    assert r'deployment=~"a\\.b\\-canary|a\\.b"' in metrics.asked[-1].text


async def test_evidence_has_each_question_and_answer() -> None:
    fleet = a_fleet(Prometheus(everywhere(0.001)))
    await found_after(fleet, 20)
    await found_after(fleet, 30)

    [asked] = fleet.asked.document()
    assert len(asked["ranges"]) == 2
    wanted = {"deployment": "shop-canary", "pod": "canary-a", "status": "200"}
    [one] = [one for one in asked["answer"] if one["labels"] == wanted]
    assert one["points"][-1] == [BEGAN.timestamp() + 25, "1248.75"]
    assert len(fleet.history.document()[0]["answer"]) == 2 * len(STABLE)


class Mesh(Prometheus):
    """A service mesh, whose edges are milliseconds."""

    async def samples(self, query: Query) -> list[Sample]:
        shares = {"50": 0.7, "100": 0.95, "300": 1.0, "1000": 1.0, "+Inf": 1.0}
        return [Sample(labels={"le": le}, value=share) for le, share in shares.items()]


async def test_counters_are_asked_for_by_the_names_that_the_cluster_has() -> None:
    names = MetricNames(
        requests="istio_requests_total",
        durations="istio_request_duration_milliseconds_bucket",
        unit="ms",
        namespace="destination_workload_namespace",
        deployment="destination_workload",
        status="response_code",
    )
    place = Place("prod", canary=["shop-canary"], stable=["shop"], began=BEGAN, every=5.0, names=names)
    analysis = Analysis(errorRatio=ErrorRatio(max=0.01), latency=Latency(quantile=0.99, max=0.3))

    failures, durations = await counters_of(analysis, Mesh(everywhere(0)), place, BEGAN)

    assert failures.queries(["shop"]) == [
        "sum by (destination_workload, pod, response_code) (istio_requests_total"
        '{destination_workload_namespace="prod",destination_workload=~"shop"})'
    ]
    assert durations.queries(["shop"]) == [
        "sum by (destination_workload, pod, le) (istio_request_duration_milliseconds_bucket"
        '{destination_workload_namespace="prod",destination_workload=~"shop",le=~"50|100|300|\\\\+Inf"})'
    ]


@pytest.mark.parametrize(
    ("buckets", "edges"),
    [
        ({"0.05": 70, "0.1": 95, "0.3": 100, "+Inf": 100}, ["0.05", "0.1", "0.3"]),
        ({"0.1": 95, "0.3": 97, "+Inf": 100}, ["0.1", "0.3"]),
        ({"0.1": 95, "0.2": 99, "+Inf": 100}, ["0.1", "0.2"]),
        ({"0.1": 0, "0.3": 0, "+Inf": 0}, ["0.3"]),
        ({"0.1": nan, "0.3": nan, "+Inf": nan}, ["0.3"]),
        ({"+Inf": 5}, []),
        ({"no number": 5}, []),
        ({}, []),
    ],
)
def test_edges_are_where_stables_requests_are_and_the_limit(
    buckets: dict[str, float], edges: list[str]
) -> None:
    assert chosen(buckets, 0.3) == edges
