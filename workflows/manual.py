"""The `manual` step: a person is asked to do something, and it goes on when they say that it is done.

Their word is an entry in the ledger, written behind the API's token check (design decision 26). What reaches
this workflow only wakes it; it reads the word from the ledger. Past its time the step fails: it never passes
by itself.
"""

import shlex
from datetime import timedelta
from typing import Any

from temporalio import workflow

from holdpoint.models.activity_calls import Confirmation, GateCall
from holdpoint.models.contracts import GATE
from holdpoint.models.plan import PlannedStep
from holdpoint.models.ticket import Hold, HoldCode, Reason
from holdpoint.models.timed_steps import ManualConfig
from workflows.failures import Fallen, Overdue
from workflows.held import until_clear
from workflows.holds import MANUAL
from workflows.limits import look_again, pause_after
from workflows.record_keeping import HOLDPOINT
from workflows.rollout_state import RolloutWork
from workflows.timed import recorded, shown

MOST_LOOKS = 500
"""Looks of one step that nobody has woken, of 11 events each: a step may wait for a year."""


class Manual:
    """A `manual` step. Its clock stands still while anything else holds the rollout; it asks again after."""

    def __init__(self, work: RolloutWork, step: PlannedStep) -> None:
        self._work, self._step = work, step
        self._config = ManualConfig.model_validate(step.config)
        self._left = timedelta(seconds=self._config.timeout)
        self._asked_at = workflow.now()
        self._asking = False

    def shown(self) -> dict[str, Any]:
        """Return what is left, for the step's view."""
        passed = workflow.now() - self._asked_at if self._asking else timedelta()
        others = self._work.clerk.holds.forbids_writing
        return shown(max(timedelta(), self._left - passed), running=not others)

    async def run(self) -> None:
        """Return when it is confirmed and nothing holds the rollout.

        Raises Fallen when it failed or was not done in time, Stopped, and Overdue of other holds.
        """
        work = self._work
        work.stand_at(self._step.index)
        try:
            while work.confirmation is None:
                await until_clear(work)
                if work.confirmation is None:
                    await self._ask()
            self._take_in(work.confirmation)
            await until_clear(work)
        finally:
            work.stand_at(None)

    async def _ask(self) -> None:
        """Ask until there is a word, something else holds the rollout, or its time is over."""
        work, holds = self._work, self._work.clerk.holds
        self._asking, self._asked_at = True, workflow.now()
        work.clerk.place(MANUAL, self._hold(), ends=self._asked_at + self._left)
        try:
            while work.confirmation is None and not holds.forbids_writing:
                await self._look_again_after(await recorded(work))
        except Overdue as overdue:
            if overdue.hold.code is not HoldCode.MANUAL:
                raise
            work.clerk.lift(MANUAL)
            if work.confirmation is None:
                await self._run_out()
        self._left -= workflow.now() - self._asked_at
        self._asking = False
        said = work.confirmation
        work.clerk.lift(MANUAL, by=said.by if said else HOLDPOINT)

    async def _look_again_after(self, unrecorded: timedelta) -> None:
        """Pass time until something came up; in the end look as if the rollout had been woken.

        A wake-up may have been lost, and what it asked may not have answered.
        """
        work, blind = self._work, self._work.blind_since
        rarely = timedelta(seconds=self._config.timeout / MOST_LOOKS)
        longest = max(look_again(), rarely) if blind is None else pause_after(workflow.now() - blind)
        until = workflow.now() + min(longest, unrecorded)

        def ready() -> bool:
            said = work.confirmation is not None or work.clerk.holds.forbids_writing
            return said or (blind is None and work.blind_since is not None)

        summary = f"Wait for {self._config.who}: {self._step.name}"[:200]
        await work.pass_time(until - workflow.now(), ready, summary)
        if workflow.now() >= until:
            work.clerk.wakes += 1

    async def _run_out(self) -> None:
        """Look once more: what was said in time counts, however late it is heard. Else the step fails."""
        work = self._work
        call = work.call(GateCall, manual=self._step.index)
        gate = await work.clerk.insist(
            GATE, call, summary="Look whether it was confirmed in time", bound=work.hold_bound
        )
        work.confirmation = gate.confirmation
        if work.confirmation is None:
            message = f"Nobody has said in time that `{self._step.name}` is done: {self._asked_for()}"
            raise Fallen(Reason(code="not_confirmed", message=message))

    def _take_in(self, said: Confirmation) -> None:
        if not said.done:
            message = f"{said.by} said that `{self._step.name}` failed: {said.reason}"
            raise Fallen(Reason(code="step_failed", message=message))

    def _hold(self) -> Hold:
        work, name = self._work, self._step.name
        return Hold(
            code=HoldCode.MANUAL,
            message=self._asked_for(),
            by=HOLDPOINT,
            since=workflow.now(),
            lift=f"holdpoint confirm {work.start.ticket} --step {shlex.quote(name)} --reason TEXT",
            ref=name,
        )

    def _asked_for(self) -> str:
        config = self._config
        asked = f"{config.who} is to do this by hand: {config.what.rstrip('.')}."
        return f"{asked} Runbook: {config.runbook}" if config.runbook else asked
