"""Words on manual steps: entries that the API's door writes behind its token check, one for each step.

The first word on a step stands. Nothing else counts: not what reached the ticket's workflow by itself.
"""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from holdpoint.ledger import schema
from holdpoint.ledger.entries import read_entry
from holdpoint.ledger.writer import append_once
from holdpoint.models.activity_calls import Confirmation
from holdpoint.models.record import Entry, EntryDraft

CONFIRMED, FAILED = "manual.confirmed", "manual.failed"

_E = schema.entries
_WORDS = (
    select(_E.c.raw)
    .where(_E.c.ticket == bindparam("whose"), _E.c.kind.in_((CONFIRMED, FAILED)))
    .order_by(_E.c.seq)
)


def key_of(step: int) -> str:
    """Return the key of the one entry that a step's word is."""
    return f"manual/{step}"


def give_word(
    db: Connection, ticket: str, step: int, word: Confirmation, *, name: str, roles: list[str], at: datetime
) -> int:
    """Append a word on a step, unless there is one, and return the sequence number of the one that stands."""
    body = {"step": step, "name": name, "by": word.by, "roles": roles, "reason": word.reason}
    kind = CONFIRMED if word.done else FAILED
    draft = EntryDraft(key=key_of(step), kind=kind, actor=word.by, at=at, body=body)
    return append_once(db, draft, ticket)[0]


def word_on(db: Connection, ticket: str, step: int) -> Confirmation | None:
    """Return the word on a step of the plan, by its index; None if nobody has said anything."""
    for (raw,) in db.execute(_WORDS, {"whose": ticket}):
        entry = read_entry(raw)
        if entry.body.get("step") == step and entry.body.get("by") == entry.actor:
            return _confirmation(entry)
    return None


def _confirmation(entry: Entry) -> Confirmation:
    return Confirmation(
        done=entry.kind == CONFIRMED, by=entry.actor, reason=str(entry.body.get("reason", ""))
    )
