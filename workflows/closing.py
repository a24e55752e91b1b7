"""Close a ticket whose own workflow is gone, or try a failed rollback again: undo, record, archive."""

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError, ChildWorkflowError

from holdpoint.models import contracts
from holdpoint.models.activity_calls import Abandoned, Call, InspectCall
from holdpoint.models.contracts import HAND_BACK, INSPECT
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason
from holdpoint.models.workflow_messages import CloseStart, RolloutResult, RolloutStart
from workflows.archive import archive_evidence
from workflows.execution import start_when_free
from workflows.failures import Broken, Overdue
from workflows.limits import CLOSE_BOUND, LOST_ROLLOUTS
from workflows.record_keeping import Clerk
from workflows.shield import to_the_end

WORST_FIRST = (Phase.ROLLBACK_FAILED, Phase.ROLLED_BACK)


@workflow.defn(name=contracts.CLOSE_ABANDONED.name, versioning_behavior=VersioningBehavior.PINNED)
class CloseAbandoned:
    """What finishes a ticket that cannot finish itself."""

    @workflow.init
    def __init__(self, start: CloseStart) -> None:
        self.start = start
        self.clerk = Clerk(start.ticket, stop=lambda: False)

    @workflow.run
    async def run(self, start: CloseStart) -> Phase:
        """Look what is left, undo it, record how the ticket ends, and archive it.

        What cannot be closed now fails this workflow; the reconciler, or a person, starts it again.
        """
        try:
            return await to_the_end(self._close(), on_cancel=lambda: None)
        except (Broken, Overdue) as error:
            raise ApplicationError(str(error), type=error.reason.code, non_retryable=True) from error

    async def _close(self) -> Phase:
        self.clerk.note("closing.started", self.start.reason.model_dump(), by=self.start.by)
        if self.start.handed_back:
            await self._take_back()
        left = await self._inspect()
        results = [result for rollout in left.rollouts if (result := await self._undo(rollout))]
        phase, reason = self._ending(left, results)
        if results or not left.closed:
            self._record(phase, reason)
        await archive_evidence(self.clerk)
        return phase

    async def _take_back(self) -> None:
        """Have compared what a person leaves, and the target freed: their word for it is in the ledger."""
        call = Call(ticket=self.clerk.ticket)
        summary = "Compare what a person leaves with the snapshot"
        await self.clerk.insist(HAND_BACK, call, summary=summary, bound=CLOSE_BOUND)

    async def _inspect(self) -> Abandoned:
        return await self.clerk.insist(
            INSPECT, InspectCall(ticket=self.clerk.ticket), summary="Look what is left", bound=CLOSE_BOUND
        )

    async def _undo(self, rollout: RolloutStart) -> RolloutResult:
        """Undo one rollout; one that somebody terminates is begun again."""
        undo = rollout.model_copy(update={"mode": "undo", "reason": self.start.reason, "record": None})
        for _ in range(LOST_ROLLOUTS):
            child = await start_when_free(undo)
            try:
                return await child
            except ChildWorkflowError:
                self.clerk.note("rollout.lost", {"run": child.first_execution_run_id})
        message = "The undo was lost again and again; nobody knows what is left on the target."
        return RolloutResult(phase=Phase.ROLLBACK_FAILED, reason=Reason(code="rollout_lost", message=message))

    def _ending(self, left: Abandoned, results: list[RolloutResult]) -> tuple[Phase, Reason]:
        for phase in WORST_FIRST:
            for result in results:
                if result.phase is phase:
                    return phase, result.reason
        return left.phase, left.reason

    def _record(self, phase: Phase, reason: Reason) -> None:
        said = reason.model_dump()
        self.clerk.note(
            "phase.entered",
            {"phase": phase.value, "reason": said},
            phase=phase.value,
            reason=said,
            holds=[],
            closed_at=workflow.now().isoformat(),
        )
