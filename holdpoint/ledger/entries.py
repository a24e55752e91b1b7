"""The record itself: what workflows and doors append, and what readers get back."""

from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from holdpoint.ledger import intent_rows, schema, tickets
from holdpoint.ledger.canonical import exact, parse
from holdpoint.ledger.writer import append_once
from holdpoint.models.record import Entry, EntryDraft, Intent, Record
from holdpoint.models.redact import redact

DEFERRED = "intent.deferred"
"""An undo's intent that was minted while the ledger was down travels as an entry; its row is made with it."""

_E = schema.entries
_OF_TICKET = select(_E.c.raw).where(_E.c.ticket == bindparam("whose")).order_by(_E.c.seq)


def append(db: Connection, record: Record) -> list[int]:
    """Append a workflow's entries and return their sequence numbers; what is there already keeps its number.

    The patch is applied to the ticket's projection only when the last entry is new. Raises Conflict for a
    forward intent that is said to be deferred.
    """
    numbers, fresh = [], False
    for draft in record.entries:
        seq, fresh = append_once(db, draft, record.ticket)
        numbers.append(seq)
        if fresh and draft.kind == DEFERRED:
            intent_rows.keep_deferred(db, Intent.model_validate(draft.body), seq)
    if fresh and record.patch:
        tickets.patch_ticket(db, record.ticket, redact(exact(record.patch)))
    return numbers


def append_entry(db: Connection, draft: EntryDraft, ticket: str | None) -> int:
    """Append one entry and return its sequence number; a key is appended once."""
    return append_once(db, draft, ticket)[0]


def entries_of(db: Connection, ticket: str) -> list[Entry]:
    """Return all entries of one ticket, oldest first."""
    return [read_entry(raw) for (raw,) in db.execute(_OF_TICKET, {"whose": ticket})]


def count_of(db: Connection, ticket: str, kind: str) -> int:
    """Return how many entries of a kind one ticket has."""
    query = select(func.count()).where(_E.c.ticket == ticket, _E.c.kind == kind)
    return db.execute(query).scalar_one()


def entries_after(db: Connection, seq: int, ticket: str | None = None, limit: int = 500) -> list[Entry]:
    """Return at most `limit` entries with a higher number, oldest first, of one ticket or of all."""
    query = select(_E.c.raw).where(_E.c.seq > seq).order_by(_E.c.seq).limit(limit)
    if ticket is not None:
        query = query.where(_E.c.ticket == ticket)
    return [read_entry(raw) for (raw,) in db.execute(query)]


def tickets_after(db: Connection, seq: int, limit: int) -> list[tuple[int, str | None]]:
    """Return number and ticket of at most `limit` entries with a higher number, oldest first."""
    query = select(_E.c.seq, _E.c.ticket).where(_E.c.seq > seq).order_by(_E.c.seq).limit(limit)
    return [(row.seq, row.ticket) for row in db.execute(query)]


def read_entry(raw: bytes) -> Entry:
    """Return the entry that these bytes are."""
    value: dict[str, Any] = parse(raw)
    return Entry.model_validate({**value, "raw": raw})
