"""One rollout on one target: begin, execute, verify; and undo, whatever goes wrong after the first write.

The workflow's ID is the target's, so a target has one rollout at a time; that is readable, and a second
lock. Safety is the ledger's: no intent opens for a run that does not hold the target.
"""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from holdpoint.models import contracts
from holdpoint.models.activity_calls import BeginCall, FinishCall
from holdpoint.models.contracts import BEGIN, EMERGENCY, FINISH
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import REHEARSED, Reason
from holdpoint.models.workflow_messages import (
    Control,
    RolloutResult,
    RolloutStart,
    RolloutState,
    StandBy,
    Wake,
)
from workflows.canary import run_steps, verify
from workflows.failures import Broken, Fallen, Lost, Overdue, Stopped, bug
from workflows.limits import CLOSE_BOUND, UNDO_BOUND
from workflows.rollback import roll_back
from workflows.rollout_state import RolloutWork
from workflows.shield import evicted, to_the_end
from workflows.stand_by import stand_by
from workflows.views import with_handiwork

SUCCEEDED = Reason(code="succeeded", message="Every step was promoted, and everything was verified at 100 %.")
REHEARSAL = Reason(
    code=REHEARSED,
    message="A rehearsal: every step was promoted, everything was verified at 100 %, and it was undone.",
)
Ending = tuple[Phase, Reason]


@workflow.defn(name=contracts.ROLLOUT.name, versioning_behavior=VersioningBehavior.PINNED)
class Rollout(RolloutWork):
    """The rollout of one ticket on one target."""

    @workflow.init
    def __init__(self, start: RolloutStart) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: RolloutStart) -> RolloutResult:
        """Carry the rollout to its end, whatever is cancelled."""
        return await to_the_end(self._lead(), on_cancel=lambda: None)

    async def _lead(self) -> RolloutResult:
        try:
            if self.start.mode == "undo":
                ending = await self._undo()
            else:
                ending = await self._forward()
        except BaseException as error:
            if evicted(error):
                raise
            ending = await self._after(error)
        return RolloutResult(phase=ending[0], reason=ending[1], rollback=self.rollback)

    async def _forward(self) -> Ending:
        await self.enter(Phase.EXECUTING, tell=False)  # it has started this
        await self._begin()
        await run_steps(self)
        await verify(self)
        if self.start.wave is not None:
            await stand_by(self)
        if self.start.rehearsal:
            reason = with_handiwork(REHEARSAL, self.steps)
            return await self._finish(*await roll_back(self, reason, failed=False))
        return await self._finish(Phase.SUCCEEDED, SUCCEEDED)

    async def _undo(self) -> Ending:
        reason = self.start.reason or Reason(code="rollback_requested", message="What is left is undone.")
        self.undoing = self.touched = True
        await self._begin()
        return await self._finish(*await roll_back(self, reason))

    async def _after(self, error: BaseException) -> Ending:
        """Undo what may have been written; if nothing was, say how the ticket ends."""
        reason = with_handiwork(self._why(error), self.steps)
        if isinstance(error, Lost):
            return await self._lose(reason)
        if self.touched or self.phase is Phase.VERIFYING:
            return await self._finish(*await roll_back(self, reason))
        self.mark_failed()
        if isinstance(error, Stopped):
            return await self._finish(Phase.ABORTED, reason)
        failed = isinstance(error, Fallen | Overdue)
        return await self._finish(Phase.FAILED if failed else Phase.ERRORED, reason)

    async def _begin(self) -> None:
        self.check()
        undo = self.start.mode == "undo"
        self.took_target = True
        start = self.start.model_copy(update={"record": None})
        self.begun = await self.clerk.insist(
            BEGIN,
            self.call(BeginCall, start=start),
            summary="Take over the target to undo" if undo else "Take the target and a snapshot",
            bound=UNDO_BOUND if undo else self.hold_bound,
            priority=EMERGENCY if undo else None,
        )
        self.clerk.note("rollout.begun", self.begun.model_dump())

    async def _finish(self, phase: Phase, reason: Reason) -> Ending:
        """Give the target back. A success that cannot be written down as one is undone, not claimed."""
        self.undoing = True
        self.clerk.on_stir = None
        self.clerk.lift_all()
        body = {"phase": phase.value, "reason": reason.model_dump()}
        own = {} if self.start.wave is None else {"phase": phase.value}  # a ticket of one enters it itself
        self.clerk.note("rollout.finished", body, reason=reason.model_dump(), steps=self.shown_steps(), **own)
        succeeded = phase is Phase.SUCCEEDED
        try:
            if self.took_target:
                await self.clerk.insist(
                    FINISH,
                    self.call(FinishCall, succeeded=succeeded),
                    summary="Give back the target",
                    bound=CLOSE_BOUND,
                    stoppable=False,
                )
            await self.clerk.flush()  # what came too late for the last activity
        except (Broken, Overdue) as error:
            if succeeded:
                raise
            workflow.logger.error("target.kept", extra={"reason": str(error)})
        return phase, reason

    async def _lose(self, reason: Reason) -> Ending:
        """Stop writing at once: another run holds the target, and answers for it."""
        phase = Phase.ROLLBACK_FAILED if self.touched else Phase.FAILED
        self.took_target = False
        return await self._finish(phase, reason)

    def _why(self, error: BaseException) -> Reason:
        if isinstance(error, Stopped):
            return self.why_stopped()
        if isinstance(error, Broken | Fallen | Lost | Overdue):
            return error.reason
        return bug(error)

    @workflow.query(name=contracts.QUERY_STATE)
    def state(self) -> RolloutState:
        """Return how the rollout stands."""
        return self.state_now()

    @workflow.signal(name=contracts.SIGNAL_WAKE)
    def wake(self, wake: Wake) -> None:
        """Look again. A counter, not an event: a wake-up between two looks is never lost."""
        self.clerk.wakes += 1
        self.unheard = self.unheard or wake.word

    @workflow.signal(name=contracts.SIGNAL_CONTROL)
    def control(self, control: Control) -> None:
        """Take in a word of a person or a pipeline."""
        self.take(control)

    @workflow.signal(name=contracts.SIGNAL_STAND_BY)
    def stand(self, told: StandBy) -> None:
        """Take in what one of many targets does next, once it is verified."""
        self.told = told
