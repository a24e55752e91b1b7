"""Refusals that the door decides: recorded straight in the ledger, so that they cost the ticket no update.

At most three per actor and ticket: whoever keeps asking cannot fill the record.
"""

from sqlalchemy import Connection

from holdpoint.ledger import entries
from holdpoint.ledger.clock import now
from holdpoint.models.record import EntryDraft

MOST_PER_ACTOR = 3


def record_denial(db: Connection, *, ticket: str, actor: str, kind: str, asked: str, message: str) -> bool:
    """Append an entry such as `approval.denied`; return False when the actor has had its three already."""
    earlier = sum(entry.kind == kind and entry.actor == actor for entry in entries.entries_of(db, ticket))
    if earlier >= MOST_PER_ACTOR:
        return False
    draft = EntryDraft(
        key=f"{kind}/{actor}/{earlier + 1}",
        kind=kind,
        actor=actor,
        at=now(db),
        body={"verb": asked, "message": message},
    )
    entries.append_entry(db, draft, ticket)
    return True
