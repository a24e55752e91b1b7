"""How the installation stands, counted from the ledger in a few queries; for metrics.

Nothing here grows with the age of the record: open tickets, the newest closed ones, and what is open of
intents, freezes and the outbox.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, and_, exists, func, select

from holdpoint.ledger import head, schema, tickets
from holdpoint.ledger.clock import instant
from holdpoint.ledger.entries import read_entry
from holdpoint.models.change import Change
from holdpoint.models.phases import Phase
from holdpoint.models.record import PERSON, Entry

_T, _I, _F, _E = schema.tickets, schema.intents, schema.freezes, schema.entries
_BOX, _TARGETS = schema.outbox, schema.targets.c

RECENT = 500
"""How many of the newest tickets are looked at for a missing archive, as the reconciler does."""
ARCHIVED_WITHIN_MS = 60_000
"""A ticket that closed just now is still being archived."""
MUTATING = (Phase.EXECUTING, Phase.VERIFYING, Phase.ROLLING_BACK)


@dataclass(frozen=True)
class OpenTicket:
    """What metrics need of one open ticket; `spoke_at` is when the record heard of it last."""

    phase: str
    environment: str
    type: str
    holds: list[str]
    escalate_at: datetime | None
    spoke_at: datetime | None
    patience: float


@dataclass(frozen=True)
class Standing:
    """How the installation stands at one moment of the database's clock."""

    now: datetime
    seq: int
    open_tickets: list[OpenTicket]
    intents_open: dict[str, int]
    intents_in_doubt: dict[str, int]
    targets_dirty: int
    rollbacks_failed: int
    taken_over: int
    freezes_active: int
    freezes_unacknowledged: int
    outbox_pending: int
    outbox_first: int | None
    archives_missing: int
    archive_oldest: float


def standing(db: Connection) -> Standing:
    """Return how everything stands now."""
    seen = head.read(db)
    waiting = _BOX.c.delivered_at.is_(None)
    pending, first = db.execute(select(func.count(), func.min(_BOX.c.id)).where(waiting)).one()
    active = and_(_F.c.ended.is_(False), (_F.c.until.is_(None)) | (_F.c.until > seen.now))
    missing = _unarchived(db, seen.now)
    return Standing(
        now=instant(seen.now),
        seq=seen.seq,
        open_tickets=_open_tickets(db),
        intents_open=_open_intents(db),
        intents_in_doubt=_open_intents(db, _I.c.deadline < seen.now),
        targets_dirty=_count(db, schema.targets.c.target, schema.targets.c.dirty.is_(True)),
        rollbacks_failed=_rollbacks_failed(db),
        taken_over=_count(db, _TARGETS.target, _TARGETS.holder_run.startswith(PERSON)),
        freezes_active=_count(db, _F.c.id, active),
        freezes_unacknowledged=_count(db, _F.c.id, and_(active, _F.c.acknowledged_at.is_(None))),
        outbox_pending=pending,
        outbox_first=first,
        archives_missing=len(missing),
        archive_oldest=(seen.now - min(missing)) / 1000 if missing else 0.0,
    )


class Told(NamedTuple):
    """One entry, and of its ticket what metrics need."""

    entry: Entry
    service: str | None
    environment: str | None
    type: str | None


def told_after(db: Connection, seq: int, limit: int) -> list[Told]:
    """Return at most `limit` entries with a higher number, oldest first, each with its ticket's facts."""
    joined = select(_E.c.raw, _T.c.service, _T.c.environment, _T.c.view).outerjoin(_T, _T.c.id == _E.c.ticket)
    rows = db.execute(joined.where(_E.c.seq > seq).order_by(_E.c.seq).limit(limit))
    return [Told(read_entry(row.raw), row.service, row.environment, _type(row.view)) for row in rows]


def entered_before(db: Connection, ticket: str, seq: int) -> Entry | None:
    """Return the entry by which a ticket had come into the phase that it was in before this number."""
    query = select(_E.c.raw).where(
        _E.c.ticket == ticket, _E.c.seq < seq, _E.c.kind.in_(("phase.entered", "ticket.submitted"))
    )
    raw = db.execute(query.order_by(_E.c.seq.desc()).limit(1)).scalar_one_or_none()
    return None if raw is None else read_entry(raw)


def _open_tickets(db: Connection) -> list[OpenTicket]:
    query = select(_T.c.id, _T.c.phase, _T.c.service, _T.c.environment, _T.c.view).where(_T.c.open)
    return [_open_ticket(db, row) for row in db.execute(query).all()]


def _open_ticket(db: Connection, row: Any) -> OpenTicket:
    # Not the whole model: thousands may be open, and this is asked for again and again.
    view = json.loads(row.view)
    escalate_at = (view.get("approvals") or {}).get("escalate_at")
    spoke_at, patience = _silence(db, row.id) if row.phase in MUTATING else (None, 0.0)
    return OpenTicket(
        phase=row.phase,
        environment=row.environment,
        type=view["type"],
        holds=[hold["code"] for hold in view.get("holds") or []],
        escalate_at=datetime.fromisoformat(escalate_at) if escalate_at else None,
        spoke_at=spoke_at,
        patience=patience,
    )


def _silence(db: Connection, ticket: str) -> tuple[datetime, float]:
    """Return when the record heard of a ticket last, and for how many seconds it may then say nothing."""
    last = select(_E.c.raw).where(_E.c.ticket == ticket).order_by(_E.c.seq.desc()).limit(1)
    spoke = read_entry(db.execute(last).scalar_one()).at
    return spoke, longest_silence(tickets.change_of(db, ticket).change)


def longest_silence(change: Change) -> float:
    """Return for how many seconds a change may say nothing while all is well: one whole analysis."""
    bakes = [step.canary.bake for step in change.spec.plan.steps if step.canary]
    for kind in [step.blueGreen for step in change.spec.plan.steps if step.blueGreen]:
        # While the old version is kept beside, a verdict comes twelve times in that at least.
        bakes += [kind.bake, kind.scaleDown / 10]
    longest = max([change.verify_seconds, *bakes])
    window = (change.spec.analysis and change.spec.analysis.deadline) or max(10 * longest, 120.0)
    return max(longest, window)


def _open_intents(db: Connection, *conditions: ColumnElement[bool]) -> dict[str, int]:
    query = select(_I.c.direction, func.count()).where(_I.c.status == "open", *conditions)
    return {direction: count for direction, count in db.execute(query.group_by(_I.c.direction))}


def _rollbacks_failed(db: Connection) -> int:
    """Count the targets that a failed rollback left to a person: a ticket that was settled holds none."""
    held = schema.targets.join(_T, _T.c.id == schema.targets.c.holder_ticket)
    query = select(func.count()).select_from(held).where(_T.c.phase == Phase.ROLLBACK_FAILED.value)
    return int(db.execute(query).scalar_one())


def _count(db: Connection, column: Column[Any], condition: ColumnElement[bool]) -> int:
    return int(db.execute(select(func.count(column)).where(condition)).scalar_one())


def _unarchived(db: Connection, now: int) -> list[int]:
    """Return when each of the newest closed tickets was closed whose archive the record does not know."""
    newest = (
        select(_T.c.id, _T.c.phase, _T.c.closed_at).order_by(_T.c.created_at.desc()).limit(RECENT).subquery()
    )
    archived = exists().where(_E.c.ticket == newest.c.id, _E.c.kind == "ticket.archived")
    query = select(newest.c.closed_at).where(
        newest.c.closed_at < now - ARCHIVED_WITHIN_MS,
        newest.c.phase != Phase.ROLLBACK_FAILED.value,  # it may be tried again; then it is archived
        ~archived,
    )
    return list(db.execute(query).scalars())


def _type(view: str | None) -> str | None:
    return None if view is None else str(json.loads(view)["type"])
