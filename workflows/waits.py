"""How a ticket waits: on a durable timer, woken by a counter; what is noted meanwhile is recorded at once."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from temporalio import workflow

from workflows import memory, record_keeping
from workflows.failures import Overdue, Stopped
from workflows.limits import look_again, pause_after
from workflows.state import TicketState


async def wait(ticket: TicketState, ready: Callable[[], bool], *, until: datetime, summary: str) -> None:
    """Wait until `ready` or `until`. Raises Stopped, and Overdue when a hold reaches its bound.

    A long wait goes on in a new run when Temporal suggests it; everything that counts is carried over.
    """
    clerk = ticket.clerk
    while _must_continue() or (not ready() and workflow.now() < until):
        recorded = await clerk.flush()
        _check(ticket)
        if _must_continue():
            workflow.continue_as_new(ticket.start.model_copy(update={"resumed": memory.of(ticket)}))
        ends = [until, clerk.holds.next_end() or until]
        if not recorded:
            ends.append(workflow.now() + pause_after(clerk.behind))
        await record_keeping.wait(
            lambda: ready() or ticket.stopping() or clerk.fresh, min(ends) - workflow.now(), summary
        )
    _check(ticket)


def _must_continue() -> bool:
    """Tell whether the history is long. Asked before `ready`: a storm of wake-ups must not hide it."""
    return workflow.info().is_continue_as_new_suggested()


def idling(ticket: TicketState) -> Callable[[timedelta], Awaitable[None]]:
    """Return how the ticket passes the time between two rounds against something that does not answer."""

    async def idle(pause: timedelta) -> None:
        seen = ticket.clerk.wakes
        until = workflow.now() + pause
        await wait(
            ticket, lambda: ticket.clerk.wakes > seen, until=until, summary="Ask again what did not answer"
        )

    return idle


def next_look() -> datetime:
    """Return when to look again at the latest, if no wake-up comes."""
    return workflow.now() + look_again()


def _check(ticket: TicketState) -> None:
    if ticket.stopping():
        raise Stopped
    overdue = ticket.clerk.holds.overdue(workflow.now())
    if overdue is not None:
        raise Overdue(overdue)
