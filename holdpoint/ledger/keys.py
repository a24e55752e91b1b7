"""Idempotency keys: which ticket or freeze a request made, so that sending it again makes no second one."""

from sqlalchemy import Connection, delete, insert, select

from holdpoint.ledger import schema
from holdpoint.ledger.clock import read_ms
from holdpoint.models.errors import Conflict

LIFE_MS = 30 * 86_400_000
"""Keys are remembered for 30 days; that is part of the command line's contract."""

FREEZE = " freeze/"
"""Before the key of a freeze. A caller's key never begins with a space, so it cannot be one of a submit."""
ROLLBACK, RETRY = " rollback/", " retry/"
"""Before the ID of a ticket that is rolled back after success, or run again: one open ticket for each."""

_K = schema.idempotency_keys


def ticket_of(db: Connection, *, key: str, content: str) -> str | None:
    """Return the ticket or freeze of this key. Raises Conflict when it was sent with other content."""
    row = db.execute(select(_K).where(_K.c.key == key)).first()
    if row is None or row.created_at + LIFE_MS < read_ms(db):
        return None
    if row.content != content:
        raise Conflict(
            f"The idempotency key opened {row.ticket} with other content. Use a new key for a new request.",
            ticket=row.ticket,
        )
    return str(row.ticket)


def remember(db: Connection, *, key: str, content: str, ticket: str) -> None:
    """Let the key stand for this ticket or freeze from now on."""
    db.execute(delete(_K).where(_K.c.key == key))
    row = {"key": key, "content": content, "ticket": ticket, "created_at": read_ms(db)}
    db.execute(insert(_K), row)
