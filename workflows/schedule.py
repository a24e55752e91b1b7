"""Scheduled: window, freezes and lane; then the policy is asked again, and approvals are counted anew."""

from datetime import datetime, timedelta

from temporalio import workflow

from holdpoint.models.activity_calls import EvaluateCall, Evaluation, LeaveCall, ScheduleCall
from holdpoint.models.contracts import EMERGENCY, EVALUATE, FRONT, LEAVE, NORMAL, SCHEDULE, STANDARD
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Hold, HoldCode, Reason
from holdpoint.models.workflow_messages import TicketStart
from workflows.approval import void_approvals
from workflows.evaluation import ask_policy, denied, take_in
from workflows.holds import PAUSED, key_of
from workflows.holds import SCHEDULE as WAITED
from workflows.limits import CLOSE_BOUND, SHORTEST_LOOK
from workflows.record_keeping import HOLDPOINT
from workflows.state import TicketState
from workflows.waits import idling, next_look, wait

PRIORITIES = {"emergency": EMERGENCY, "normal": NORMAL, "standard": STANDARD}


async def await_release(ticket: TicketState) -> None:
    """Wait for the target, then release the ticket, or ask approvals anew.

    A paused ticket holds no target.
    """
    ended = await _await_target(ticket)
    if ended is not None:
        ticket.move(Phase.ABORTED, ended)
        return
    before, now = ticket.evaluation, await _evaluate_again(ticket)
    if now.decision.deny:
        ticket.move(Phase.REJECTED, denied(now.decision), **take_in(ticket, now))
    elif before is not None and _approvals_are_void(ticket, before, now):
        void_approvals(ticket, before, now)
        await leave(ticket)
        ticket.scheduled_since = None
        ticket.move(Phase.AWAITING_APPROVAL, **take_in(ticket, now))
    elif _soaks_otherwise(before, now):
        take_in(ticket, now)  # what is waited for has changed, so the target is asked for again
    elif PAUSED not in ticket.clerk.holds:
        ticket.move(Phase.PRECHECKING, **take_in(ticket, now))


async def _await_target(ticket: TicketState) -> Reason | None:
    """Return when the target is granted, or why it never will be. Raises Overdue at the policy's bound."""
    clerk = ticket.clerk
    ticket.scheduled_since = ticket.scheduled_since or workflow.now()
    bound = ticket.scheduled_since + timedelta(seconds=ticket.obligations.schedule_bound)
    while True:
        await _while_paused(ticket)
        seen = clerk.wakes
        call = ScheduleCall(
            ticket=clerk.ticket,
            target=ticket.start.target,
            priority=_priority(ticket.start),
            window=ticket.obligations.window,
            supersede=ticket.obligations.supersede,
            soak=ticket.obligations.soak,
            targets=every_target(ticket),
        )
        ticket.in_lane = True
        left = bound - workflow.now()
        answer = await clerk.insist(
            SCHEDULE, call, summary="Ask for the target's lane", bound=left, idle=idling(ticket)
        )
        if answer.granted or answer.ended is not None:
            _show(ticket, [], bound)
            return answer.ended
        _show(ticket, answer.holds or [_in_lane(ticket)], bound)
        until = min(bound, next_look(), max(answer.look_again or bound, workflow.now() + SHORTEST_LOOK))
        held = ", ".join(hold.code.value for hold in clerk.holds.shown())
        await wait(
            ticket,
            lambda: clerk.wakes > seen or PAUSED in clerk.holds,  # noqa: B023  # awaited before `seen` changes
            until=until,
            summary=f"Wait for: {held}",
        )


def every_target(ticket: TicketState) -> list[str]:
    """Return the targets of a ticket that has many; none where it has one."""
    return ticket.start.waves.targets if ticket.start.waves else []


def _priority(start: TicketStart) -> int:
    return FRONT if start.rolls_back else PRIORITIES.get(start.type, STANDARD)


async def _while_paused(ticket: TicketState) -> None:
    """Wait as long as a person holds the ticket; it lets others pass meanwhile."""
    holds = ticket.clerk.holds
    if PAUSED not in holds:
        return
    _show(ticket, [], workflow.now())
    await leave(ticket)
    while PAUSED in holds:
        until = holds.next_end() or workflow.now()
        await wait(ticket, lambda: PAUSED not in holds, until=until, summary="Paused")


async def _evaluate_again(ticket: TicketState) -> Evaluation:
    bound = ticket.ballot.digest or (ticket.evaluation.digest if ticket.evaluation else None)
    shown = ticket.evaluation.plan_diff if ticket.evaluation else None
    call = EvaluateCall(
        ticket=ticket.start.ticket,
        purpose="release",
        digest=bound,
        plan_diff=shown.digest if shown else None,
    )
    return await ask_policy(ticket, call, f"{EVALUATE.name.capitalize()} policy again before release")


def _approvals_are_void(ticket: TicketState, before: Evaluation, now: Evaluation) -> bool:
    """Approvals are void when they do not suffice, or when they were given for something else."""
    bound = ticket.ballot.digest or before.digest
    return not now.quorum.met or (now.digest != bound and now.decision.approvals.count > 0)


def _soaks_otherwise(before: Evaluation | None, now: Evaluation) -> bool:
    """Tell whether the policy asks for a soak that was not waited for."""
    asked = now.decision.obligations.soak
    return asked is not None and (before is None or asked != before.decision.obligations.soak)


def _show(ticket: TicketState, holds: list[Hold], bound: datetime) -> None:
    """Show exactly these holds of the schedule."""
    named = {key_of(WAITED, hold): hold for hold in holds}
    for key in ticket.clerk.holds.named(WAITED):
        if key not in named:
            ticket.clerk.lift(key)
    for key, hold in named.items():
        ticket.clerk.place(key, hold, ends=bound)


def _in_lane(ticket: TicketState) -> Hold:
    return Hold(
        code=HoldCode.LANE,
        message=f"Waits for its turn on {', '.join(every_target(ticket)) or ticket.start.target}.",
        by=HOLDPOINT,
        since=workflow.now(),
        lift="the end of the change that is before it",
    )


async def leave(ticket: TicketState) -> None:
    """Leave the lane and give back the target, so that the next one may go."""
    if not ticket.in_lane:
        return
    start = ticket.start
    call = LeaveCall(ticket=start.ticket, target=start.target, targets=every_target(ticket))
    await ticket.clerk.insist(LEAVE, call, summary="Leave the lane", bound=CLOSE_BOUND, stoppable=False)
    ticket.in_lane = False
