"""What a ticket carries over when it goes on in a new run, inside a wait before its rollout."""

from datetime import datetime
from typing import Any

from temporalio import workflow

from holdpoint.models.activity_calls import Evaluation
from holdpoint.models.phases import Phase
from workflows.denials import Denials
from workflows.state import TicketState
from workflows.views import steps_of


def of(ticket: TicketState) -> dict[str, Any]:
    """Return everything that counts as plain values."""
    evaluation = ticket.evaluation
    return {
        "phase": ticket.phase.value,
        "created_at": ticket.created_at.isoformat(),
        "evaluation": evaluation.model_dump(mode="json") if evaluation else None,
        "scheduled_since": ticket.scheduled_since.isoformat() if ticket.scheduled_since else None,
        "in_lane": ticket.in_lane,
        "ballot": ticket.ballot.remember(),
        "denials": ticket.denials.counts,
        "clerk": ticket.clerk.remember(),
    }


def recall(ticket: TicketState) -> None:
    """Take over what the run before carried over; a first run has nothing to recall."""
    memory = ticket.start.resumed
    if memory is None:
        return
    ticket.phase = Phase(memory["phase"])
    ticket.created_at = datetime.fromisoformat(memory["created_at"])
    if memory["evaluation"] is not None:
        ticket.evaluation = Evaluation.model_validate(memory["evaluation"])
        ticket.steps, ticket.checks = steps_of(ticket.evaluation.plan), ticket.evaluation.checks
    since = memory["scheduled_since"]
    ticket.scheduled_since = datetime.fromisoformat(since) if since else None
    ticket.in_lane = memory["in_lane"]
    ticket.ballot.recall(memory["ballot"])
    ticket.denials = Denials(memory["denials"])
    ticket.clerk.recall(memory["clerk"], now=workflow.now())
