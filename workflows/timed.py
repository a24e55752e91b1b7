"""What only lets time pass: `wait`, `analysis` alone, and an old version that is kept. Nothing is written.

Their clock is durable: a worker that dies in the middle costs nothing, and time under a hold does not count.
"""

from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

from holdpoint.models.plan import PlannedStep
from holdpoint.models.timed_steps import AnalysisConfig, WaitConfig
from workflows.failures import seconds
from workflows.held import until_clear
from workflows.holds import Holds
from workflows.limits import pause_after
from workflows.rollout_state import RolloutWork
from workflows.watch import Watch

WHOLE = 100
"""A step at this weight is promoted: its last stage brings it there, and Verifying watches it."""


class Countdown:
    """What is left of a span. It stands still as long as anything holds the rollout."""

    def __init__(self, holds: Holds, span: float) -> None:
        self._holds, self._span = holds, timedelta(seconds=span)
        self._since = workflow.now()
        self._held_before = holds.held(self._since)

    def left(self) -> timedelta:
        """Return what is left, never less than nothing."""
        now = workflow.now()
        held = self._holds.held(now) - self._held_before
        return max(timedelta(), self._span - (now - self._since - held))

    def shown(self) -> dict[str, Any]:
        """Return what people see of it."""
        return shown(self.left(), running=not self._holds)


def shown(left: timedelta, *, running: bool) -> dict[str, Any]:
    """Return the fields of a step's view that tell what it has left."""
    ends: datetime | None = workflow.now() + left if running else None
    return {"ends_at": ends, "left": None if running else seconds(left)}


class Waiting:
    """A `wait` step."""

    def __init__(self, work: RolloutWork, step: PlannedStep) -> None:
        self._work, self._name = work, step.name
        self._countdown = Countdown(work.clerk.holds, WaitConfig.model_validate(step.config).for_)

    def shown(self) -> dict[str, Any]:
        """Return what is left, for the step's view."""
        return self._countdown.shown()

    async def run(self) -> None:
        """Return when its time is over and nothing holds the rollout. Raises Stopped, Overdue."""
        work, holds = self._work, self._work.clerk.holds
        while True:
            await until_clear(work)
            again = await recorded(work)
            left = self._countdown.left()
            if not left and not holds.forbids_writing:
                return
            await work.pass_time(min(left, again), lambda: holds.forbids_writing, f"Wait: {self._name}"[:200])


class Standing:
    """An `analysis` step: what stands now is judged as a canary is, at no weight of its own."""

    def __init__(self, work: RolloutWork, step: PlannedStep) -> None:
        span = AnalysisConfig.model_validate(step.config).for_
        self._countdown = Countdown(work.clerk.holds, span)
        self._watch = Watch(work, None, float(WHOLE), span)

    def shown(self) -> dict[str, Any]:
        """Return what is left until it may pass, for the step's view."""
        return self._countdown.shown()

    async def run(self) -> None:
        """Return when it has been watched, has passed, and nothing holds it. Raises what a canary raises."""
        await self._watch.until_passed()


class KeptBeside:
    """The time for which the old version of a `blueGreen` step keeps running, as the quick way back.

    What has the requests is judged on: a `fail` goes back at once. A person's word on the bake before counts.
    """

    def __init__(self, work: RolloutWork, step: PlannedStep, span: float) -> None:
        overruled = work.overruled
        self._countdown = Countdown(work.clerk.holds, span)
        self.watch = _Beside(work, step.model_copy(update={"bake": span}), float(WHOLE), span)
        work.overruled = overruled

    def shown(self) -> dict[str, Any]:
        """Return what is left, for the step's view."""
        return self._countdown.shown()

    async def run(self) -> None:
        """Return when its time is over and nothing holds it. Raises what a canary raises."""
        await self.watch.until_passed()


class _Beside(Watch):
    @property
    def over(self) -> bool:
        """Tell whether the time is over, and nothing holds it. No word of a person makes it shorter."""
        return self.baked() >= self.bake and not self.work.clerk.holds


async def recorded(work: RolloutWork) -> timedelta:
    """Have recorded what waits for it: no activity follows soon that would carry it.

    Return when this is to be tried again: soon, where the ledger has not taken all of it.
    """
    if await work.clerk.flush(stoppable=True):
        return timedelta.max
    return pause_after(work.clerk.behind)
