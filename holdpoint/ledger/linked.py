"""Whose version stands on a target, by what succeeded there.

A rollback that has succeeded brings an earlier ticket's version: from then on that ticket stands again, and
what it rolled back does not. So going back step by step never goes in circles.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from holdpoint.ledger import many, schema, tickets
from holdpoint.ledger.clock import instant, to_ms
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.base import Instant, Model
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import TicketView

_T = schema.tickets
_IN_ROLLOUT = [phase.value for phase in (Phase.EXECUTING, Phase.VERIFYING, Phase.ROLLING_BACK)]
_SUCCEEDED = (
    select(_T.c.id, _T.c.stored, _T.c.closed_at)
    .where(_T.c.phase == Phase.SUCCEEDED.value)
    .order_by(_T.c.closed_at.desc(), _T.c.created_at.desc(), _T.c.id)
    .limit(tickets.WROTE_NOTHING)
)


class Standing(Model):
    """The ticket whose version stands, and the one that brought it: the same, or a rollback to it."""

    ticket: str
    brought_by: str
    since: Instant


def standing(db: Connection, target: str) -> Standing | None:
    """Return whose version stands on a target; None where nothing has succeeded."""
    return _standing(db.execute(_SUCCEEDED.where(many.goes_to(target))))


def stood_before(db: Connection, view: TicketView, target: str) -> Standing | None:
    """Return whose version stood on a target of it when this ticket succeeded; None where none did."""
    before: datetime = view.closed_at or view.created_at
    query = _SUCCEEDED.where(many.goes_to(target), _T.c.id != view.id, _T.c.closed_at <= to_ms(before))
    return _standing(db.execute(query))


def giving_back(db: Connection, ticket: str, target: str) -> str | None:
    """Return another ticket in a rollout on a target, None where there is none.

    To whoever holds the target that is one whose rollout has just ended, and whose end is not recorded yet.
    """
    query = select(_T.c.id).where(many.goes_to(target), _T.c.id != ticket, _T.c.phase.in_(_IN_ROLLOUT))
    return db.execute(query.limit(1)).scalar_one_or_none()


def _standing(rows: Iterable[Any]) -> Standing | None:
    """Return what the first of these tickets brought that wrote anything."""
    for row in rows:
        stored = StoredChange.model_validate_json(row.stored)
        if stored.change.spec.plan.writes:
            ticket = row.id if stored.rolls_back is None else stored.rolls_back.to
            return Standing(ticket=ticket, brought_by=row.id, since=instant(row.closed_at))
    return None
