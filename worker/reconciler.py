"""The reconciler: finds tickets and targets that nobody looks after any more, and has them closed.

Someone may terminate a ticket or a rollout in Temporal, or Temporal's store may be lost. Then the ledger
still knows which targets are dirty and which tickets are open (design decisions 7 and 12). `CloseAbandoned`
does the work; its workflow ID is the ticket's, so that several workers that find the same ticket start it
once.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from holdpoint.clients.temporal import Temporal
from holdpoint.ledger import targets, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.models.contracts import CloseStart, closing_workflow, rollout_workflow, ticket_workflow
from holdpoint.models.errors import Conflict, HoldpointError
from holdpoint.models.phases import Phase
from holdpoint.models.record import TargetRow
from holdpoint.models.ticket import Reason, TicketView
from worker.executions import Executions, Standing

log = structlog.get_logger()

ACTOR = "holdpoint-reconciler"
EVERY = 4.0
"""Seconds between two rounds. Two rounds and the undo itself fit well into the 30 s of decision 7."""
SEEN_FOR = 3.0
"""Seconds that something must have looked abandoned: between the end of one workflow and the next step of the
other a ticket may look so for a moment."""
STARTS_WITHIN = 20.0
"""Seconds after which an open ticket without a workflow has lost it: the outbox starts one in well under a
second, and what it could not start because Temporal was away is not found by us either."""
AT_MOST = 5000
"""Open tickets looked at in one round."""
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 300.0
"""Seconds before a closing is started again for the same ticket; the pause doubles up to the longest."""


class Reconciler:
    """Looks at every open ticket and every target that is held, again and again."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        temporal: Temporal,
        executions: Executions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._temporal, self._executions, self._clock = ledger, temporal, executions, clock
        self._seen: dict[str, float] = {}
        self._again: dict[str, tuple[float, float]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Make rounds until `stop` is set. A round that fails is logged; the next one looks again."""
        while not stop.is_set():
            try:
                await self.round()
            except HoldpointError as error:
                log.warning("reconciler.failed", code=error.code, error=error.message)
            try:
                await asyncio.wait_for(stop.wait(), timeout=EVERY)
            except TimeoutError:
                continue

    async def round(self) -> list[str]:
        """Look once; return the tickets whose closing was started."""
        held = await self._ledger.read(targets.held_targets)
        found = {**await self._dropped(held), **await self._orphans(held)}
        now = self._clock()
        self._seen = {ticket: self._seen.get(ticket, now) for ticket in found}
        ripe = [ticket for ticket, since in self._seen.items() if now - since >= SEEN_FOR]
        return [ticket for ticket in ripe if await self._close(ticket, found[ticket])]

    async def _orphans(self, held: list[TargetRow]) -> dict[str, Reason]:
        """Return the open tickets whose workflow is gone, and whose rollout is not still undoing itself."""
        open_tickets = await self._ledger.read(tickets.list_tickets, open_only=True, limit=AT_MOST)
        if not open_tickets:
            return {}
        running = await self._executions.running_tickets()
        rows = {row.holder_ticket: row for row in held if row.holder_ticket}
        found: dict[str, Reason] = {}
        for view in open_tickets:
            if ticket_workflow(view.id) in running or await self._rolls_out(rows.get(view.id)):
                continue
            standing = await self._executions.standing(ticket_workflow(view.id))
            if standing.running or (standing is Standing.NOT_FOUND and self._young(view)):
                continue
            found[view.id] = _lost_workflow(standing)
        return found

    async def _dropped(self, held: list[TargetRow]) -> dict[str, Reason]:
        """Return the tickets whose target is dirty while neither rollout nor ticket looks after it."""
        found: dict[str, Reason] = {}
        for row in held:
            if row.holder_ticket is None or await self._rolls_out(row):
                continue
            view = await self._ledger.read(tickets.get_ticket, row.holder_ticket)
            if view.phase is Phase.ROLLBACK_FAILED:
                continue  # a person was asked: `holdpoint rollback` tries again
            rollout = await self._executions.standing(rollout_workflow(row.target))
            if view.phase.terminal or (row.dirty and rollout.lost):
                found[view.id] = Reason(
                    code="rollout_lost",
                    message=f"The rollout on {row.target} is gone ({rollout.value}) and left it unfinished.",
                )
        return found

    async def _rolls_out(self, row: TargetRow | None) -> bool:
        if row is None:
            return False
        return (await self._executions.standing(rollout_workflow(row.target))).running

    def _young(self, view: TicketView) -> bool:
        return time.time() - view.created_at.timestamp() < STARTS_WITHIN

    async def _close(self, ticket: str, reason: Reason) -> bool:
        """Start the closing of a ticket, unless one runs or has just been tried."""
        due, pause = self._again.get(ticket, (0.0, FIRST_PAUSE))
        if self._clock() < due or (await self._executions.standing(closing_workflow(ticket))).running:
            return False
        try:
            await self._temporal.start_closing(CloseStart(ticket=ticket, by=ACTOR, reason=reason))
        except Conflict:
            return False  # another worker was faster
        self._again[ticket] = (self._clock() + pause, min(pause * 2, LONGEST_PAUSE))
        log.warning("ticket.abandoned", ticket=ticket, code=reason.code, reason=reason.message)
        return True


def _lost_workflow(standing: Standing) -> Reason:
    how = {
        Standing.TERMINATED: "was terminated in Temporal",
        Standing.NOT_FOUND: "is not known to Temporal",
        Standing.COMPLETED: "ended without closing the ticket",
    }.get(standing, f"is {standing.value}")
    return Reason(code=f"workflow_{standing.value}", message=f"The ticket's workflow {how}.")
