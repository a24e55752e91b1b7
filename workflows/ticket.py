"""One change ticket: its life from evaluation to archive.

Each stage does the work of one phase and moves the ticket to the next one; a ticket that is continued in a
new run begins with the stage it stood in.
"""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from holdpoint.models import contracts
from holdpoint.models.phases import TRANSITIONS, Phase
from holdpoint.models.workflow_messages import Control, TicketStart
from workflows import memory
from workflows.approval import gather_approvals
from workflows.archive import archive
from workflows.evaluation import evaluate
from workflows.failures import Broken, Overdue, Stopped, bug
from workflows.handlers import TicketHandlers
from workflows.precheck import precheck
from workflows.refusals import requested
from workflows.schedule import await_release
from workflows.shield import to_the_end
from workflows.waves import follow

STAGES = {
    Phase.EVALUATING: evaluate,
    Phase.AWAITING_APPROVAL: gather_approvals,
    Phase.SCHEDULED: await_release,
    Phase.PRECHECKING: precheck,
    Phase.EXECUTING: follow,
    Phase.VERIFYING: follow,
    Phase.ROLLING_BACK: follow,
}


@workflow.defn(name=contracts.CHANGE_TICKET.name, versioning_behavior=VersioningBehavior.PINNED)
class ChangeTicket(TicketHandlers):
    """The life of one ticket. An update can arrive before `run` has begun, so `__init__` makes the state."""

    @workflow.init
    def __init__(self, start: TicketStart) -> None:
        super().__init__(start)
        memory.recall(self)

    @workflow.run
    async def run(self, start: TicketStart) -> Phase:
        """Carry one ticket from evaluation to archive, whatever is cancelled."""
        return await to_the_end(self._live(), on_cancel=self._cancelled)

    async def _live(self) -> Phase:
        while not self.phase.terminal:
            try:
                await STAGES[self.phase](self)
            except Stopped:
                self.move(Phase.ABORTED, requested(self.abort or self._cancel()))
            except Overdue as overdue:
                self.move(self._where_holds_end(), overdue.reason)
            except Broken as broken:
                self.move(Phase.ERRORED, broken.reason)
            except Exception as error:
                if self.hand_off.launched:
                    raise  # the rollout goes on; this task is tried again until the code is mended
                self.move(Phase.ERRORED, bug(error))
        await archive(self)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.phase

    def _where_holds_end(self) -> Phase:
        """Return where a hold that has reached its bound leads, before anything was done."""
        ends = (Phase.EXPIRED, Phase.FAILED, Phase.ERRORED)
        return next(phase for phase in ends if phase in TRANSITIONS[self.phase])

    def _cancelled(self) -> None:
        if not self.phase.terminal and self.phase is not Phase.ROLLING_BACK:
            self.take(self._cancel())

    def _cancel(self) -> Control:
        reason = workflow.cancellation_reason() or "the ticket's workflow was cancelled"
        return Control(verb="abort", by="temporal", reason=reason)
