"""A verdict needs data: a pass waits for the bake, a fail for nobody, an outage is a verdict of its own."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities import judging
from activities.fleet_counters import Place
from activities.judging import watch
from holdpoint.clients.metrics import Metrics, NullMetrics, Query, RangeQuery, Sample, Series
from holdpoint.ledger.blobs import Blobs
from holdpoint.models.activity_calls import JudgeCall, Judgement
from holdpoint.models.analysis import Analysis, ErrorRatio, Latency
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.plan import PlannedStep
from tests.activities.test_fleet import Prometheus, everywhere
from tests.activities.world import World, deployment, service


class Traffic:
    """Metrics of one pod since the beginning: so many requests, so many of them failed or slow."""

    def __init__(self, requests: float, *, failed: float = 0, slow: float = 0, before: float = 0) -> None:
        self.requests, self.failed, self.slow, self.before = requests, failed, slow, before
        self.asked: list[Query] = []
        self.down = False
        self.fleet: Prometheus | None = None

    async def samples(self, query: Query) -> list[Sample]:
        self.asked.append(query)
        if self.down:
            raise UpstreamUnavailable("Prometheus gave no answer.")
        first = len([asked for asked in self.asked if asked.text == query.text]) == 1
        if query.text.startswith("http_requests_total"):
            values = {"200": self.requests - self.failed, "500": self.failed}
            return [self._sample(first, value, status=status) for status, value in values.items()]
        values = {"0.3": self.requests - self.slow, "+Inf": self.requests}
        return [self._sample(first, value, le=edge) for edge, value in values.items()]

    async def series(self, query: RangeQuery) -> list[Series]:
        assert self.fleet is not None
        return await self.fleet.series(query)

    def _sample(self, first: bool, value: float, **labels: str) -> Sample:
        return Sample(labels={"pod": "shop-canary-1", **labels}, value=self.before + (0 if first else value))


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs", b"k" * 32)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "POLL", 0.05)
    monkeypatch.setattr(judging, "OUTAGE", 0.2)


async def look(
    blobs: Blobs,
    metrics: Metrics,
    *,
    window: float = 0.1,
    bake: float = 0.0,
    age: float = 0,
    verifying: bool = False,
    clock: judging.Clock = lambda: datetime.now(UTC),
    stable: bool = False,
    deadline: float | None = None,
    began: datetime | None = None,
    latency: bool = True,
) -> Judgement:
    step = PlannedStep(index=0, name="canary shop", kind="canary", config={"deployment": "shop"}, bake=bake)
    call = JudgeCall(
        ticket="chg-1", target="sandbox/default/shop", run="run-1", service="shop", environment="staging",
        type="standard", step=None if verifying else step, weight=10, window=window,
        since=datetime.now(UTC) - timedelta(seconds=age),
        deadline=None if deadline is None else datetime.now(UTC) + timedelta(seconds=deadline),
        analysis=Analysis(
            errorRatio=ErrorRatio(max=0.01), latency=Latency(quantile=0.99, max=0.3) if latency else None
        ),
        began=began,
    )  # fmt: skip
    place = Place("default", ["shop-canary"], ["shop"] if stable else [], began or call.since, every=5.0)
    return await watch(call, metrics, blobs, place=place, clock=clock)


async def test_healthy_canary_passes_as_soon_as_its_bake_is_over(blobs: Blobs) -> None:
    judgement = await look(blobs, Traffic(1000), window=30, bake=0.3)

    assert judgement.verdict.verdict == "pass"
    assert 0.2 <= judgement.watched < 10


async def test_end_of_the_bake_is_not_slept_through(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "POLL", 30.0)

    judgement = await look(blobs, Traffic(1000), window=30, bake=0.3)

    assert judgement.verdict.verdict == "pass"
    assert judgement.watched < 10


async def test_nothing_is_asked_before_there_can_be_anything_new(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "POLL", 0.3)
    metrics = Traffic(1000)

    await look(blobs, metrics, window=0.3, verifying=True)

    since, now = sorted({query.at for query in metrics.asked})
    assert (now - since).total_seconds() >= 0.3


async def test_what_is_judged_late_is_asked_at_once(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "POLL", 30.0)

    judgement = await look(blobs, Traffic(1000), window=60, bake=30, age=31)

    assert judgement.verdict.verdict == "pass"
    assert judgement.watched < 10


async def test_bad_canary_fails_without_waiting_for_the_bake(blobs: Blobs) -> None:
    judgement = await look(blobs, Traffic(1000, failed=100), window=30, bake=30)

    assert judgement.verdict.verdict == "fail"
    assert "errorRatio 10 % of 1,000 requests (at most 1 %): fail" in judgement.verdict.message


async def test_slow_canary_fails_too(blobs: Blobs) -> None:
    assert (await look(blobs, Traffic(1000, slow=100), window=30, bake=30)).verdict.verdict == "fail"


async def test_failures_before_the_weight_was_reached_are_not_held_against_it(blobs: Blobs) -> None:
    assert (await look(blobs, Traffic(1000, before=9999))).verdict.verdict == "pass"


async def test_no_metrics_are_never_a_pass(blobs: Blobs) -> None:
    assert (await look(blobs, NullMetrics())).verdict.verdict == "no_data"


@pytest.mark.parametrize(("requests", "verdict"), [(0, "no_data"), (10, "low_sample")])
async def test_too_little_traffic_is_never_a_pass(blobs: Blobs, requests: float, verdict: str) -> None:
    assert (await look(blobs, Traffic(requests))).verdict.verdict == verdict


async def test_before_the_bake_is_over_nothing_is_decided(blobs: Blobs) -> None:
    assert (await look(blobs, Traffic(1000), window=0.2, bake=60)).verdict.verdict == "inconclusive"


async def test_while_verifying_the_whole_window_is_watched(blobs: Blobs) -> None:
    judgement = await look(blobs, Traffic(1000), window=0.4, verifying=True)

    assert judgement.verdict.verdict == "pass"
    assert judgement.watched >= 0.4


async def test_metrics_that_do_not_answer_are_an_outage_not_a_failure(blobs: Blobs) -> None:
    traffic = Traffic(1000)
    traffic.down = True

    judgement = await look(blobs, traffic, window=30)

    assert judgement.verdict.verdict == "provider_down"
    assert judgement.watched < 5


def beside_stable(share: float, canary: float) -> Traffic:
    """Return a canary that began a minute ago, with its share of errors beside stable's."""
    metrics = Traffic(1000, failed=1000 * canary)
    metrics.fleet = Prometheus(everywhere(share, canary), began=datetime.now(UTC) - timedelta(seconds=60))
    return metrics


async def test_canary_within_the_limit_that_is_worse_than_stable_fails(blobs: Blobs) -> None:
    judgement = await look(blobs, beside_stable(0.0001, 0.008), age=60, stable=True, latency=False)

    assert judgement.verdict.verdict == "fail"
    assert "stable 0.01 % of " in judgement.verdict.message
    assert "which is surely less: fail" in judgement.verdict.message


@pytest.mark.parametrize(("deadline", "verdict"), [(60, "inconclusive"), (-1, "pass")])
async def test_what_is_not_proved_as_good_as_stable_may_pass_at_the_deadline(
    blobs: Blobs, deadline: float, verdict: str
) -> None:
    metrics = beside_stable(0.00002, 0.00002)

    judgement = await look(blobs, metrics, age=60, stable=True, latency=False, deadline=deadline)

    assert judgement.verdict.verdict == verdict


async def test_stables_history_is_evidence_of_its_own_the_same_in_every_watch(blobs: Blobs) -> None:
    metrics, since = beside_stable(0.001, 0.001), datetime.now(UTC) - timedelta(seconds=60)
    first, second = [
        (await look(blobs, metrics, age=60, began=since, stable=True, latency=False)).verdict
        for _ in range(2)
    ]

    assert first.evidence is not None
    assert second.evidence is not None
    documents = [json.loads(blobs.get(evidence)) for evidence in (first.evidence, second.evidence)]
    assert documents[0]["history"] == documents[1]["history"]
    assert json.loads(blobs.get(documents[0]["history"]))
    assert documents[0]["beside_stable"]


async def test_evidence_has_every_question_with_its_answer(blobs: Blobs) -> None:
    verdict = (await look(blobs, Traffic(1000))).verdict

    assert verdict.evidence is not None
    asked = json.loads(blobs.get(verdict.evidence))["asked"]
    assert {(one["query"], len(one["answer"])) for one in asked} == {
        ('http_requests_total{namespace="default",deployment="shop-canary"}', 2),
        ('http_request_duration_seconds_bucket{namespace="default",deployment="shop-canary"}', 2),
    }
    assert len(asked) == 4


async def test_breach_in_the_sandbox_is_found(world: World) -> None:
    image = f"registry.example/{world.namespace}:bad"
    world.sandbox.steer("behave", image=image, error_rate=0.2)
    await world.deploy("chg-1", deployment(replicas=2), service())
    await world.submit("chg-2", deployment(replicas=2, image=image), service())
    await world.begin()
    outcome = await world.weight(0)
    since = datetime.now(UTC)

    judgement = await world.judge(weight=outcome.reached or 0, window=15, since=since)

    assert judgement.verdict.verdict == "fail", judgement.verdict.message
    assert judgement.watched < 10


@pytest.mark.parametrize(
    ("canary", "verdict", "window"),
    [(0.02, "pass", 15), (0.2, "inconclusive", 4)],
    ids=["its repair", "as bad"],
)
async def test_beside_a_broken_stable_in_the_sandbox_only_its_repair_is_promoted(
    world: World, canary: float, verdict: str, window: float
) -> None:
    old, new = (f"registry.example/{world.namespace}:{tag}" for tag in ("broken", "new"))
    world.sandbox.steer("behave", image=old, error_rate=0.2, rps=5000)
    world.sandbox.steer("behave", image=new, error_rate=canary)
    await world.deploy("chg-1", deployment(replicas=4, image=old), service())
    await world.submit("chg-2", deployment(replicas=4, image=new), service())
    await world.begin()
    outcome = await world.weight(0)

    judgement = await world.judge(weight=outcome.reached or 0, window=window, since=datetime.now(UTC))

    assert judgement.verdict.verdict == verdict, judgement.verdict.message
    numbers = judgement.verdict.metrics["errorRatio"]
    assert numbers["stable_bad"] / numbers["stable_requests"] == pytest.approx(0.2, rel=0.05)


async def test_it_is_asked_by_the_clock_of_since_and_not_by_the_workers_own(blobs: Blobs) -> None:
    metrics, told = Traffic(500), datetime.now(UTC) - timedelta(minutes=5)

    await look(blobs, metrics, age=310, clock=lambda: told)

    assert max(query.at for query in metrics.asked) == told
