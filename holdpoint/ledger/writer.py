"""The one place that writes entries: numbered without a gap, kept as RFC 8785 bytes, hashed into the tree."""

from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from holdpoint.ledger import head, schema
from holdpoint.ledger.canonical import canonical, exact
from holdpoint.ledger.clock import instant, rfc3339
from holdpoint.ledger.merkle import TILE, Frontier, leaf_hash
from holdpoint.models.record import EntryDraft
from holdpoint.models.redact import redact

_INSERT = insert(schema.entries)
_INSERT_TILE = insert(schema.tiles)
_SEQ_OF_KEY = select(schema.entries.c.seq).where(schema.entries.c.key == bindparam("wanted"))


class EpochMoved(Exception):
    """A freeze, a lift or a change of holder came in between. Nothing was written: check again."""


def append_once(db: Connection, draft: EntryDraft, ticket: str | None) -> tuple[int, bool]:
    """Append an entry unless its key is there already; return its number, and whether it is new."""
    while True:
        seen = head.lock(db)
        known = db.execute(_SEQ_OF_KEY, {"wanted": _scoped(draft.key, ticket)}).scalar_one_or_none()
        if known is not None:
            return int(known), False
        try:
            return write(db, seen, clean(draft), ticket), True
        except EpochMoved:
            continue


def clean(draft: EntryDraft) -> EntryDraft:
    """Return the draft without secrets: what is in the record can never be taken out again."""
    return draft.model_copy(update={"body": redact(exact(draft.body))})


def write(
    db: Connection, seen: head.Head, draft: EntryDraft, ticket: str | None, *, raise_epoch: bool = False
) -> int:
    """Write one new entry after the head that was seen, and return its number. Raises EpochMoved.

    The head moves first: whoever moves it holds it until the transaction ends, so that no number is ever
    skipped.
    """
    seq = seen.seq + 1
    told = form(
        actor=draft.actor,
        at=rfc3339(draft.at),
        body=exact(draft.body),
        key=draft.key,
        kind=draft.kind,
        recorded=rfc3339(instant(seen.now)),
        ticket=ticket,
    )
    raw = canonical({**told, "seq": seq})
    leaf = leaf_hash(raw)
    frontier = Frontier(seen.seq, seen.frontier)
    tile = frontier.append(leaf)
    if not head.advance(db, seen, frontier, raise_epoch=raise_epoch):
        raise EpochMoved
    row = {"seq": seq, "ticket": ticket, "key": _scoped(draft.key, ticket), "kind": draft.kind}
    db.execute(_INSERT, {**row, "raw": raw, "leaf": leaf})
    if tile is not None:
        db.execute(_INSERT_TILE, {"idx": seq // TILE - 1, "hash": tile})
    return seq


def form(
    *, actor: str, at: str, body: Any, key: str, kind: str, recorded: str, ticket: str | None
) -> dict[str, Any]:
    """Return an entry as the record has it, all but its number."""
    return {
        "actor": actor,
        "at": at,
        "body": body,
        "key": key,
        "kind": kind,
        "recorded": recorded,
        "ticket": ticket,
    }


def _scoped(key: str, ticket: str | None) -> str:
    # Keys are unique within a ticket, so that workflows need not know of each other.
    return f"{ticket or ''}/{key}"
