"""Watch a weight and judge it.

Ask each second, give a verdict as soon as one decides, keep what was asked.
"""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.fleet import Fleet
from activities.fleet_counters import Place
from activities.questions import Questions
from holdpoint.clients.metrics import Metrics
from holdpoint.judge.decision import Decided, decide
from holdpoint.judge.share import Finding, judge
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
    place: Place,
    clock: Clock = _own_clock,
) -> Judgement:
    """Return the verdict over everything since `call.since`, at the latest when the window ends.

    A fail ends the watch at once, a pass as soon as the step's bake is over. While verifying there is no
    earlier end. A canary is compared with what is stable beside it, since it began.
    """
    began = time.monotonic()
    eyes = Eyes(call, metrics, place)
    silent: float | None = None
    said = ""
    decided: list[Decided] = []
    # Before a scrape there is nothing to see: the first look is no earlier than the others are apart.
    await asyncio.sleep(_pause(call, call.since, 0.0) - (clock() - call.since).total_seconds())
    while True:
        now = clock()
        baked = (now - call.since).total_seconds() >= _bake(call)
        try:
            decided = await eyes.look(now, baked=baked)
            silent = None
        except (TransientError, StepConfig) as error:
            silent, said = silent if silent is not None else time.monotonic(), error.message
        spent = time.monotonic() - began
        if silent is not None and (time.monotonic() - silent >= OUTAGE or spent >= call.window):
            return await asyncio.to_thread(_down, call, eyes, blobs, said, spent)
        if silent is None and _over(call, decided, baked=baked, spent=spent):
            return await asyncio.to_thread(_verdict, call, eyes, blobs, decided, spent)
        await asyncio.sleep(_pause(call, clock(), spent))


class Eyes:
    """What one watch sees: the canary's requests against the limits, and beside stable where there is one."""

    def __init__(self, call: JudgeCall, metrics: Metrics, place: Place) -> None:
        self._call = call
        self.questions = Questions(metrics, place.namespace, place.canary, call.since, place.names)
        self.fleet = Fleet(metrics, place, call.analysis) if place.stable else None

    async def look(self, now: datetime, *, baked: bool) -> list[Decided]:
        """Return the finding on each metric. Raises UpstreamUnavailable and StepConfig."""
        shares = await self.questions.shares(self._call.analysis, now)
        compared = {}
        if self.fleet is not None:
            deadline = self._call.deadline is not None and now >= self._call.deadline
            compared = await self.fleet.compared(now, baked=baked, deadline=deadline)
        return [
            decide(judge(share, baked=baked, metrics=len(shares)), compared.get(share.name))
            for share in shares
        ]


def _bake(call: JudgeCall) -> float:
    return call.step.bake if call.step is not None else 0.0


def _pause(call: JudgeCall, now: datetime, spent: float) -> float:
    """Return the seconds until the next look: the moment at which the bake is over is not slept through."""
    baking = _bake(call) - (now - call.since).total_seconds()
    until = min(call.window - spent, baking if baking > 0 else POLL)
    return min(POLL, max(SHORTEST, until))


def _over(call: JudgeCall, decided: list[Decided], *, baked: bool, spent: float) -> bool:
    finding = worst(decided)
    early = finding is Finding.FAIL or (finding is Finding.PASS and call.step is not None and baked)
    return early or spent >= call.window


def _verdict(call: JudgeCall, eyes: Eyes, blobs: Blobs, decided: list[Decided], spent: float) -> Judgement:
    finding = worst(decided)
    verdict = Verdict(
        verdict=VerdictCode(finding.value),
        weight=call.weight,
        message=f"At {call.weight:g} % since {call.since:%H:%M:%S}: {sentence(decided)}.",
        at=datetime.now(UTC),
        metrics={one.absolute.share.name: _numbers(one) for one in decided},
        evidence=_evidence(call, eyes, blobs),
    )
    return Judgement(verdict=verdict, watched=round(spent, 3))


def _numbers(one: Decided) -> dict[str, float | str]:
    share, beside = one.absolute.share, one.compared
    found: dict[str, float | str] = {
        "finding": one.finding.value,
        "requests": _number(share.requests),
        "bad": _number(share.surely_bad),
        "maybe_bad": _number(share.maybe_bad),
        "allowed": share.allowed,
        "e": _number(one.absolute.e),
    }
    if beside is not None:
        requests, bad = beside.stable
        found |= {"stable_requests": _number(requests), "stable_bad": _number(bad)}
        found |= {"worse": _number(beside.against), "healthy": _number(beside.healthy)}
        found |= {"phi": _number(beside.phi)} | ({"suspect": beside.suspect} if beside.suspect else {})
    return found


def _down(call: JudgeCall, eyes: Eyes, blobs: Blobs, said: str, spent: float) -> Judgement:
    verdict = Verdict(
        verdict=VerdictCode.PROVIDER_DOWN,
        weight=call.weight,
        message=f"At {call.weight:g} %: the metrics could not be asked: {said}",
        at=datetime.now(UTC),
        evidence=_evidence(call, eyes, blobs),
    )
    return Judgement(verdict=verdict, watched=round(spent, 3))


def _evidence(call: JudgeCall, eyes: Eyes, blobs: Blobs) -> str:
    """Store the questions with their answers, whole, and return the digest.

    Stable's history is the same in every watch of a canary, so it is a document of its own.
    """
    fleet = eyes.fleet
    document = {
        "ticket": call.ticket,
        "target": call.target,
        "weight": call.weight,
        "since": call.since.isoformat(),
        "analysis": call.analysis.model_dump(mode="json"),
        "asked": eyes.questions.asked,
    }
    if fleet is not None:
        document |= {"beside_stable": fleet.asked.document()}
        document |= {"history": blobs.put(_json(fleet.history.document()))}
    return blobs.put(_json(document))


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _number(value: float) -> float | str:
    """Return a number as the record can hold it: the canonical form has no infinities, and no NaN."""
    return round(value, 6) if abs(value) < 1e15 else str(value)
