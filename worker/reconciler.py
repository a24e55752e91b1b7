"""The reconciler: finds tickets and targets that nobody looks after any more, and has them closed.

Someone may terminate a ticket or a rollout in Temporal, or Temporal's store may be lost. Then the ledger
still knows which targets are dirty and which tickets are open (design decisions 7 and 12). `CloseAbandoned`
does the work; its workflow ID is the ticket's, so that several workers that find the same ticket start it
once.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from holdpoint.clients.temporal import Temporal
from holdpoint.ledger import archives, targets, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import TicketRow
from holdpoint.models.contracts import closing_workflow, rollout_workflow, ticket_workflow
from holdpoint.models.errors import Conflict
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason
from holdpoint.models.workflow_messages import CloseStart
from holdpoint.telemetry.metrics import Metrics
from worker.executions import Executions, Standing
from worker.rounds import repeat

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
ARCHIVE_LOOK, RECENT = 60.0, 500
"""Seconds between two looks for closed tickets without evidence, and how many of the newest are looked at."""
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
        archive: Path,
        clock: Callable[[], float] = time.monotonic,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._ledger, self._temporal, self._executions = ledger, temporal, executions
        self._archive, self._clock = archive, clock
        self._seen: dict[str, float] = {}
        self._again: dict[str, tuple[float, float]] = {}
        self._archive_look = clock()
        self._lacking: list[TicketRow] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Make rounds until `stop` is set. A round that fails is logged; the next one looks again."""
        await repeat(self._counted_round, stop, every=EVERY, failed="reconciler.failed")

    async def _counted_round(self) -> None:
        result = "failed"
        try:
            await self.round()
            result = "done"
        finally:
            self._metrics.reconciler_rounds.labels(result=result).inc()

    async def round(self) -> list[str]:
        """Look once; return the tickets whose closing was started."""
        held = await self._ledger.read(targets.held_targets)
        rows = await self._ledger.read(tickets.list_rows, open_only=True, limit=AT_MOST)
        rows += await self._holders({row.holder_ticket for row in held} - {row.id for row in rows})
        rows += await self._unarchived()
        found = await self._abandoned(rows, {row.target: row.holder_ticket for row in held})
        now = self._clock()
        self._seen = {ticket: self._seen.get(ticket, now) for ticket in found}
        ripe = [ticket for ticket, since in self._seen.items() if now - since >= SEEN_FOR]
        return [ticket for ticket in ripe if await self._close(ticket, found[ticket])]

    async def _holders(self, missing: set[str | None]) -> list[TicketRow]:
        """Return the closed tickets that still hold a target; a failed rollback is for a person to end."""
        ids = {ticket for ticket in missing if ticket}
        rows = await self._ledger.read(tickets.list_rows, ids=ids, limit=AT_MOST) if ids else []
        return [row for row in rows if row.phase is not Phase.ROLLBACK_FAILED]

    async def _unarchived(self) -> list[TicketRow]:
        """Return closed tickets whose evidence was not archived; new ones are looked for now and then."""
        if self._clock() - self._archive_look >= ARCHIVE_LOOK:
            self._archive_look = self._clock()
            recent = await self._ledger.read(tickets.list_rows, limit=RECENT)
            closed = [row for row in recent if row.phase.terminal]
            self._lacking = [row for row in closed if row.phase is not Phase.ROLLBACK_FAILED]
        kept = await self._ledger.read(archives.kept, [row.id for row in self._lacking])
        self._lacking = [
            row
            for row in self._lacking
            if row.id not in kept and not (self._archive / f"{row.id}.json").exists()
        ]
        return self._lacking

    async def _abandoned(self, rows: list[TicketRow], holders: dict[str, str | None]) -> dict[str, Reason]:
        """Return the tickets whose own workflow and whose rollout are both gone, and how."""
        found: dict[str, Reason] = {}
        running = await self._executions.running_tickets() if rows else set()
        for row in rows:
            if ticket_workflow(row.id) in running:
                continue
            standing = await self._executions.standing(ticket_workflow(row.id))
            young = standing is Standing.NOT_FOUND and _age(row) < STARTS_WITHIN
            if standing.running or young or await self._rolls_out(row, holders):
                continue
            found[row.id] = _lost(standing)
        return found

    async def _rolls_out(self, row: TicketRow, holders: dict[str, str | None]) -> bool:
        """Tell whether a rollout of the ticket runs: one whose ticket is gone undoes itself."""
        for target, holder in holders.items():
            if holder == row.id and (await self._executions.standing(rollout_workflow(target))).running:
                return True
        return False

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
        self._metrics.reconciler_closings.inc()
        log.warning("ticket.abandoned", ticket=ticket, code=reason.code, reason=reason.message)
        return True


def _age(row: TicketRow) -> float:
    return time.time() - row.created_at.timestamp()


def _lost(standing: Standing) -> Reason:
    how = {
        Standing.TERMINATED: "was terminated in Temporal",
        Standing.NOT_FOUND: "is not known to Temporal",
        Standing.COMPLETED: "ended without closing the ticket",
    }.get(standing, f"is {standing.value}")
    return Reason(code=f"workflow_{standing.value}", message=f"The ticket's workflow {how}.")
