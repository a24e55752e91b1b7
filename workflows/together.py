"""The end of a ticket with many targets: all of them are let go, or all that were touched are undone."""

import asyncio
from collections.abc import Callable

from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason, RollbackResult, RollbackView
from holdpoint.models.workflow_messages import Control, RolloutResult
from workflows.fleet import Member
from workflows.limits import UNDO_BOUND, pause_after
from workflows.member import say, stand_by
from workflows.record_keeping import HOLDPOINT, wait
from workflows.state import TicketState

SUCCEEDED = Reason(
    code="succeeded", message="Every step was promoted on every target, and everything was verified at 100 %."
)
TOUCHED = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED})
UNTOUCHED = (Phase.ABORTED, Phase.ERRORED, Phase.FAILED)
WORST = (RollbackResult.DIVERGED, RollbackResult.PARTIAL, RollbackResult.RESTORED)


async def let_go(ticket: TicketState) -> None:
    """Give every target back: the change has succeeded on all of them."""
    members = list(ticket.fleet.members.values())
    if ticket.phase is Phase.EXECUTING:
        ticket.move(Phase.VERIFYING)
    await asyncio.gather(*(stand_by(member, None) for member in members))
    await _wait(ticket, lambda: all(member.result for member in members), "Every target is given back")
    _too_late(ticket)
    failed = [(member, result) for member, result in _ended(ticket) if result.phase is not Phase.SUCCEEDED]
    if not failed:
        ticket.arrive(Phase.SUCCEEDED, SUCCEEDED)
        return
    # The others have succeeded by now, and may be somebody else's: this cannot be undone as one any more.
    member, result = failed[0]
    _close(ticket, Phase.ROLLBACK_FAILED, Reason(code=result.reason.code, message=_at(member, result)))


async def undo_all(ticket: TicketState, reason: Reason) -> None:
    """Undo every target that was touched, the last wave first, and end as that comes out."""
    fleet, clerk = ticket.fleet, ticket.clerk
    clerk.lift_all()
    word = Control(verb="rollback", by=HOLDPOINT, reason=reason.message, code=reason.code)
    for group in fleet.to_undo():
        await asyncio.gather(*(say(member, word) for member in group))
        await _undone(ticket, group, reason)
    await _undone(ticket, list(fleet.members.values()), reason)  # those that have undone themselves
    results = [result for _, result in fleet.results()] + fleet.past
    phases = {result.phase for result in results}
    if Phase.ROLLBACK_FAILED in phases or Phase.SUCCEEDED in phases:
        _close(ticket, Phase.ROLLBACK_FAILED, _failed(ticket, reason))
    elif Phase.ROLLED_BACK in phases:
        _close(ticket, Phase.ROLLED_BACK, reason)
    else:
        _close(ticket, _untouched(ticket, phases), reason)


async def _undone(ticket: TicketState, group: list[Member], reason: Reason) -> None:
    """Wait until all of them have ended; from the first one that undoes something it is a rollback."""

    def seen() -> bool:
        touched = any(member.phase in TOUCHED for member in ticket.fleet.members.values())
        if touched and ticket.phase in (Phase.EXECUTING, Phase.VERIFYING):
            ticket.move(Phase.ROLLING_BACK, reason)
        _too_late(ticket)
        return all(member.result is not None for member in group)

    await _wait(ticket, seen, "Undo every target that was touched")


async def _wait(ticket: TicketState, ready: Callable[[], bool], summary: str) -> None:
    fleet, clerk = ticket.fleet, ticket.clerk
    while not ready():
        seen = fleet.stirs
        longest = UNDO_BOUND if await clerk.flush() else pause_after(clerk.behind)
        if fleet.stirs == seen:
            await wait(lambda: fleet.stirs > seen or clerk.fresh, longest, summary)  # noqa: B023  # awaited


def _too_late(ticket: TicketState) -> None:
    for control in ticket.hand_off.withdraw():
        ticket.clerk.note(f"{control.verb}.came_too_late", {"reason": control.reason}, by=control.by)


def _untouched(ticket: TicketState, phases: set[Phase]) -> Phase:
    """Return how a ticket ends that has written nothing."""
    if ticket.fleet.stop is not None or not phases:
        return Phase.ABORTED
    return next(phase for phase in reversed(UNTOUCHED) if phase in phases)


def _close(ticket: TicketState, phase: Phase, reason: Reason) -> None:
    ticket.in_lane = True  # what was granted and not begun is given back
    ticket.hand_off.rollback = view = _rollback(ticket)
    ticket.clerk.note("rollback.ended", view.model_dump(mode="json"), rollback=view.model_dump(mode="json"))
    ticket.arrive(phase, reason)


def _rollback(ticket: TicketState) -> RollbackView:
    """Return what the comparisons came to together: the worst, with every difference and its cluster."""
    ended = [(member, result.rollback) for member, result in _ended(ticket)]
    found = {view.result for _, view in ended}
    return RollbackView(
        result=next((result for result in WORST if result in found), None),
        differences=[f"{member.cluster}: {text}" for member, view in ended for text in view.differences],
        stays=[f"{member.cluster}: {text}" for member, view in ended for text in view.stays],
        attempts=max((view.attempts for _, view in ended), default=0),
    )


def _failed(ticket: TicketState, reason: Reason) -> Reason:
    bad = [
        _at(member, result)
        for member, result in _ended(ticket)
        if result.phase in (Phase.ROLLBACK_FAILED, Phase.SUCCEEDED)
    ]
    message = f"A person is needed: {' '.join(bad)} It was rolled back because: {reason.message}"
    return Reason(code="rollback_failed", message=message)


def _at(member: Member, result: RolloutResult) -> str:
    return f"{member.cluster} ended {result.phase}: {result.reason.message}"


def _ended(ticket: TicketState) -> list[tuple[Member, RolloutResult]]:
    return ticket.fleet.results()
