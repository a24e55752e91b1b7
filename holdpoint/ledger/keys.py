"""Idempotency keys: which ticket a submit opened, so that sending it again opens no second one."""

from sqlalchemy import Connection, delete, insert, select

from holdpoint.ledger import schema
from holdpoint.ledger.clock import read_ms
from holdpoint.models.errors import Conflict

LIFE_MS = 30 * 86_400_000
"""Keys are remembered for 30 days; that is part of the command line's contract."""

_K = schema.idempotency_keys


def ticket_of(db: Connection, *, key: str, content: str) -> str | None:
    """Return the ticket that this key opened. Raises Conflict when it was sent with other content."""
    row = db.execute(select(_K).where(_K.c.key == key)).first()
    if row is None or row.created_at + LIFE_MS < read_ms(db):
        return None
    if row.content != content:
        raise Conflict(
            f"The idempotency key opened {row.ticket} with other content. Use a new key for a new change.",
            ticket=row.ticket,
        )
    return str(row.ticket)


def remember(db: Connection, *, key: str, content: str, ticket: str) -> None:
    """Let the key stand for this ticket from now on."""
    db.execute(delete(_K).where(_K.c.key == key))
    row = {"key": key, "content": content, "ticket": ticket, "created_at": read_ms(db)}
    db.execute(insert(_K), row)
