"""Tickets with many targets: which they are, and what the view of such a ticket shows of each."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, insert, or_, select, union

from holdpoint.ledger import schema
from holdpoint.models.phases import TERMINAL

_M = schema.ticket_targets


def remember(db: Connection, *, ticket: str, targets: list[str]) -> None:
    """Keep the targets of a ticket that has many, so that it is found by each."""
    if targets:
        db.execute(insert(_M), [{"ticket": ticket, "target": target} for target in targets])


def goes_to(target: ColumnElement[str] | str) -> ColumnElement[bool]:
    """Return the condition that a ticket goes to a target: its only one, or one of many."""
    tickets = schema.tickets
    return or_(tickets.c.target == target, tickets.c.id.in_(select(_M.c.ticket).where(_M.c.target == target)))


def places() -> Subquery:
    """Return each ticket with each of its targets: `ticket`, `target`."""
    one = select(schema.tickets.c.id.label("ticket"), schema.tickets.c.target)
    return union(one, select(_M.c.ticket, _M.c.target)).subquery("places")


def merged(view: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Return a ticket's view with a patch, whose `targets` replaces fields of the targets that it names.

    A hold that lies on one target names it, and stands beside those of the whole ticket.
    """
    after = {**view, **patch}
    if not view.get("targets"):
        return {**after, "targets": []}
    of_each = patch.get("targets", {})
    ended: dict[str, Any] = {"holds": []} if after["phase"] in TERMINAL else {}
    shown = [{**one, **of_each.get(one["target"], {}), **ended} for one in view["targets"]]
    own = [hold for hold in after.get("holds", []) if hold.get("target") is None]
    holds = [_on(one["target"], hold) for one in shown for hold in one.get("holds", [])]
    return {**after, "targets": shown, "holds": [*own, *holds]}


def _on(target: str, hold: dict[str, Any]) -> dict[str, Any]:
    return {**hold, "target": target, "message": f"{target.partition('/')[0]}: {hold['message']}"}
