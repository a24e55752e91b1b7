"""A newer change takes the place of older ones of its service that still wait for the same target.

Decided under the head's lock, where targets are granted, too: a ticket is granted its target or superseded,
never both. What has been granted goes on, so nothing that has begun is ever replaced.
"""

from sqlalchemy import Connection, select

from holdpoint.ledger import dependencies, head, outbox, schema, targets, tickets
from holdpoint.ledger.clock import instant, to_ms
from holdpoint.ledger.writer import append_once
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft
from holdpoint.models.ticket import Reason, TicketView

CODE = "superseded"
WAITING = (Phase.EVALUATING, Phase.AWAITING_APPROVAL, Phase.SCHEDULED)
"""Phases before a target is granted. Evaluating, too: it would run after the newer one, and undo it."""
URGENCY = {"emergency": 0, "normal": 1, "standard": 2}
"""What is more urgent is never replaced by what is less so: it was let through for a reason of its own."""

_T = schema.tickets


def supersede(db: Connection, newer: TicketView) -> list[str]:
    """Mark and end each older ticket whose place this one takes; return their IDs, oldest first.

    One that an open ticket depends on stays, and so does a rollback, and what goes to other targets as well.
    """
    seen = head.lock(db)
    rows = [targets.get_target(db, target) for target in newer.every_target]
    holders = {row.holder_ticket for row in rows if row is not None}
    replaced = [
        older
        for older in _older(db, newer)
        if older.id not in holders
        and set(older.every_target) <= set(newer.every_target)
        and older.rolls_back is None
        and older.superseded_by is None
        and URGENCY[older.type] >= URGENCY[newer.type]
        and not dependencies.needed(db, older.id)
    ]
    for older in replaced:
        _replace(db, older, newer, seen)
    if replaced:
        ids = [*newer.supersedes, *(older.id for older in replaced)]
        tickets.patch_ticket(db, newer.id, {"supersedes": ids})
    return [older.id for older in replaced]


def superseded(view: TicketView) -> Reason | None:
    """Return why a ticket ends whose place a newer one has taken; None where none has."""
    if view.superseded_by is None:
        return None
    message = f"A newer change of {view.service} on {view.target} has taken its place: {view.superseded_by}."
    return Reason(code=CODE, message=message)


def _older(db: Connection, newer: TicketView) -> list[TicketView]:
    """Return what waits for the same target and was submitted before, oldest first."""
    query = select(_T.c.view).where(
        _T.c.target.in_(newer.every_target),
        _T.c.phase.in_([phase.value for phase in WAITING]),
        _T.c.id != newer.id,
        _T.c.created_at <= to_ms(newer.created_at),
    )
    found = db.execute(query.order_by(_T.c.created_at, _T.c.id)).scalars()
    views = [TicketView.model_validate_json(view) for view in found]
    return [view for view in views if (view.created_at, view.id) < (newer.created_at, newer.id)]


def _replace(db: Connection, older: TicketView, newer: TicketView, seen: head.Head) -> None:
    marked = older.model_copy(update={"superseded_by": newer.id})
    why = superseded(marked)
    if why is None:
        return
    draft = EntryDraft(
        key=f"ticket.superseded/{newer.id}",
        kind="ticket.superseded",
        actor=newer.id,
        at=instant(seen.now),
        body={"by": newer.id, "message": why.message},
    )
    append_once(db, draft, older.id)
    tickets.patch_ticket(db, older.id, {"superseded_by": newer.id})
    for target in sorted(older.every_target):
        targets.leave_lane(db, ticket=older.id, target=target)
    outbox.end(db, ticket=older.id, by=newer.id, why=why, key=CODE)
