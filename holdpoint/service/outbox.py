"""Deliver what the ledger has ordered: starts, wake-ups, updates. At least once, in any process.

A row is written with the entry that causes it (design decision 8), so nothing is lost when Temporal or this
process is down; a lease keeps two processes from sending the same row at once, and every delivery is safe to
repeat.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from opentelemetry import context, propagate

from holdpoint.clients.temporal import Temporal
from holdpoint.ledger import outbox, tickets
from holdpoint.ledger.outbox import OutboxRow
from holdpoint.ledger.store import Ledger
from holdpoint.models.contracts import SIGNAL_WAKE, UPDATES, rollout_workflow, ticket_workflow
from holdpoint.models.errors import Conflict, HoldpointError, NotFound, PermanentError, TransientError
from holdpoint.models.workflow_messages import CloseStart, TicketStart, Wake

log = structlog.get_logger()

LEASE = 30.0
"""Seconds: longer than the slowest delivery (connect, then one update)."""
BATCH = 50
LOOK_EVERY = 1.0
"""Seconds between two looks for rows of other processes and for rows whose retry is due."""
FIRST_DELAY, LONGEST_DELAY = 0.25, 5.0
"""Seconds until a failed row is tried again; the delay doubles. It stays short: a ticket waits for its
start."""
AFTER_BREAKING = 60.0
"""Seconds until a row that broke this code is tried again: by a newer release, most likely."""


@contextmanager
def _traced(row: OutboxRow) -> Iterator[None]:
    """Have what the body does belong to the trace in which the row was ordered."""
    token = context.attach(propagate.extract(row.trace)) if row.trace else None
    try:
        yield
    finally:
        if token is not None:
            context.detach(token)


_UPDATES = {update.name: update for update in UPDATES}


class Delivery:
    """Takes rows from the outbox and brings them to Temporal, in order for each ticket."""

    def __init__(self, *, ledger: Ledger, temporal: Temporal) -> None:
        self._ledger, self._temporal = ledger, temporal
        self._nudged = asyncio.Event()
        self._kinds: dict[str, Callable[[OutboxRow], Awaitable[None]]] = {
            "start": self._start,
            "wake": self._wake,
            "update": self._update,
            "notify": self._notify,
            "close": self._close,
        }

    def nudge(self) -> None:
        """Have the loop look at once: a row has just been written."""
        self._nudged.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._nudged.clear()
            if await self.deliver_due() == BATCH:
                continue
            # Not wait_for: on Python 3.11 it can lose a cancellation that comes with the nudge.
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._nudged.wait()

    async def deliver_due(self) -> int:
        """Deliver what is due now; return how many rows were taken."""
        rows = await self._ledger.write(outbox.take, limit=BATCH, lease=LEASE)
        by_ticket: dict[str, list[OutboxRow]] = defaultdict(list)
        for row in rows:
            by_ticket[row.ticket].append(row)
        await asyncio.gather(*(self._deliver_in_order(group) for group in by_ticket.values()))
        return len(rows)

    async def _deliver_in_order(self, rows: list[OutboxRow]) -> None:
        for row in sorted(rows, key=lambda row: row.id):
            await self._deliver(row)

    async def _deliver(self, row: OutboxRow) -> None:
        try:
            with _traced(row):
                await self._kinds[row.kind](row)
        except PermanentError as error:
            # A refusal is the answer: the ticket does not want this any more.
            log.info("outbox.refused", ticket=row.ticket, kind=row.kind, reason=error.message)
        except HoldpointError as error:
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(row.attempts, 10))
            return await self._again(row, error.message, delay)
        except Exception as error:
            log.exception("outbox.broke", ticket=row.ticket, kind=row.kind)
            return await self._again(row, repr(error), AFTER_BREAKING)
        await self._ledger.write(outbox.delivered, row.id)

    async def _again(self, row: OutboxRow, reason: str, delay: float) -> None:
        log.warning("outbox.postponed", ticket=row.ticket, kind=row.kind, reason=reason, delay=delay)
        await self._ledger.write(outbox.failed, row.id, reason[:500], delay)

    async def _start(self, row: OutboxRow) -> None:
        view = await self._ledger.read(tickets.get_ticket, row.ticket)
        if not view.phase.terminal:
            await self._temporal.start_ticket(TicketStart.model_validate(row.body))

    async def _wake(self, row: OutboxRow) -> None:
        view = await self._ledger.read(tickets.get_ticket, row.ticket)
        wake = Wake(cause=str(row.body.get("cause", "ledger")))
        for workflow in (ticket_workflow(view.id), *map(rollout_workflow, view.every_target)):
            try:
                await self._temporal.signal(workflow, SIGNAL_WAKE, wake)
            except NotFound:
                # Not started yet, or over: whoever starts looks at the ledger first.
                continue

    async def _update(self, row: OutboxRow) -> None:
        # The key of a row is unique over all tickets, that of an update within its own.
        await self.send_update(row.ticket, row.body, key=row.key.removeprefix(f"{row.ticket}/"))

    async def _notify(self, row: OutboxRow) -> None:
        """Write the notification where the operator's log collection finds it."""
        log.info("notification.sent", ticket=row.ticket, body=row.body)

    async def _close(self, row: OutboxRow) -> None:
        """Start the closing; one that runs already was ordered for something else, and ends first."""
        try:
            await self._temporal.start_closing(CloseStart.model_validate(row.body))
        except Conflict as error:
            raise TransientError(error.message) from error

    async def send_update(self, ticket: str, body: dict[str, Any], *, key: str) -> Any:
        """Send the update that `body` names, under `key` as its ID. Raises Conflict and TransientError."""
        update = _UPDATES[str(body["update"])]
        argument = update.argument.model_validate(body["argument"])
        try:
            return await self._temporal.update(ticket_workflow(ticket), update, argument, id=key)
        except NotFound as error:
            view = await self._ledger.read(tickets.get_ticket, ticket)
            if view.phase.terminal:
                raise
            raise TransientError(f"The workflow of {ticket} does not run yet.") from error
