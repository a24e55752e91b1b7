"""Tickets that follow from a finished one: back from a success, or once more after anything else.

A closed ticket is never opened again. What is done about it is a ticket of its own, which is evaluated,
approved, checked and recorded like any other; the two name each other, and each has an entry that says so.
"""

from typing import Any

from sqlalchemy import Connection

from holdpoint.ledger import head, keys, linked, tickets
from holdpoint.ledger.clock import instant
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.ledger.writer import append_once
from holdpoint.models.change import Change
from holdpoint.models.errors import Conflict
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft
from holdpoint.models.ticket import RollsBack, TicketView
from holdpoint.models.way_back import way_back
from holdpoint.service.outbox import Delivery
from holdpoint.service.prepare import Prepared, content_digest
from holdpoint.service.read import known_ticket
from holdpoint.service.roles import Actor, Permission, require
from holdpoint.service.submit import Submitted, first_entry, new_ticket, stored_change

ROLLBACK, RETRY = "rollback.opened", "ticket.retried"
"""What the finished ticket records of the one that follows."""


async def roll_back_success(
    ticket: str, reason: str, actor: Actor, *, ledger: Ledger, delivery: Delivery
) -> Submitted:
    """Return the ticket that brings back what stood before this one succeeded; while it is open there is one.

    Who may do so has been looked at. Raises NotFound, and Conflict where there is nothing to go back to or
    something else stands there by now.
    """
    done = await ledger.write(_open_rollback, ticket, reason, actor)
    delivery.nudge()
    return done


async def retry(ticket: str, reason: str, actor: Actor, *, ledger: Ledger, delivery: Delivery) -> Submitted:
    """Return the ticket that runs a finished one again; while it is open there is one.

    The same document at the same commit: the revision is not resolved again. Policy, approvals and checks
    begin anew. Raises AccessDenied, NotFound, and Conflict for one that is open, succeeded or half undone.
    """
    require(actor, Permission.SUBMIT)
    await known_ticket(ledger, ticket)
    done = await ledger.write(_open_retry, ticket, reason, actor)
    delivery.nudge()
    return done


def _open_rollback(db: Connection, ticket: str, reason: str, actor: Actor) -> Submitted:
    head.lock(db)
    view = tickets.get_ticket(db, ticket)
    to = _to_go_back_to(db, view)
    undone, earlier = tickets.change_of(db, ticket), tickets.change_of(db, to)
    change = way_back(undone.change, ticket, earlier.change)
    if change is None:
        raise Conflict(f"{to} stood before {ticket}, and no step of it says how objects are to be.", to=to)
    links = RollsBack(ticket=ticket, to=to)
    prepared = _prepared(view, earlier, change)
    shown = {"rolls_back": ticket, "restores": to}
    done = _open(db, prepared, actor, keys.ROLLBACK + ticket, shown, {"rolls_back": links}, reason)
    if done.created:
        body = {"ticket": done.view.id, "to": to, "reason": reason}
        _link(db, ticket, ROLLBACK, actor, body, {"rolled_back_by": done.view.id})
    return done


def _open_retry(db: Connection, ticket: str, reason: str, actor: Actor) -> Submitted:
    head.lock(db)
    view = tickets.get_ticket(db, ticket)
    _check_retry(db, view)
    stored = tickets.change_of(db, ticket)
    prepared = _prepared(view, stored, stored.change)
    origin = {} if stored.promoted_from is None else {"promoted_from": stored.promoted_from}
    shown: dict[str, Any] = {"previous": ticket, **origin}
    links: dict[str, Any] = {"retries": ticket, **origin}
    if stored.rehearsal:  # run again, it is a rehearsal still
        shown, links = {**shown, "is_rehearsal": True}, {**links, "rehearsal": True}
    done = _open(db, prepared, actor, keys.RETRY + ticket, shown, links, reason)
    if done.created:
        body = {"ticket": done.view.id, "reason": reason}
        _link(db, ticket, RETRY, actor, body, {"retried_by": done.view.id})
    return done


def _to_go_back_to(db: Connection, view: TicketView) -> str:
    """Return the ticket whose version stood before, on every target.

    Raises Conflict, saying what to do instead.
    """
    stood = {target: _stood_on(db, view, target) for target in view.every_target}
    if len(set(stood.values())) > 1:
        told = "; ".join(f"{ticket} on {target}" for target, ticket in stood.items())
        raise Conflict(
            f"Not the same version stood on every target before {view.id}: {told}. No one ticket brings that "
            "back. Submit a change for each target to the version that you want there.",
            stood=stood,
        )
    return next(iter(stood.values()))


def _stood_on(db: Connection, view: TicketView, target: str) -> str:
    """Return the ticket whose version stood on one target before. Raises Conflict."""
    now = linked.standing(db, target)
    if view.rolls_back is not None:
        raise Conflict(
            f"{view.id} is itself a rollback, to {view.restores}. To go back further: holdpoint rollback "
            f"{view.restores}. To bring {view.rolls_back} again, lift its ban (holdpoint ban list) "
            "and submit its change.",
            restores=view.restores,
        )
    if now is None or now.ticket != view.id:
        raise _not_there(view, target, now)
    before = linked.stood_before(db, view, target)
    if before is None or before.ticket == view.id:
        raise Conflict(
            f"Nothing succeeded on {target} before {view.id}: it was the first rollout there, so there "
            "is no version to go back to. Submit a change to the version that you want.",
            target=target,
        )
    return before.ticket


def _not_there(view: TicketView, target: str, now: linked.Standing | None) -> Conflict:
    if view.rolled_back_by is not None:
        return Conflict(f"{view.id} was rolled back already: {view.rolled_back_by}.", by=view.rolled_back_by)
    stands = "nothing" if now is None else now.ticket
    return Conflict(
        f"{stands} has succeeded on {target} since {view.id}: going back would undo that as well. "
        f"First: holdpoint rollback {stands}. Or submit a change to the version that you want.",
        stands=stands,
    )


def _check_retry(db: Connection, view: TicketView) -> None:
    """Return if the ticket may be run again. Raises Conflict, saying what to do instead."""
    if not view.phase.terminal:
        why = f"is still open: it is {view.phase}. Only what is finished is run again."
    elif view.phase is Phase.SUCCEEDED:
        why = "succeeded: there is nothing to run again. To bring it once more, submit its change."
    elif view.takeover is not None and view.in_hand:
        why = f"is in {view.takeover.by}'s hands. First: holdpoint takeover {view.id} --done --reason TEXT"
    elif view.phase is Phase.ROLLBACK_FAILED and view.takeover is None:
        why = f"left its target half changed. That comes first: holdpoint rollback {view.id}"
    elif view.rolls_back is not None:
        why = f"is a rollback. To try it again: holdpoint rollback {view.rolls_back}"
    elif view.retried_by and tickets.get_ticket(db, view.retried_by).phase is Phase.SUCCEEDED:
        why = f"was run again by {view.retried_by}, which has succeeded."
    else:
        return
    raise Conflict(f"{view.id} {why}", phase=view.phase.value)


def _prepared(view: TicketView, source: StoredChange, change: Change) -> Prepared:
    """Return what a submission would be, at the commit that was resolved for `source`."""
    return Prepared(
        change=change,
        repository=source.repository,
        targets=view.every_target,
        digest=content_digest(change, source.repository),
        commit=source.commit,
    )


def _open(
    db: Connection,
    prepared: Prepared,
    actor: Actor,
    key: str,
    shown: dict[str, Any],
    links: dict[str, Any],
    reason: str,
) -> Submitted:
    at = instant(head.lock(db).now)
    view = new_ticket(prepared, actor, at=at).model_copy(update=shown)
    told = {**shown, "reason": reason}
    opened, created = tickets.open_ticket(
        db,
        view=view,
        stored=stored_change(view.id, prepared, actor, **links),
        key=key,
        content=key,
        scope_open_only=True,
        draft=first_entry(view, prepared, key.strip(), **told),
    )
    return Submitted(view=opened, created=created)


def _link(
    db: Connection, ticket: str, kind: str, actor: Actor, body: dict[str, Any], patch: dict[str, Any]
) -> None:
    draft = EntryDraft(
        key=f"{kind}/{body['ticket']}",
        kind=kind,
        actor=actor.account,
        at=instant(head.lock(db).now),
        body=body,
    )
    append_once(db, draft, ticket)
    tickets.patch_ticket(db, ticket, patch)
