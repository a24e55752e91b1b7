"""The signed evidence of closed tickets, kept verbatim where every worker and every door can read it.

It proves itself by its signature; nothing here is part of the record, and the record holds its digest.
"""

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select

from holdpoint.ledger import head, schema
from holdpoint.ledger.writer import append_once
from holdpoint.models.record import EntryDraft

_A = schema.archives


def keep(db: Connection, ticket: str, data: bytes, draft: EntryDraft) -> bytes:
    """Keep the evidence of a ticket with the entry that has its digest, and return what is kept.

    An attempt whose entry is there already gets what was kept then; the evidence of a later archive, with an
    entry of its own, takes the place of the earlier.
    """
    now = head.lock(db).now
    fresh = append_once(db, draft, ticket)[1]
    before = find(db, ticket)
    if before is not None and not fresh:
        return before
    db.execute(delete(_A).where(_A.c.ticket == ticket))
    db.execute(insert(_A), {"ticket": ticket, "data": data, "at": now})
    return data


def find(db: Connection, ticket: str) -> bytes | None:
    """Return the evidence of a ticket, or None while it is not archived."""
    return db.execute(select(_A.c.data).where(_A.c.ticket == ticket)).scalar_one_or_none()


def kept(db: Connection, tickets: Collection[str]) -> set[str]:
    """Return which of these tickets are archived."""
    return set(db.execute(select(_A.c.ticket).where(_A.c.ticket.in_(tickets))).scalars())
