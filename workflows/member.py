"""Carry the rollout of one of many targets from its start to its end, whoever terminates it."""

from contextlib import suppress
from datetime import timedelta

from temporalio.exceptions import ChildWorkflowError, FailureError, WorkflowAlreadyStartedError

from holdpoint.models.activity_calls import Abandoned, InspectCall
from holdpoint.models.contracts import INSPECT, SIGNAL_CONTROL, SIGNAL_STAND_BY, SIGNAL_WAKE
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason
from holdpoint.models.workflow_messages import Control, RolloutResult, RolloutStart, StandBy, Wake
from workflows.execution import forward, start_rollout, start_when_free
from workflows.failures import Broken, Overdue
from workflows.fleet import Member
from workflows.limits import CLOSE_BOUND, LONGEST_START_PAUSE, LOST_ROLLOUTS, START_TRIES
from workflows.record_keeping import wait
from workflows.state import TicketState

STOPPED = Reason(code="aborted", message="It was stopped before it began.")
LOST = Reason(
    code="rollout_lost", message="The rollout was lost: somebody terminated it in Temporal, or it broke."
)


async def carry(ticket: TicketState, member: Member) -> None:
    """Start the rollout, and return when it has ended; the fleet has its result then."""
    try:
        result = await _start(ticket, member) or await _result(ticket, member)
    except (Broken, Overdue) as error:
        result = RolloutResult(phase=Phase.ROLLBACK_FAILED, reason=error.reason)
    ticket.fleet.ended(member, result)


async def say(member: Member, control: Control) -> None:
    """Have the rollout take in a word; one that has not started takes it in as soon as it has."""
    if member.result is not None:
        return
    if member.child is None:
        member.stopped = member.stopped or control.verb in ("abort", "rollback")
        member.unsaid.append(control)
        return
    with suppress(FailureError):  # it is over, or lost: its end tells
        await member.child.signal(SIGNAL_CONTROL, control)


async def wake(member: Member, cause: Wake) -> None:
    """Have the rollout look; what it finds is in the ledger."""
    if member.child is not None and member.result is None:
        with suppress(FailureError):
            await member.child.signal(SIGNAL_WAKE, cause)


async def stand_by(member: Member, bake: float | None) -> None:
    """Have a verified rollout watch for so many seconds; none: let it go."""
    member.stands = False
    if member.child is not None and member.result is None:
        with suppress(FailureError):
            await member.child.signal(SIGNAL_STAND_BY, StandBy(bake=bake))


async def _start(ticket: TicketState, member: Member) -> RolloutResult | None:
    """Start the rollout; return how it ended if it could not be started."""
    pause = timedelta(seconds=1)
    for _ in range(START_TRIES):
        if member.stopped:
            return RolloutResult(phase=Phase.ABORTED, reason=STOPPED)
        try:
            member.child = await start_rollout(_forward(ticket, member))
        except WorkflowAlreadyStartedError:
            await wait(
                lambda: member.stopped, pause, f"{member.cluster}: the earlier rollout is still ending"
            )
            pause = min(pause * 2, LONGEST_START_PAUSE)
            continue
        while member.unsaid:
            await say(member, member.unsaid.pop(0))
        return None
    message = f"The earlier rollout on {member.target} did not end."
    return RolloutResult(phase=Phase.FAILED, reason=Reason(code="target_busy", message=message))


def _forward(ticket: TicketState, member: Member) -> RolloutStart:
    plans = ticket.evaluation.plans if ticket.evaluation else {}
    own = {"target": member.target, "plan": plans.get(member.target, []), "wave": member.wave, "record": None}
    return forward(ticket).model_copy(update=own)


async def _result(ticket: TicketState, member: Member) -> RolloutResult:
    """Return the rollout's result; one that is lost is replaced by one that undoes."""
    for _ in range(LOST_ROLLOUTS):
        if member.child is None:
            break
        try:
            result: RolloutResult = await member.child
        except ChildWorkflowError:
            left = await _look(ticket, member)
        else:
            return result
        if not left.rollouts:
            return RolloutResult(phase=left.phase, reason=left.reason)
        undo = {"mode": "undo", "reason": LOST, "record": None}
        member.child = await start_when_free(left.rollouts[0].model_copy(update=undo))
    message = f"The rollout on {member.target} was lost again and again; nobody knows what is left there."
    return RolloutResult(phase=Phase.ROLLBACK_FAILED, reason=Reason(code="rollout_lost", message=message))


async def _look(ticket: TicketState, member: Member) -> Abandoned:
    """Return what a lost rollout has left on its target; the other targets go on."""
    clerk, run = ticket.clerk, member.child.first_execution_run_id if member.child else None
    member.phase, member.reason, member.stands = Phase.ROLLING_BACK, LOST, False
    ticket.fleet.stirs += 1
    clerk.note("rollout.lost", {"target": member.target, "run": run})
    return await clerk.insist(
        INSPECT,
        InspectCall(ticket=clerk.ticket, target=member.target),
        summary=f"Look what the lost rollout on {member.cluster} has left",
        bound=CLOSE_BOUND,
        stoppable=False,
    )
