"""AwaitingApproval: enough people say yes, one says no, or the ladder ends. Nothing stops its clocks."""

from temporalio import workflow

from holdpoint.models.activity_calls import Evaluation
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason
from workflows.failures import Broken
from workflows.state import TicketState
from workflows.waits import wait


async def gather_approvals(ticket: TicketState) -> None:
    """Move on when the ballot is decided.

    What was said counts before a clock that ran out in the same moment.
    """
    ballot = ticket.ballot
    if not ballot.asked:
        _ask(ticket)
    while ballot.rejected is None and not ballot.met:
        if workflow.now() >= ballot.next_moment:
            if _climb(ticket) == "expired":
                ticket.move(Phase.EXPIRED, _expired(ticket))
                return
        else:
            await wait(
                ticket,
                lambda: ballot.rejected is not None or ballot.met,
                until=ballot.next_moment,
                summary=f"Approvals: {ballot.counted} of {ballot.required}, then {ballot.next_rung}",
            )
    if (rejection := ballot.rejected) is not None:
        said = f": {rejection.reason}" if rejection.reason else ""
        ticket.move(Phase.REJECTED, Reason(code="rejected", message=f"Rejected by {rejection.by}{said}."))
    else:
        ticket.move(Phase.SCHEDULED)


def _ask(ticket: TicketState) -> None:
    evaluation = _evaluated(ticket)
    need, quorum = evaluation.decision.approvals, evaluation.quorum
    ticket.ballot.ask(need, evaluation.digest, before=quorum.counted, now=workflow.now())
    body = {"digest": evaluation.digest, "required": need.count, "groups": need.groups}
    _note(ticket, "approval.requested", {**body, "counted": quorum.counted})


def _climb(ticket: TicketState) -> str:
    rung = ticket.ballot.climb()
    _note(ticket, f"approval.{rung}", {"counted": ticket.ballot.counted, "required": ticket.ballot.required})
    return rung


def void_approvals(ticket: TicketState, before: Evaluation, now: Evaluation) -> None:
    """Void what was given for an earlier evaluation, and name what has changed since."""
    changed = changes(before, now)
    message = _why(changed, before, now)
    voided = ticket.ballot.void(message)
    body: dict[str, object] = {"changed": changed, "moved": now.moved, "message": message}
    body |= {"from": before.digest, "to": now.digest, "approvals": [approval.by for approval in voided]}
    _note(ticket, "approval.voided", body)


def _why(changed: list[str], before: Evaluation, now: Evaluation) -> str:
    """Return why approvals are void, for whoever is asked again."""
    if not changed:
        return now.quorum.message
    message = f"Changed since it was approved: {', '.join(changed)}."
    if now.moved:
        message += f" Moved on the cluster: {'; '.join(now.moved)}."
    elif "plan diff" in changed and _plan_diff(before) is None:
        message += " What it would alter on the cluster was unknown."
    return message


def _plan_diff(evaluation: Evaluation) -> str | None:
    return evaluation.plan_diff.digest if evaluation.plan_diff is not None else None


def changes(before: Evaluation, now: Evaluation) -> list[str]:
    """Name the parts of what approvals bind that differ."""
    if before.digest == now.digest:
        return []
    old, new = before.decision, now.decision
    parts = {
        "risk": old.risk.level != new.risk.level,
        "approvals": old.approvals != new.approvals,
        "obligations": old.obligations != new.obligations,
        "plan": before.plan != now.plan,
        "plan diff": _plan_diff(before) != _plan_diff(now),
    }
    # The digest also covers the artifact and Git's diff, which are not in an evaluation.
    return [name for name, differs in parts.items() if differs] or ["artifact or diff"]


def _note(ticket: TicketState, kind: str, body: dict[str, object]) -> None:
    ticket.clerk.note(kind, body, approvals=ticket.ballot.view().model_dump(mode="json"))


def _expired(ticket: TicketState) -> Reason:
    ballot = ticket.ballot
    message = f"{ballot.counted} of {ballot.required} approvals were given in time."
    return Reason(code="approval_expired", message=message)


def _evaluated(ticket: TicketState) -> Evaluation:
    if ticket.evaluation is None:
        raise Broken(Reason(code="error", message="Approvals are asked before the change was evaluated."))
    return ticket.evaluation
