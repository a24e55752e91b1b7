"""The end of every ticket: its lane is left, and its evidence is archived before the workflow closes."""

from temporalio import workflow

from holdpoint.models.activity_calls import ArchiveCall
from holdpoint.models.contracts import ARCHIVE
from workflows.failures import Broken, Overdue
from workflows.limits import CLOSE_BOUND
from workflows.record_keeping import Clerk
from workflows.schedule import leave
from workflows.state import TicketState


async def archive(ticket: TicketState) -> None:
    """Leave the lane and archive; the terminal phase is recorded first, with the first of these."""
    try:
        await leave(ticket)
    except (Broken, Overdue) as error:
        workflow.logger.error("lane.kept", extra={"reason": str(error)})
    await archive_evidence(ticket.clerk)


async def archive_evidence(clerk: Clerk) -> None:
    """Archive the evidence. It is the last activity: the archived history ends with it."""
    info = workflow.info()
    call = ArchiveCall(ticket=clerk.ticket, workflow=info.workflow_id, run=info.run_id)
    try:
        await clerk.insist(ARCHIVE, call, summary="Archive the evidence", bound=CLOSE_BOUND, stoppable=False)
    except (Broken, Overdue) as error:
        # The ticket's phase stands; the reconciler archives what is closed and not archived.
        workflow.logger.error("archive.failed", extra={"reason": str(error)})
