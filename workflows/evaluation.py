"""Evaluating: the policy decides on the change as it was submitted."""

from datetime import timedelta
from typing import Any

from holdpoint.models.activity_calls import EvaluateCall, Evaluation
from holdpoint.models.contracts import EVALUATE
from holdpoint.models.phases import Phase
from holdpoint.models.policy import Decision
from holdpoint.models.ticket import Reason
from workflows.state import TicketState
from workflows.views import steps_of, warnings_of
from workflows.waits import idling


async def evaluate(ticket: TicketState) -> None:
    """Move on as the decision says. An engine that does not answer holds the ticket; it never allows."""
    call = EvaluateCall(ticket=ticket.start.ticket, purpose="submit")
    evaluation = await ask_policy(ticket, call, "Evaluate policy at submit")
    patch = take_in(ticket, evaluation)
    if evaluation.decision.deny:
        ticket.move(Phase.REJECTED, denied(evaluation.decision), **patch)
    elif evaluation.decision.approvals.count:
        ticket.move(Phase.AWAITING_APPROVAL, **patch)
    else:
        ticket.move(Phase.SCHEDULED, **patch)


async def ask_policy(ticket: TicketState, call: EvaluateCall, summary: str) -> Evaluation:
    """Return the policy's evaluation, however long the engine is away, up to the ticket's bound.

    The activity records the decision with its input, whole.
    """
    bound = timedelta(seconds=ticket.obligations.schedule_bound)
    return await ticket.clerk.insist(EVALUATE, call, summary=summary, bound=bound, idle=idling(ticket))


def take_in(ticket: TicketState, evaluation: Evaluation) -> dict[str, Any]:
    """Keep an evaluation as the one that counts from now on; return what it changes in the ticket's view."""
    ticket.evaluation = evaluation
    ticket.steps, ticket.checks = steps_of(evaluation.plan), evaluation.checks
    return {
        "risk": evaluation.decision.risk.model_dump(),
        "digest": evaluation.digest,
        "plan_diff": evaluation.plan_diff.model_dump(mode="json") if evaluation.plan_diff else None,
        "steps": [step.model_dump(mode="json") for step in ticket.steps],
        "checks": [check.model_dump(mode="json") for check in ticket.checks],
        "warnings": warnings_of(evaluation),
        **_of_targets(evaluation),
    }


def _of_targets(evaluation: Evaluation) -> dict[str, Any]:
    """Return the planned steps of each of many targets, as part of the patch."""
    if not evaluation.plans:
        return {}
    planned = {
        target: {"steps": [step.model_dump(mode="json") for step in steps_of(plan)]}
        for target, plan in evaluation.plans.items()
    }
    return {"targets": planned}


def denied(decision: Decision) -> Reason:
    """Return why the policy does not let the change run."""
    return Reason(code="denied", message=" ".join(decision.deny))
