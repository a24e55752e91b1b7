"""Tickets that must have succeeded before another may run: checked when it opens, told when one of them ends.

A dependency is bound once, when the ticket opens, and always to a ticket that is there already: where the one
that is named was run again, to the last of its retries. So every edge points to something older, and no cycle
can arise, whatever is retried or rolled back later.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select

from holdpoint.ledger import head, outbox, schema
from holdpoint.models.errors import InvalidChange, NotFound
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason, TicketView

FIELD = "spec.dependsOn"
FAILED = "dependency_failed"
"""Code of the reason of a ticket that ends because of what has come of a dependency."""

_T, _D = schema.tickets, schema.dependencies
_VIEW = select(_T.c.view).where(_T.c.id == bindparam("wanted"))
_WAITING = (
    select(_D.c.ticket)
    .join(_T, _T.c.id == _D.c.ticket)
    .where(_D.c.needs == bindparam("closed"), _T.c.open)
    .order_by(_D.c.ticket)
)


class Outcome(StrEnum):
    """What a dependency has come to."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Dependency(NamedTuple):
    """One ticket that another needs, and what to say of it."""

    view: TicketView
    outcome: Outcome
    message: str


def bind(db: Connection, named: Sequence[str]) -> list[str]:
    """Return the tickets that these names stand for now.

    Raises InvalidChange for every one that is unknown or can never succeed any more.
    """
    bound, mistakes = list[str](), list[dict[str, object]]()
    for index, ticket in enumerate(named):
        found = _last_of(db, ticket)
        if found is None:
            mistakes.append(_mistake(index, ticket, "there is no such ticket"))
        elif (known := _dependency(db, found)).outcome is Outcome.FAILED:
            mistakes.append(_mistake(index, ticket, f"it cannot be waited for: {known.message}{_way(found)}"))
        elif found.id not in bound:
            bound.append(found.id)
    if mistakes:
        raise InvalidChange(str(mistakes[0]["message"]), mistakes=mistakes)
    return bound


def remember(db: Connection, *, ticket: str, needs: Sequence[str]) -> None:
    """Have `ticket` told when one of these ends."""
    for needed in needs:
        db.execute(insert(_D), {"ticket": ticket, "needs": needed})


def look(db: Connection, needs: Sequence[str]) -> list[Dependency]:
    """Return what each of these tickets has come to, in the order given. Raises NotFound."""
    found = [_view(db, ticket) for ticket in needs]
    if None in found:
        raise NotFound(f"There is no ticket {needs[found.index(None)]!r}, which another one depends on.")
    return [_dependency(db, view) for view in found if view is not None]


def given_up(message: str) -> Reason:
    """Return the reason of a ticket that ends because of what has come of a dependency."""
    return Reason(code=FAILED, message=f"It depends on a change that did not succeed: {message}")


def tell(db: Connection, closed: TicketView) -> None:
    """Wake whoever waits for this ticket if it has succeeded, and end them if it never will.

    A ticket whose own rollout has begun passes that over: what it needed was there when it began.
    """
    dependants = list(db.execute(_WAITING, {"closed": closed.id}).scalars())
    outcome = _dependency(db, closed) if dependants else None
    for ticket in dependants:
        if outcome is not None and outcome.outcome is Outcome.SUCCEEDED:
            _wake(db, ticket, closed.id)
        elif outcome is not None and outcome.outcome is Outcome.FAILED:
            why = given_up(outcome.message)
            outbox.end(db, ticket=ticket, by=closed.id, why=why, key=f"dependency/{closed.id}")


def needed(db: Connection, ticket: str) -> bool:
    """Tell whether an open ticket depends on this one."""
    return db.execute(_WAITING, {"closed": ticket}).first() is not None


def _wake(db: Connection, ticket: str, closed: str) -> None:
    # A rollback of the success that comes to nothing wakes once more, so the key is of this moment.
    key = f"wake/{ticket}/dependency/{closed}/{head.lock(db).seq}"
    outbox.post(db, kind="wake", ticket=ticket, body={"cause": f"dependency {closed}"}, key=key)


def _last_of(db: Connection, ticket: str) -> TicketView | None:
    """Return the ticket, or the last one that ran it again."""
    view = _view(db, ticket)
    while view is not None and view.phase is not Phase.SUCCEEDED and view.retried_by is not None:
        view = _view(db, view.retried_by)
    return view


def _dependency(db: Connection, view: TicketView) -> Dependency:
    """Return what has come of a ticket. A success that is being rolled back is open again."""
    if not view.phase.terminal:
        return Dependency(view, Outcome.PENDING, f"{view.id} ({view.title}) is {view.phase}.")
    if view.phase is not Phase.SUCCEEDED:
        return Dependency(view, Outcome.FAILED, f"{view.id} ({view.title}) ended {view.phase}.")
    back = None if view.rolled_back_by is None else _view(db, view.rolled_back_by)
    if back is None:
        return Dependency(view, Outcome.SUCCEEDED, f"{view.id} ({view.title}) has succeeded.")
    if back.phase is Phase.SUCCEEDED:
        return Dependency(view, Outcome.FAILED, f"{view.id} ({view.title}) was rolled back by {back.id}.")
    return Dependency(view, Outcome.PENDING, f"{view.id} ({view.title}) is being rolled back by {back.id}.")


def _view(db: Connection, ticket: str) -> TicketView | None:
    text = db.execute(_VIEW, {"wanted": ticket}).scalar_one_or_none()
    return None if text is None else TicketView.model_validate_json(text)


def _way(view: TicketView) -> str:
    """Return what to do first about a ticket that failed."""
    if view.phase is Phase.SUCCEEDED:
        return " Submit its change again first."
    verb = "rollback" if view.phase is Phase.ROLLBACK_FAILED else "retry"
    return f" First: holdpoint {verb} {view.id}"


def _mistake(index: int, ticket: str, why: str) -> dict[str, object]:
    field = f"{FIELD}[{index}]"
    return {
        "field": field,
        "found": ticket,
        "allowed": "a ticket that is open or has succeeded",
        "message": f"Wrong value: {field} is {ticket}; {why}",
    }
