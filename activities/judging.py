"""Watch a weight and judge it.

Ask each second, give a verdict as soon as one decides, keep what was asked.
"""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.questions import Questions
from holdpoint.clients.metrics import Metrics
from holdpoint.judge.share import Finding, Judged, judge
from holdpoint.judge.verdict import sentence, worst
from holdpoint.ledger.blobs import Blobs
from holdpoint.models.activity_calls import JudgeCall, Judgement
from holdpoint.models.errors import StepConfig, TransientError
from holdpoint.models.ticket import Verdict, VerdictCode

POLL = 1.0
"""Seconds between two looks: a scrape is rarely more frequent."""

SHORTEST = 0.05
"""Seconds between two looks at the least: clocks do not agree to the millisecond."""

OUTAGE = 3.0
"""Seconds without any answer after which the provider is down; less would take one lost packet for it."""


Clock = Callable[[], datetime]


def temporals_clock() -> Clock:
    """Return a clock that goes with the one of `since`: a worker's own may be minutes off.

    It starts at what Temporal says of this attempt's start; who takes that up late is so much behind.
    """
    if not activity.in_activity():
        return _own_clock
    started, began = activity.info().started_time, time.monotonic()
    return lambda: started + timedelta(seconds=time.monotonic() - began)


def _own_clock() -> datetime:
    return datetime.now(UTC)


async def watch(
    call: JudgeCall,
    metrics: Metrics,
    blobs: Blobs,
    *,
    namespace: str,
    deployments: list[str],
    clock: Clock = _own_clock,
) -> Judgement:
    """Return the verdict over everything since `call.since`, at the latest when the window ends.

    A fail ends the watch at once, a pass as soon as the step's bake is over. While verifying there is no
    earlier end.
    """
    began = time.monotonic()
    questions = Questions(metrics, namespace, deployments, call.since)
    silent: float | None = None
    said = ""
    judged: list[Judged] = []
    # Before a scrape there is nothing to see: the first look is no earlier than the others are apart.
    await asyncio.sleep(_pause(call, call.since, 0.0) - (clock() - call.since).total_seconds())
    while True:
        now = clock()
        baked = (now - call.since).total_seconds() >= _bake(call)
        try:
            shares = await questions.shares(call.analysis, now)
            judged = [judge(share, baked=baked, metrics=len(shares)) for share in shares]
            silent = None
        except (TransientError, StepConfig) as error:
            silent, said = silent if silent is not None else time.monotonic(), error.message
        spent = time.monotonic() - began
        if silent is not None and (time.monotonic() - silent >= OUTAGE or spent >= call.window):
            return await asyncio.to_thread(_down, call, questions, blobs, said, spent)
        if silent is None and _decided(call, judged, baked=baked, spent=spent):
            return await asyncio.to_thread(_verdict, call, questions, blobs, judged, spent)
        await asyncio.sleep(_pause(call, clock(), spent))


def _bake(call: JudgeCall) -> float:
    return call.step.bake if call.step is not None else 0.0


def _pause(call: JudgeCall, now: datetime, spent: float) -> float:
    """Return the seconds until the next look: the moment at which the bake is over is not slept through."""
    baking = _bake(call) - (now - call.since).total_seconds()
    until = min(call.window - spent, baking if baking > 0 else POLL)
    return min(POLL, max(SHORTEST, until))


def _decided(call: JudgeCall, judged: list[Judged], *, baked: bool, spent: float) -> bool:
    finding = worst(judged)
    early = finding is Finding.FAIL or (finding is Finding.PASS and call.step is not None and baked)
    return early or spent >= call.window


def _verdict(
    call: JudgeCall, questions: Questions, blobs: Blobs, judged: list[Judged], spent: float
) -> Judgement:
    finding = worst(judged)
    metrics = {
        one.share.name: {
            "finding": one.finding.value,
            "requests": _number(one.share.requests),
            "bad": _number(one.share.surely_bad),
            "maybe_bad": _number(one.share.maybe_bad),
            "allowed": one.share.allowed,
            "e": _number(one.e),
        }
        for one in judged
    }
    verdict = Verdict(
        verdict=VerdictCode(finding.value),
        weight=call.weight,
        message=f"At {call.weight:g} % since {call.since:%H:%M:%S}: {sentence(judged)}.",
        at=datetime.now(UTC),
        metrics=metrics,
        evidence=_evidence(call, questions, blobs),
    )
    return Judgement(verdict=verdict, watched=round(spent, 3))


def _down(call: JudgeCall, questions: Questions, blobs: Blobs, said: str, spent: float) -> Judgement:
    verdict = Verdict(
        verdict=VerdictCode.PROVIDER_DOWN,
        weight=call.weight,
        message=f"At {call.weight:g} %: the metrics could not be asked: {said}",
        at=datetime.now(UTC),
        evidence=_evidence(call, questions, blobs),
    )
    return Judgement(verdict=verdict, watched=round(spent, 3))


def _evidence(call: JudgeCall, questions: Questions, blobs: Blobs) -> str:
    """Store the last questions with their answers, whole, and return the digest."""
    document = {
        "ticket": call.ticket,
        "target": call.target,
        "weight": call.weight,
        "since": call.since.isoformat(),
        "analysis": call.analysis.model_dump(mode="json"),
        "asked": questions.asked,
    }
    return blobs.put(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


def _number(value: float) -> float | str:
    """Return a number as the record can hold it: the canonical form has no infinities, and no NaN."""
    return round(value, 6) if abs(value) < 1e15 else str(value)
