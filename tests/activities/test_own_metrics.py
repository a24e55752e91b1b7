"""A service's own metrics are judged beside the others: critical ones decide, others are told."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path
from typing import Any

import pytest

from activities import judging
from activities.fleet_counters import Place
from activities.judging import watch
from activities.own_queries import filled
from holdpoint.clients.judges import Answer, Judges, Question
from holdpoint.clients.metrics import NullMetrics, RangeQuery, Series
from holdpoint.ledger.blobs import Blobs
from holdpoint.models.activity_calls import JudgeCall, Judgement
from holdpoint.models.analysis import Analysis
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.plan import PlannedStep

LAG = {
    "name": "queueLag",
    "kind": "value",
    "query": 'queue_lag{namespace="{{namespace}}",deployment="{{deployment}}"}',
}
JOBS = {
    "name": "failedJobs",
    "kind": "ratio",
    "query": 'jobs_failed_total{deployment="{{deployment}}"}',
    "of": 'jobs_total{deployment="{{deployment}}"}',
    "max": 0.01,
}
LOAD = {"name": "load", "source": {"webhook": "load"}}
AGE = 200.0
"""Seconds since the canary began: forty scrapes."""

At = Callable[[str, float], float | None]
"""What a query of canary or stable shows at so many seconds since the canary began."""


class Numbers(NullMetrics):
    """A Prometheus that knows the service's own metrics."""

    def __init__(self, at: At, *, series: int = 1) -> None:
        self.at, self.number, self.began, self.down = (
            at,
            series,
            datetime.now(UTC) - timedelta(seconds=AGE),
            "",
        )
        self.asked: list[str] = []

    async def series(self, query: RangeQuery) -> list[Series]:
        self.asked.append(query.text)
        if self.down and self.down in query.text:
            raise UpstreamUnavailable("Prometheus gave no answer.")
        side = "canary" if "shop-canary" in query.text else "stable"
        count = (query.end - query.start).total_seconds() // query.step
        moments = [query.start.timestamp() + n * query.step for n in range(int(count) + 1)]
        points = []
        for moment in moments:
            value = self.at(f"{query.text.partition('{')[0]} {side}", moment - self.began.timestamp())
            if value is not None:
                points.append((round(moment, 3), value))
        return [Series(labels={"pod": f"{side}-{n}"}, points=points) for n in range(self.number) if points]


def lag(canary: float | None, stable: float | None = 10.0) -> At:
    """Return values with some noise, the same each time; the canary's begin with it."""

    def at(name: str, age: float) -> float | None:
        wobble = (0.9, 1.0, 1.0, 1.1)[int(age // 5) % 4]
        value = canary if name.endswith("canary") else stable
        return None if value is None or (name.endswith("canary") and age < 0) else value * wobble

    return at


def jobs(bad: float, stable_bad: float = 0.001) -> At:
    """Return counters of ten jobs a second at the canary and ninety at stable."""

    def at(name: str, age: float) -> float | None:
        canary = name.endswith("canary")
        if canary and age < 0:
            return None
        count = 10 * age if canary else 90 * (age + 9999)
        return count * (bad if canary else stable_bad) if "failed" in name else count

    return at


class Own(Judges):
    """A judge that always says the same."""

    def __init__(self, verdict: str = "pass", *, down: bool = False) -> None:
        super().__init__({})
        self.verdict, self.down = verdict, down
        self.asked: list[Question] = []

    async def ask(self, name: str, question: Question) -> Answer:
        self.asked.append(question)
        if self.down:
            raise UpstreamUnavailable("The judge load gave no answer within 5 s.")
        return Answer.model_validate(
            {"version": "holdpoint.dev/judge/v1", "verdict": self.verdict, "numbers": {"differ": 2}}
        )


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs", b"k" * 32)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "POLL", 0.02)
    monkeypatch.setattr(judging, "OUTAGE", 0.05)


def a_call(
    began: datetime, *own: dict[str, Any], window: float = 0.1, bake: float = 0.0, verifying: bool = False
) -> JudgeCall:
    step = PlannedStep(index=0, name="canary shop", kind="canary", config={"deployment": "shop"}, bake=bake)
    return JudgeCall(
        ticket="chg-1", target="sandbox/prod/shop", run="run-1", service="shop", environment="staging",
        type="standard", step=None if verifying else step, weight=10, window=window, since=began, began=began,
        analysis=Analysis.model_validate({"metrics": list(own)}),
    )  # fmt: skip


async def look(
    blobs: Blobs, metrics: Numbers, *own: dict[str, Any], judges: Judges | None = None, bake: float = 0.0,
    verifying: bool = False,
) -> Judgement:  # fmt: skip
    call = a_call(metrics.began, *own, bake=bake, verifying=verifying)
    place = Place("prod", ["shop-canary"], [] if verifying else ["shop"], metrics.began, every=5.0)
    return await watch(call, metrics, blobs, place=place, judges=judges)


async def test_a_value_like_stables_passes_and_says_its_numbers(blobs: Blobs) -> None:
    judgement = await look(blobs, Numbers(lag(10)), {**LAG, "max": 30})

    assert judgement.verdict.verdict == "pass"
    said = r"queueLag 10 \(median of \d+, at most 30\), stable 10: pass"
    assert re.search(said, judgement.verdict.message)
    assert judgement.verdict.metrics["queueLag"]["median"] == pytest.approx(10, rel=0.1)


async def test_a_worse_value_fails(blobs: Blobs) -> None:
    judgement = await look(blobs, Numbers(lag(20)), LAG)

    assert judgement.verdict.verdict == "fail"
    assert "stable 10, which is surely better: fail" in judgement.verdict.message


async def test_a_worse_value_that_is_not_critical_is_told_only(blobs: Blobs) -> None:
    judgement = await look(blobs, Numbers(lag(20)), {**LAG, "critical": False}, LOAD, judges=Own())

    assert judgement.verdict.verdict == "pass"
    assert "stable 10, which is surely better: fail (told only)" in judgement.verdict.message


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        pytest.param(lag(None), "no_data", id="an empty result"),
        pytest.param(lag(nan), "no_data", id="NaN"),
        pytest.param(lag(float("inf")), "no_data", id="infinite"),
        pytest.param(lag(10, None), "inconclusive", id="nothing beside it"),
    ],
)
async def test_what_is_no_number_is_never_a_pass(blobs: Blobs, value: At, verdict: str) -> None:
    assert (await look(blobs, Numbers(value), LAG)).verdict.verdict == verdict


@pytest.mark.parametrize(("absence", "verdict"), [("hold", "no_data"), ("ignore", "pass")])
async def test_what_absence_means_is_said_by_the_change(blobs: Blobs, absence: str, verdict: str) -> None:
    quiet = {**LAG, "critical": False, "absence": absence}

    judgement = await look(blobs, Numbers(lag(None)), quiet, LOAD, judges=Own())

    assert judgement.verdict.verdict == verdict


async def test_a_query_with_several_answers_is_held_and_says_what_to_do(blobs: Blobs) -> None:
    judgement = await look(blobs, Numbers(lag(10), series=2), LAG)

    assert judgement.verdict.verdict == "provider_down"
    assert "gave 2 series for shop" in judgement.verdict.message
    assert "take their sum, avg or max" in judgement.verdict.message


@pytest.mark.parametrize(("bad", "verdict"), [(0.001, "pass"), (0.02, "fail"), (0.008, "fail")])
async def test_a_share_of_events_is_judged_as_requests_are(blobs: Blobs, bad: float, verdict: str) -> None:
    judgement = await look(blobs, Numbers(jobs(bad, 0.001)), JOBS)

    assert judgement.verdict.verdict in {verdict, "inconclusive" if verdict == "pass" else verdict}
    assert "failedJobs" in judgement.verdict.message
    assert "events" in judgement.verdict.message


async def test_where_higher_is_better_the_other_events_are_the_bad_ones(blobs: Blobs) -> None:
    done = {**JOBS, "name": "doneJobs", "direction": "higher", "min": 0.99, "max": None}
    metric = {name: value for name, value in done.items() if value is not None}

    judgement = await look(blobs, Numbers(jobs(0.5, 0.999)), metric)  # the counter is of those that are done

    assert judgement.verdict.verdict == "fail"
    assert "doneJobs 50 % of " in judgement.verdict.message


async def test_while_verifying_what_was_counted_before_is_not_held_against_it(blobs: Blobs) -> None:
    def at(name: str, age: float) -> float | None:
        return (1000.0 if "failed" in name else 5000.0 + 10 * (age + 9999)) if age > -9000 else None

    judgement = await look(blobs, Numbers(at), JOBS, verifying=True)

    assert judgement.verdict.verdict == "pass"
    assert "failedJobs 0 % of " in judgement.verdict.message


async def test_an_edge_is_held_while_verifying_too(blobs: Blobs) -> None:
    assert (await look(blobs, Numbers(lag(20)), {**LAG, "max": 15}, verifying=True)).verdict.verdict == "fail"
    assert (await look(blobs, Numbers(lag(10)), {**LAG, "max": 15}, verifying=True)).verdict.verdict == "pass"


@pytest.mark.parametrize("verdict", ["pass", "fail", "inconclusive", "no_data"])
async def test_a_judge_of_ones_own_has_the_word(blobs: Blobs, verdict: str) -> None:
    judgement = await look(blobs, Numbers(lag(10)), LOAD, judges=Own(verdict))

    assert judgement.verdict.verdict == verdict
    assert f"load: load says {verdict}, differ 2" in judgement.verdict.message


async def test_its_pass_waits_for_the_bake_and_its_fail_does_not(blobs: Blobs) -> None:
    for verdict, wanted in (("pass", "inconclusive"), ("fail", "fail")):
        judgement = await look(blobs, Numbers(lag(10)), LOAD, judges=Own(verdict), bake=2 * AGE)
        assert judgement.verdict.verdict == wanted


async def test_it_is_asked_once_a_scrape_about_who_runs_beside_whom(blobs: Blobs) -> None:
    judges = Own("inconclusive")

    await look(blobs, Numbers(lag(10)), LOAD, judges=judges)

    [question] = judges.asked
    assert (question.canary, question.stable, question.namespace) == (["shop-canary"], ["shop"], "prod")


async def test_one_that_is_down_holds_and_is_never_a_pass(blobs: Blobs) -> None:
    judgement = await look(blobs, Numbers(lag(10)), LAG, LOAD, judges=Own(down=True))

    assert judgement.verdict.verdict == "provider_down"
    assert "The judge load gave no answer" in judgement.verdict.message


async def test_a_fail_is_not_hidden_by_a_source_that_is_down(blobs: Blobs) -> None:
    judgement = await look(blobs, Numbers(lag(20)), LAG, LOAD, judges=Own(down=True))

    assert judgement.verdict.verdict == "fail"


async def test_a_source_of_what_may_be_absent_may_be_down(blobs: Blobs) -> None:
    metrics = Numbers(lag(10))
    metrics.down = "queue_lag"

    judgement = await look(blobs, metrics, {**LAG, "critical": False}, LOAD, judges=Own())

    assert judgement.verdict.verdict == "pass"
    assert "queueLag: its source gave no answer (told only)" in judgement.verdict.message


async def test_evidence_has_each_question_and_answer(blobs: Blobs) -> None:
    verdict = (await look(blobs, Numbers(lag(10)), LAG, LOAD, judges=Own())).verdict

    assert verdict.evidence is not None
    kept = json.loads(blobs.get(verdict.evidence))["metrics"]
    assert {one["query"] for one in kept["queueLag"]["asked"]} == {
        'queue_lag{namespace="prod",deployment="shop"}',
        'queue_lag{namespace="prod",deployment="shop-canary"}',
    }
    assert json.loads(blobs.get(kept["queueLag"]["history"]))[0]["answer"]
    assert kept["load"]["asked"][0]["answer"]["verdict"] == "pass"


@pytest.mark.parametrize(
    ("template", "query"),
    [
        ('x{d="{{deployment}}"}', r'x{d="a.b\"} or up{x=\""}'),
        ('x{d=~"{{deployment}}"}', r'x{d=~"a\\.b\"\\}\\ or\\ up\\{x=\""}'),
    ],
)
def test_no_value_can_end_what_it_stands_in(template: str, query: str) -> None:
    assert filled(template, "prod", 'a.b"} or up{x="') == query


def test_the_pods_of_a_deployment_are_not_those_of_its_canary() -> None:
    assert filled('x{pod=~"{{pods}}"}', "prod", "shop") == 'x{pod=~"shop-[a-z0-9]+-[a-z0-9]{5}"}'


async def test_an_unknown_judge_is_a_mistake_that_holds(blobs: Blobs) -> None:
    judgement = await look(blobs, Numbers(lag(10)), LOAD)

    assert judgement.verdict.verdict == "provider_down"
    assert "Unknown judge: 'load'" in judgement.verdict.message
