"""Refusals that the door decides: recorded straight in the ledger, so that they cost the ticket no update.

At most three per actor and ticket: whoever keeps asking cannot fill the record.
"""

from sqlalchemy import Connection

from holdpoint.ledger import head
from holdpoint.ledger.clock import instant
from holdpoint.ledger.writer import append_once
from holdpoint.models.record import EntryDraft

MOST_PER_ACTOR = 3


def record_denial(db: Connection, *, ticket: str, actor: str, kind: str, asked: str, message: str) -> None:
    """Append an entry such as `approval.denied`, unless the actor has had its three already."""
    at = instant(head.lock(db).now)
    for number in range(1, MOST_PER_ACTOR + 1):
        draft = EntryDraft(
            key=f"{kind}/{actor}/{number}",
            kind=kind,
            actor=actor,
            at=at,
            body={"verb": asked, "message": message},
        )
        if append_once(db, draft, ticket)[1]:
            return
