"""What a ticket answers to a word that does not fit where it stands."""

from typing import Literal

from temporalio.exceptions import ApplicationError

from holdpoint.models.base import Digest
from holdpoint.models.errors import Conflict
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason
from holdpoint.models.workflow_messages import ApprovalGiven, ConfirmationGiven, Control
from workflows.holds import PAUSED, WAVE
from workflows.state import TicketState

WORDS_IN_LEDGER = "promotion-from-ledger"
"""The change since which a rollout goes on without a verdict only by a word that it reads in the ledger."""
NOT_IN_LEDGER = "A word on a verdict counts only where it stands in the ledger. Say it by: holdpoint promote"


def conflict(message: str) -> ApplicationError:
    """Return the error that an update answers a refusal with."""
    return ApplicationError(message, type=Conflict.code, non_retryable=True)


def of_approval(ticket: TicketState, given: ApprovalGiven) -> str | None:
    """Say why an approval or rejection does not fit now; None if it does."""
    if ticket.phase is not Phase.AWAITING_APPROVAL or not ticket.ballot.asked:
        return f"{ticket.start.ticket} is {ticket.phase.value}: no approval is asked for now."
    if given.digest != ticket.ballot.digest:
        return (
            f"The digest {given.digest} is not what is asked for now ({ticket.ballot.digest}): "
            "the change, its plan or the policy's decision has changed. Read it again."
        )
    return None


def of_control(
    ticket: TicketState,
    verb: Literal["pause", "resume", "abort", "rollback", "promote"],
    digest: Digest | None = None,
    code: str | None = None,
) -> str | None:
    """Say why a word on a running ticket does not fit now; None if it does.

    With a `code` it is the ledger's, of what may not run: it stops nothing that runs.
    """
    phase, name = ticket.phase, ticket.start.ticket
    if phase.terminal:
        return f"{name} is {phase.value} already."
    if phase is Phase.ROLLING_BACK:
        return f"{name} is being rolled back; that is not stopped."
    if code is not None and ticket.hand_off.launched:
        return f"{name} is {phase.value}: its rollout has begun."
    if verb == "rollback" and phase not in (Phase.EXECUTING, Phase.VERIFYING):
        return f"{name} is {phase.value}: nothing was done that could be rolled back. Use abort."
    if verb == "promote":
        return of_promotion(ticket, digest)
    waits = PAUSED in ticket.clerk.holds or WAVE in ticket.clerk.holds
    if verb == "resume" and not (ticket.hand_off.paused or waits):
        return f"{name} is not paused."
    return None


def of_promotion(ticket: TicketState, digest: Digest | None) -> str | None:
    """Say what speaks against it; whether a hold for want of a verdict stands, the rollout knows."""
    if ticket.phase not in (Phase.EXECUTING, Phase.VERIFYING):
        return f"{ticket.start.ticket} is {ticket.phase.value}: nothing is judged now."
    bound = ticket.evaluation.digest if ticket.evaluation else None
    if digest != bound:
        return f"The digest {digest} is not what runs ({bound}). Read it again."
    return None


def of_confirmation(ticket: TicketState, given: ConfirmationGiven) -> str | None:
    """Say why a word on a manual step does not fit now; None if it does. The ledger knows which step runs."""
    if ticket.phase is Phase.EXECUTING and ticket.hand_off.launched:
        return None
    return f"{ticket.start.ticket} is {ticket.phase.value}: no step waits for a word."


def requested(control: Control) -> Reason:
    """Return the reason of a ticket that a person, a pipeline or Temporal's cancel has ended."""
    if control.code is not None:
        return Reason(code=control.code, message=control.reason)
    did, code = ("Aborted", "aborted") if control.verb == "abort" else ("Rolled back", "rollback_requested")
    said = f": {control.reason}" if control.reason else ""
    return Reason(code=code, message=f"{did} by {control.by}{said}.")
