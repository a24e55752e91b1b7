"""Executing, Verifying and RollingBack: the ticket starts its rollout and never lets it be lost.

The rollout records its own story; the ticket only follows its phase. A rollout that somebody has
terminated is replaced by one that undoes what is left.
"""

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from holdpoint.models.activity_calls import Abandoned, InspectCall
from holdpoint.models.contracts import INSPECT, ROLLOUT, SIGNAL_CONTROL, SIGNAL_WAKE, rollout_workflow
from holdpoint.models.phases import Phase
from holdpoint.models.record import freeze_type
from holdpoint.models.ticket import Hold, HoldCode, Reason
from holdpoint.models.workflow_messages import Prechecked, RolloutResult, RolloutStart
from workflows.failures import Broken, Overdue, Stopped
from workflows.hand_off import Child, HandOff
from workflows.holds import PAUSED
from workflows.limits import (
    CLOSE_BOUND,
    LONGEST_PAUSE,
    LONGEST_START_PAUSE,
    LOST_ROLLOUTS,
    START_TRIES,
)
from workflows.record_keeping import HOLDPOINT, wait
from workflows.state import TicketState

ENDING = "rollout"
"""Key of the hold while the target's earlier rollout has not ended."""


async def launch(ticket: TicketState) -> bool:
    """Start the rollout and enter Executing; False if paused, or if the target is not free.

    With many targets the rollouts begin in Executing, wave by wave (`waves.py`).
    """
    clerk, hand_off = ticket.clerk, ticket.hand_off
    if ticket.start.waves is not None:
        if ticket.stopping():
            raise Stopped
        hand_off.launched = True
        ticket.move(Phase.EXECUTING)
        return True
    pause = timedelta(seconds=1)
    for _ in range(START_TRIES):
        if ticket.stopping():
            raise Stopped
        hand_off.launched = True
        try:
            hand_off.child = await start_rollout(forward(ticket))
        except WorkflowAlreadyStartedError:
            _take_back(ticket)
        else:
            clerk.lift(ENDING)
            ticket.follow(Phase.EXECUTING)
            return True
        clerk.place(ENDING, _still_ending(ticket), ends=workflow.now() + LONGEST_START_PAUSE * START_TRIES)
        seen = clerk.wakes
        await clerk.flush()
        await wait(
            lambda: clerk.wakes > seen or ticket.stopping() or PAUSED in clerk.holds,  # noqa: B023  # awaited here
            pause,
            "The target's earlier rollout is still ending",
        )
        if PAUSED in clerk.holds:
            break
        pause = min(pause * 2, LONGEST_START_PAUSE)
    clerk.lift(ENDING)
    return False


def forward(ticket: TicketState) -> RolloutStart:
    """Return what the rollout is to do; what waits to be recorded travels with it."""
    start, asked = ticket.start, ticket.obligations
    return RolloutStart(
        ticket=start.ticket,
        target=start.target,
        service=start.service,
        environment=start.environment,
        type=freeze_type(start.type, rolls_back=start.rolls_back is not None),
        plan=ticket.evaluation.plan if ticket.evaluation else [],
        verify=start.verify,
        analysis=start.analysis,
        rehearsal=start.rehearsal,
        hold_bound=asked.hold_bound,
        pause_bound=asked.pause_bound,
        prechecked=_prechecked(ticket),
        postchecks=ticket.evaluation.postchecks if ticket.evaluation else [],
        checks=ticket.checks,
        record=ticket.clerk.record(),
    )


def _prechecked(ticket: TicketState) -> Prechecked | None:
    if ticket.checked_at is None:
        return None
    return Prechecked(
        at=ticket.checked_at,
        again_after=ticket.obligations.recheck_after,
        demanded=ticket.obligations.checks,
        checks=ticket.evaluation.prechecks if ticket.evaluation else [],
    )


async def follow_rollout(ticket: TicketState) -> None:
    """Move to the phase that the rollout ends in."""
    try:
        await _follow(ticket)
    except (Broken, Overdue) as error:
        ticket.arrive(Phase.ROLLBACK_FAILED, error.reason)


async def _follow(ticket: TicketState) -> None:
    hand_off = ticket.hand_off
    for _ in range(LOST_ROLLOUTS):
        if hand_off.child is None:
            break
        result = await _result(ticket, hand_off.child)
        if result is not None:
            ticket.in_lane = result.phase in (Phase.ABORTED, Phase.FAILED, Phase.ERRORED)
            hand_off.rollback = result.rollback
            ticket.arrive(result.phase, result.reason)
            return
        await _replace(ticket, hand_off.child)
        if ticket.phase.terminal:
            return
    message = "The rollout was lost again and again; nobody knows what is left on the target."
    ticket.arrive(Phase.ROLLBACK_FAILED, Reason(code="rollout_lost", message=message))


async def _result(ticket: TicketState, child: Child) -> RolloutResult | None:
    """Return the rollout's result, passing on what it is to be told; None if it was lost."""
    hand_off = ticket.hand_off
    while not child.done():
        await workflow.wait_condition(
            lambda: child.done() or bool(hand_off.to_tell) or hand_off.to_wake is not None
        )
        if hand_off.to_wake is not None and not child.done():
            await _wake(hand_off, child)
        while hand_off.to_tell and not child.done():
            control = hand_off.to_tell.pop(0)
            try:
                await child.signal(SIGNAL_CONTROL, control)
            except FailureError:
                hand_off.to_tell.insert(0, control)
                await workflow.wait_condition(child.done)
    for control in hand_off.withdraw():
        ticket.clerk.note(f"{control.verb}.came_too_late", {"reason": control.reason}, by=control.by)
    try:
        return child.result()
    except ChildWorkflowError:
        return None


async def _wake(hand_off: HandOff, child: Child) -> None:
    """Have the rollout look; what it finds is in the ledger, so nothing is lost where it cannot be woken."""
    wake, hand_off.to_wake = hand_off.to_wake, None
    with suppress(FailureError):
        await child.signal(SIGNAL_WAKE, wake)


async def _replace(ticket: TicketState, lost: Child) -> None:
    """Have what a lost rollout left undone; if it left nothing, end the ticket as the ledger says."""
    clerk = ticket.clerk
    clerk.note("rollout.lost", {"run": lost.first_execution_run_id})
    abandoned: Abandoned = await clerk.insist(
        INSPECT,
        InspectCall(ticket=clerk.ticket),
        summary="Look what the lost rollout has left",
        bound=CLOSE_BOUND,
        stoppable=False,
    )
    if not abandoned.rollouts:
        ticket.arrive(abandoned.phase, abandoned.reason)
        return
    message = "The rollout was lost: somebody terminated it in Temporal, or it broke."
    undo = {"mode": "undo", "reason": Reason(code="rollout_lost", message=message), "record": clerk.record()}
    ticket.hand_off.child = await start_when_free(abandoned.rollouts[0].model_copy(update=undo))


async def start_when_free(start: RolloutStart) -> Child:
    """Start a rollout that undoes, however long its ID is still in use: nobody else would do it."""
    pause = timedelta(seconds=1)
    while True:
        try:
            return await start_rollout(start)
        except WorkflowAlreadyStartedError:
            await wait(lambda: False, pause, "The target's earlier rollout is still ending")
            pause = min(pause * 2, LONGEST_PAUSE)


async def start_rollout(start: RolloutStart) -> Child:
    """Start the child. If its parent is closed it is asked to cancel, and undoes what it did."""
    does = "Undo" if start.mode == "undo" else "Roll out"
    return await workflow.start_child_workflow(
        ROLLOUT.name,
        start,
        id=rollout_workflow(start.target),
        result_type=ROLLOUT.result,
        parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
        static_summary=f"{does} {start.ticket} on {start.target}"[:200],
    )


def _take_back(ticket: TicketState) -> None:
    ticket.hand_off.launched = False
    for control in ticket.hand_off.withdraw():
        ticket.take(control)


def _still_ending(ticket: TicketState) -> Hold:
    return Hold(
        code=HoldCode.LANE,
        message=f"The earlier rollout on {ticket.start.target} has not ended yet.",
        by=HOLDPOINT,
        since=workflow.now(),
        lift="the end of that rollout",
    )
