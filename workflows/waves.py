"""Executing and Verifying on many targets: wave by wave, with a bake between, and all of it or none of it.

Each target has a rollout of its own, which keeps its target until every one is verified. So when one fails,
what has succeeded can still be undone, and no other change comes in between.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow

from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Hold, HoldCode, Reason
from holdpoint.models.waves import WavePlan
from holdpoint.models.workflow_messages import Control
from workflows.execution import follow_rollout
from workflows.failures import Broken, Fallen, Overdue
from workflows.fleet import Member
from workflows.holds import PAUSED, WAVE
from workflows.limits import pause_after
from workflows.member import carry, say, stand_by, wake
from workflows.precheck import look, precheck_failed
from workflows.record_keeping import HOLDPOINT, wait
from workflows.refusals import requested
from workflows.state import TicketState
from workflows.together import let_go, undo_all
from workflows.views import pause_hold

LONGEST_LOOK = timedelta(days=1)
"""What happens wakes the ticket; a timer of so long only shows that it waits."""


async def follow(ticket: TicketState) -> None:
    """Move to the phase that the rollout ends in, or the rollouts of all targets."""
    plan = ticket.start.waves
    if plan is None:
        await follow_rollout(ticket)
        return
    clerk = ticket.clerk
    clerk.stirred, clerk.on_stir = (lambda: _told(ticket)), lambda: _pass_on(ticket)
    try:
        await _forward(ticket, plan)
    except (Fallen, Overdue, Broken) as error:
        clerk.on_stir = None
        await undo_all(ticket, error.reason)
        return
    clerk.on_stir = None
    await let_go(ticket)


async def _forward(ticket: TicketState, plan: WavePlan) -> None:
    """Return when every target is verified, and stands. Raises Fallen, Overdue, Broken: undo them all."""
    for number, wave in enumerate(plan.waves, 1):
        if number > 1:
            await _bake(ticket, plan.bake)
            await _check_again(ticket, wave)
        ticket.fleet.last_wave = number == len(plan.waves)
        for target in wave:
            _launch(ticket, Member(target, number))
        ticket.clerk.note("wave.started", {"wave": number, "of": len(plan.waves), "targets": wave})
        await _until(ticket, ticket.fleet.all_stand, f"Wave {number} of {len(plan.waves)} runs")


def _launch(ticket: TicketState, member: Member) -> None:
    ticket.fleet.members[member.target] = member
    member.task = asyncio.create_task(carry(ticket, member))


async def _bake(ticket: TicketState, bake: float) -> None:
    """Watch everything that was touched, before more is."""
    members = list(ticket.fleet.members.values())
    ticket.clerk.note("wave.baking", {"seconds": bake, "targets": [member.target for member in members]})
    await asyncio.gather(*(stand_by(member, bake) for member in members))
    await _until(ticket, ticket.fleet.all_stand, "Everything touched bakes before the next wave")


async def _check_again(ticket: TicketState, wave: list[str]) -> None:
    """Return when the prechecks let the wave begin: hours may have passed since the first look."""

    async def pause(span: timedelta, summary: str) -> None:
        until = workflow.now() + span
        await wait(lambda: workflow.now() >= until, span, summary)

    while True:
        began, summary = workflow.now(), "Run the prechecks of the next wave"
        report = await look(ticket, wave, pause=pause, idle=None, summary=summary)
        ticket.checked_at = began
        ticket.clerk.note("precheck.finished", report.model_dump(mode="json"))
        if report.passed:
            break
        await _fail(ticket, precheck_failed(report))
        await _until(ticket, lambda: True, "A wave failed; a person decides")
        ticket.fleet.resumed = False
    await _until(ticket, lambda: True, "Paused")


async def _until(ticket: TicketState, ready: Callable[[], bool], summary: str) -> None:
    """Wait until `ready`, and nothing holds the ticket. Raises Fallen and Overdue."""
    clerk, fleet = ticket.clerk, ticket.fleet
    while True:
        seen = fleet.stirs
        await _pass_on(ticket)
        await _consider(ticket)
        if ready() and not (PAUSED in clerk.holds or WAVE in clerk.holds):
            return
        if (overdue := clerk.holds.overdue(workflow.now())) is not None:
            raise Overdue(overdue)
        ends = [workflow.now() + LONGEST_LOOK, clerk.holds.next_end() or workflow.now() + LONGEST_LOOK]
        if not await clerk.flush():
            ends.append(workflow.now() + pause_after(clerk.behind))
        await wait(
            lambda: fleet.stirs > seen or _told(ticket) or clerk.fresh,  # noqa: B023  # awaited here
            min(ends) - workflow.now(),
            summary,
        )


async def _consider(ticket: TicketState) -> None:
    """See what the rollouts have come to. Raises Fallen when all of it is to be undone."""
    fleet = ticket.fleet
    if fleet.stop is not None:
        raise Fallen(fleet.stop)
    for member in fleet.members.values():
        if member.task is not None and member.task.done():
            member.task.result()  # a mistake of ours must fail this task, not be forgotten
    verifying = all(member.phase is Phase.VERIFYING for member in fleet.members.values())
    if fleet.last_wave and verifying and ticket.phase is Phase.EXECUTING:
        ticket.move(Phase.VERIFYING)
    fallen = fleet.fallen()
    if not fallen:
        fleet.resumed = False
    elif not fleet.resumed or fleet.half_undone():
        first = fallen[0]
        message = f"{first.cluster} (wave {first.wave}) failed: {first.why.message}"
        await _fail(ticket, Reason(code="wave_failed", message=message))
    elif all(member.result is not None for member in fallen):
        fleet.resumed = False
        fleet.past += [result for _, result in fleet.results()]
        for member in fallen:
            ticket.clerk.note("target.begun_again", {"target": member.target})
            _launch(ticket, Member(member.target, member.wave))


async def _fail(ticket: TicketState, reason: Reason) -> None:
    """Hold what is on its way and let a person decide, if the plan says so; else raise Fallen."""
    plan, clerk, fleet = ticket.start.waves, ticket.clerk, ticket.fleet
    if plan is None or plan.on_failure == "rollback" or fleet.half_undone():
        raise Fallen(reason)
    if WAVE in clerk.holds:
        return
    hold = Hold(
        code=HoldCode.WAVE_FAILED,
        message=f"{reason.message} No further target begins. Resume tries it again; "
        f"holdpoint rollback {clerk.ticket} undoes every target that was touched.",
        by=HOLDPOINT,
        since=workflow.now(),
        lift=f"holdpoint resume {clerk.ticket}",
    )
    clerk.place(WAVE, hold, ends=workflow.now() + timedelta(seconds=ticket.obligations.hold_bound))
    await _tell_moving(ticket, Control(verb="pause", by=HOLDPOINT, reason=reason.message))


def _told(ticket: TicketState) -> bool:
    return bool(ticket.hand_off.to_tell) or ticket.hand_off.to_wake is not None


async def _pass_on(ticket: TicketState) -> None:
    """Do what people say, and have those rollouts do it that are on their way."""
    clerk, to_tell = ticket.clerk, ticket.hand_off.to_tell
    if (cause := ticket.hand_off.to_wake) is not None:
        ticket.hand_off.to_wake = None
        await asyncio.gather(*(wake(member, cause) for member in ticket.fleet.members.values()))
    while to_tell:
        control = to_tell.pop(0)
        clerk.note(f"{control.verb}.requested", {"reason": control.reason}, by=control.by)
        if control.verb in ("abort", "rollback"):
            ticket.fleet.stop = ticket.fleet.stop or requested(control)
        elif control.verb == "pause":
            ends = workflow.now() + timedelta(seconds=ticket.obligations.pause_bound)
            clerk.place(PAUSED, pause_hold(control, clerk.ticket, ends), ends=ends)
        elif control.verb == "resume":
            ticket.fleet.resumed = WAVE in clerk.holds
            clerk.lift(PAUSED, by=control.by)
            clerk.lift(WAVE, by=control.by)
        await _tell_moving(ticket, control)


async def _tell_moving(ticket: TicketState, control: Control) -> None:
    await asyncio.gather(*(say(member, control) for member in ticket.fleet.moving()))
