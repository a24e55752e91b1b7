"""Words on holds without a verdict: entries that the API's door writes behind its token check.

A word is on the holds that lay when it was said, by the moments since which they did; the first word on a
hold stands. Nothing else counts: not what reached the ticket's workflow by itself.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from holdpoint.ledger import schema
from holdpoint.ledger.entries import read_entry
from holdpoint.ledger.writer import append_once
from holdpoint.models.activity_calls import Promotion
from holdpoint.models.record import Entry, EntryDraft

GIVEN = "promote.given"
REACHED = "weight.reached"

_E = schema.entries
_OF_KIND = (
    select(_E.c.raw)
    .where(_E.c.ticket == bindparam("whose"), _E.c.kind == bindparam("named"))
    .order_by(_E.c.seq.desc())
)


def key_of(since: Collection[datetime]) -> str:
    """Return the key of the one word on the holds that lie since these moments."""
    return f"promote/{min(since).isoformat()}"


def give_word(
    db: Connection, ticket: str, word: Promotion, *, over: list[str], roles: list[str], at: datetime
) -> int:
    """Append a word, unless there is one on these holds; return the number of the one that stands."""
    body = {**word.model_dump(mode="json", exclude={"entry"}), "over": over, "roles": roles}
    draft = EntryDraft(key=word.entry, kind=GIVEN, actor=word.by, at=at, body=body)
    return append_once(db, draft, ticket)[0]


def last_word(db: Connection, ticket: str) -> Promotion | None:
    """Return the last word on a hold without a verdict; None if nobody has said anything."""
    return next(iter(_words(db, ticket)), None)


def word_on(db: Connection, ticket: str, since: Collection[datetime]) -> Promotion | None:
    """Return the word on one of the holds that lie since these moments; None where there is none."""
    return next((word for word in _words(db, ticket) if set(word.since) & set(since)), None)


def weight_now(db: Connection, ticket: str) -> int | None:
    """Return the weight that was asked for last and is reached; None before the first."""
    raw = db.execute(_OF_KIND.limit(1), {"whose": ticket, "named": REACHED}).scalar_one_or_none()
    return None if raw is None else int(read_entry(raw).body["asked"])


def _words(db: Connection, ticket: str) -> list[Promotion]:
    """Return every word, the last one first."""
    found = [read_entry(raw) for (raw,) in db.execute(_OF_KIND, {"whose": ticket, "named": GIVEN})]
    return [_promotion(entry) for entry in found if entry.body.get("by") == entry.actor]


def _promotion(entry: Entry) -> Promotion:
    since = [datetime.fromisoformat(moment) for moment in entry.body["since"]]
    return Promotion.model_validate({**entry.body, "since": since, "entry": key_of(since)})
