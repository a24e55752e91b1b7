"""Read tickets and their history. Everything here comes from the ledger, never from Temporal."""

import asyncio
import re
import time

from holdpoint.ledger import entries, tickets
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.store import Ledger
from holdpoint.models.base import Model
from holdpoint.models.errors import NotFound
from holdpoint.models.phases import Phase
from holdpoint.models.plan_diff import PlanDiff
from holdpoint.models.record import Entry
from holdpoint.models.ticket import TicketView
from holdpoint.service.feed import Feed

TICKET = re.compile(r"chg-[a-z2-9]{10}")


HEARD_WITHIN = 1.0
"""Seconds that a ticket may take to record what it was told; it was told all the same, so nothing fails."""
LOOK_AGAIN = 0.05
"""Seconds between two looks for what the workflow is about to record."""


class Filter(Model):
    """Which tickets to list; None is all."""

    phase: Phase | None = None
    service: str | None = None
    environment: str | None = None
    limit: int = 50


class Story(Model):
    """Entries of one ticket, and the ticket as it is now."""

    entries: list[Entry]
    view: TicketView


async def known_ticket(ledger: Ledger, ticket: str) -> TicketView:
    """Return the ticket. Raises NotFound, also for what can be no ticket's ID."""
    if not TICKET.fullmatch(ticket):
        raise NotFound(f"No such ticket: {ticket[:40]!r}. An ID looks like chg-7k2m9xq4ab.")
    return await ledger.read(tickets.get_ticket, ticket)


async def plan_diff(ledger: Ledger, blobs: Blobs, ticket: str) -> PlanDiff:
    """Return what a ticket's plan alters on the cluster, as its last evaluation found it.

    Raises NotFound, also when the stored file is lost, and Conflict when it was changed.
    """
    view = await known_ticket(ledger, ticket)
    cluster, _, rest = view.target.partition("/")
    summary = view.plan_diff
    if summary is not None and summary.digest is not None:
        return PlanDiff.model_validate_json(await asyncio.to_thread(blobs.get, summary.digest))
    why = "It has not been evaluated." if summary is None else summary.message
    return PlanDiff(cluster=cluster, namespace=rest.partition("/")[0], known=False, message=why)


async def told_ticket(ledger: Ledger, ticket: str, *, by: str, after: int) -> TicketView:
    """Return the ticket as it is once it has recorded, after a sequence number, what this account told it."""
    until = time.monotonic() + HEARD_WITHIN
    while time.monotonic() < until:
        found = await ledger.read(entries.entries_after, after, ticket)
        if any(entry.actor == by for entry in found):
            break
        # The entry is written by another process; the feed would tell 0.1 s later, and runs in the API only.
        await asyncio.sleep(LOOK_AGAIN)
    return await known_ticket(ledger, ticket)


async def list_tickets(ledger: Ledger, wanted: Filter) -> list[TicketView]:
    """Return the newest tickets first."""
    return await ledger.read(
        tickets.list_tickets,
        phase=wanted.phase,
        service=wanted.service,
        environment=wanted.environment,
        limit=wanted.limit,
    )


async def story(ledger: Ledger, feed: Feed, ticket: str, *, after: int, wait: float, limit: int) -> Story:
    """Return the entries after a sequence number; if there are none, wait for one, at most `wait` seconds."""
    await known_ticket(ledger, ticket)
    with feed.listening(ticket) as news:
        until = time.monotonic() + wait
        found = await ledger.read(entries.entries_after, after, ticket, limit)
        # News may be of an entry that was read already; then there is still time to wait for the next.
        while not found and await news.within(until - time.monotonic()):
            found = await ledger.read(entries.entries_after, after, ticket, limit)
    return Story(entries=found, view=await known_ticket(ledger, ticket))
