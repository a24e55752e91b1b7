"""Evaluating: the policy decides on the change as it was submitted."""

from datetime import timedelta
from typing import Any

from holdpoint.models.contracts import EVALUATE, EvaluateCall, Evaluation
from holdpoint.models.phases import Phase
from holdpoint.models.policy import Decision
from holdpoint.models.ticket import Reason
from workflows.state import TicketState
from workflows.views import steps_of
from workflows.waits import idling


async def evaluate(ticket: TicketState) -> None:
    """Move on as the decision says. An engine that does not answer holds the ticket; it never allows."""
    call = EvaluateCall(ticket=ticket.start.ticket, purpose="submit")
    evaluation = await ask_policy(ticket, call, "Evaluate policy at submit")
    take_in(ticket, evaluation, call.purpose)
    if evaluation.decision.deny:
        ticket.move(Phase.REJECTED, denied(evaluation.decision))
    elif evaluation.decision.approvals.count:
        ticket.move(Phase.AWAITING_APPROVAL)
    else:
        ticket.move(Phase.SCHEDULED)


async def ask_policy(ticket: TicketState, call: EvaluateCall, summary: str) -> Evaluation:
    """Return the policy's evaluation, however long the engine is away, up to the ticket's bound."""
    bound = timedelta(seconds=ticket.obligations.schedule_bound)
    return await ticket.clerk.insist(EVALUATE, call, summary=summary, bound=bound, idle=idling(ticket))


def take_in(ticket: TicketState, evaluation: Evaluation, purpose: str) -> None:
    """Keep an evaluation as the one that counts from now on."""
    ticket.evaluation = evaluation
    ticket.steps = steps_of(evaluation.plan)
    decision = evaluation.decision
    body: dict[str, Any] = {"purpose": purpose, "digest": evaluation.digest, "decision": decision.digest}
    body |= {"revision": decision.revision, "risk": decision.risk.level, "deny": decision.deny}
    body |= {"approvals": decision.approvals.count, "quorum": evaluation.quorum.model_dump()}
    ticket.clerk.note(
        "change.evaluated",
        body,
        risk=decision.risk.model_dump(),
        digest=evaluation.digest,
        steps=[step.model_dump(mode="json") for step in ticket.steps],
        warnings=list(dict.fromkeys([*decision.warn, *evaluation.warnings])),
    )


def denied(decision: Decision) -> Reason:
    """Return why the policy does not let the change run."""
    return Reason(code="denied", message=" ".join(decision.deny))
