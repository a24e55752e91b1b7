"""Watch a weight and judge it.

Ask each second, give a verdict as soon as one decides, keep what was asked.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.eyes import Eyes, counted
from activities.fleet_counters import Place
from holdpoint.clients.judges import Judges
from holdpoint.clients.metrics import Metrics
from holdpoint.judge.share import Finding
from holdpoint.judge.told import Told
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
    judges: Judges | None = None,
) -> Judgement:
    """Return the verdict over everything since `call.since`, at the latest when the window ends.

    A fail ends the watch at once, a pass as soon as the step's bake is over. While verifying there is no
    earlier end. A canary is compared with what is stable beside it, since it began.
    """
    began = time.monotonic()
    eyes = Eyes(call, metrics, place, judges or Judges({}))
    silent: float | None = None
    said = ""
    told: list[Told] = []
    # Before a scrape there is nothing to see: the first look is no earlier than the others are apart.
    await asyncio.sleep(_pause(call, call.since, 0.0) - (clock() - call.since).total_seconds())
    while True:
        now = clock()
        baked = (now - call.since).total_seconds() >= _bake(call)
        try:
            told = await eyes.look(now, baked=baked)
            silent = None
        except (TransientError, StepConfig) as error:
            silent, said = silent if silent is not None else time.monotonic(), error.message
        spent = time.monotonic() - began
        if silent is not None and (time.monotonic() - silent >= OUTAGE or spent >= call.window):
            return await asyncio.to_thread(_down, call, eyes, blobs, said, spent)
        if silent is None and _over(call, told, baked=baked, spent=spent):
            return await asyncio.to_thread(_verdict, call, eyes, blobs, told, spent)
        await asyncio.sleep(_pause(call, clock(), spent))


def _bake(call: JudgeCall) -> float:
    return call.step.bake if call.step is not None else 0.0


def _pause(call: JudgeCall, now: datetime, spent: float) -> float:
    """Return the seconds until the next look: the moment at which the bake is over is not slept through."""
    baking = _bake(call) - (now - call.since).total_seconds()
    until = min(call.window - spent, baking if baking > 0 else POLL)
    return min(POLL, max(SHORTEST, until))


def _over(call: JudgeCall, told: list[Told], *, baked: bool, spent: float) -> bool:
    finding = counted(told)
    early = finding is Finding.FAIL or (finding is Finding.PASS and call.step is not None and baked)
    return early or spent >= call.window


def _verdict(call: JudgeCall, eyes: Eyes, blobs: Blobs, told: list[Told], spent: float) -> Judgement:
    said = "; ".join(one.said for one in told) or "nothing was measured"
    verdict = Verdict(
        verdict=VerdictCode(counted(told).value),
        weight=call.weight,
        message=f"At {call.weight:g} % since {call.since:%H:%M:%S}: {said}.",
        at=datetime.now(UTC),
        metrics={one.name: one.numbers for one in told},
        evidence=eyes.evidence(blobs),
    )
    return Judgement(verdict=verdict, watched=round(spent, 3))


def _down(call: JudgeCall, eyes: Eyes, blobs: Blobs, said: str, spent: float) -> Judgement:
    verdict = Verdict(
        verdict=VerdictCode.PROVIDER_DOWN,
        weight=call.weight,
        message=f"At {call.weight:g} %: the metrics could not be asked: {said}",
        at=datetime.now(UTC),
        evidence=eyes.evidence(blobs),
    )
    return Judgement(verdict=verdict, watched=round(spent, 3))
