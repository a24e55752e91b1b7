"""A person takes a target in hand whose rollback failed, and gives it back.

While they have it the target's holder is that person and no run of ours, so that nothing of ours opens an
intent on it; it stays dirty, and its lane waits. Each word is an entry that the API's door writes behind its
token check.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from holdpoint.ledger import entries, head, outbox, targets, tickets
from holdpoint.ledger.clock import instant
from holdpoint.ledger.intents import open_intents
from holdpoint.ledger.writer import append_once
from holdpoint.models.activity_calls import Compared
from holdpoint.models.errors import Conflict
from holdpoint.models.phases import Phase
from holdpoint.models.record import Direction, EntryDraft, Intent, TargetRow
from holdpoint.models.ticket import Reason, RollbackResult, Takeover, TicketView
from holdpoint.models.workflow_messages import CloseStart

WAYS: tuple[Direction, ...] = ("forward", "undo")
BEGUN, FENCED, DONE, ENDED = "takeover.begun", "takeover.fenced", "takeover.done", "takeover.ended"


def begin(db: Connection, ticket: str, *, by: str, roles: list[str], reason: str) -> Takeover:
    """Hand the target that the ticket left dirty to a person; one who has it already keeps it as it was.

    Raises Conflict where nothing is left to take over, and NotFound.
    """
    at = instant(head.lock(db).now)
    view = tickets.get_ticket(db, ticket)
    before = view.takeover if view.in_hand else None
    if before is not None and before.by == by and before.done_by is None:
        return before
    row = left_dirty(db, view)
    targets.hand_over(db, target=row.target, ticket=ticket, by=by)
    said: dict[str, Any] = {"by": by, "roles": roles, "reason": reason, "target": row.target}
    said |= {"from": None if before is None else before.by}
    _append(db, ticket, BEGUN, by, at, said, number=_number(db, ticket) + 1)
    takeover = Takeover(by=by, reason=reason, since=at)
    tickets.patch_ticket(db, ticket, {"takeover": takeover.model_dump(mode="json")})
    return takeover


def left_dirty(db: Connection, view: TicketView) -> TargetRow:
    """Return the target that a failed rollback has left to a person. Raises Conflict where there is none."""
    if view.phase is not Phase.ROLLBACK_FAILED:
        raise Conflict(
            f"{view.id} is {view.phase}: only what a failed rollback left is taken over.",
            phase=view.phase.value,
        )
    row = targets.get_target(db, view.target)
    if row is None or row.holder_ticket != view.id or not row.dirty:
        raise Conflict(f"{view.id} has nothing left to take over: {view.target} was settled.")
    return row


def fenced(db: Connection, ticket: str, in_doubt: list[str]) -> TicketView:
    """Record which objects a late write of ours may still change, if that is news; return the ticket."""
    at = instant(head.lock(db).now)
    view = tickets.get_ticket(db, ticket)
    takeover = view.takeover
    if takeover is None or not view.in_hand:
        return view
    if takeover.fenced_at is not None and takeover.in_doubt == in_doubt:
        return view
    number = entries.count_of(db, ticket, FENCED) + 1
    _append(db, ticket, FENCED, takeover.by, at, {"in_doubt": in_doubt}, number=number)
    now = takeover.model_copy(update={"fenced_at": at, "in_doubt": in_doubt})
    tickets.patch_ticket(db, ticket, {"takeover": now.model_dump(mode="json")})
    return tickets.get_ticket(db, ticket)


def give_back(db: Connection, ticket: str, *, by: str, roles: list[str], reason: str) -> int:
    """Record that a person is done, and order the comparison; return the number of the word.

    Raises Conflict where nobody has the target in hand, and NotFound.
    """
    at = instant(head.lock(db).now)
    view = tickets.get_ticket(db, ticket)
    takeover = view.takeover
    if takeover is None or not view.in_hand:
        raise Conflict(f"Nobody has the target of {ticket} in hand.{_instead(view)}", phase=view.phase.value)
    number = _number(db, ticket)
    said = {"by": by, "roles": roles, "reason": reason, "number": number}
    seq = _append(db, ticket, DONE, by, at, said, number=number)
    if takeover.done_by is None:
        now = takeover.model_copy(update={"done_by": by, "done_reason": reason})
        tickets.patch_ticket(db, ticket, {"takeover": now.model_dump(mode="json")})
    why = Reason(code="taken_over", message=reason)
    start = CloseStart(ticket=ticket, by=by, reason=why, handed_back=True)
    key = f"close/{ticket}/{number}"
    outbox.post(db, kind="close", ticket=ticket, body=start.model_dump(mode="json"), key=key)
    return seq


def given_back(db: Connection, ticket: str) -> TicketView:
    """Return the ticket whose target a person has given back. Raises Conflict without their word."""
    view, number = tickets.get_ticket(db, ticket), _number(db, ticket)
    words = [one for one in entries.entries_of(db, ticket) if one.kind == DONE]
    spoken = any(one.body["number"] == number and one.body["by"] == one.actor for one in words)
    if view.takeover is None or not spoken:
        raise Conflict(f"Nobody has said that {ticket} is done by hand: holdpoint takeover {ticket} --done")
    return view


def end(db: Connection, ticket: str, compared: Compared) -> TicketView:
    """Free the target, and record what the comparison said of what the person left there.

    `restored` ends the ticket RolledBack; after anything else it stays RollbackFailed, and is settled all the
    same. Raises Conflict while forward intents on the target are open.
    """
    at = instant(head.lock(db).now)
    view = tickets.get_ticket(db, ticket)
    takeover = view.takeover
    if takeover is None or takeover.done_at is not None:
        return view
    row = targets.get_target(db, view.target)
    if row is not None and row.holder_run is not None and row.in_hand_of is not None:
        targets.release_target(db, target=row.target, run=row.holder_run, clean=True)
    by = takeover.done_by or takeover.by
    said = compared.model_dump(mode="json")
    now = takeover.model_copy(
        update={"done_at": at, "result": compared.result, "differences": compared.differences}
    )
    _append(db, ticket, ENDED, by, at, {**said, "by": by}, number=_number(db, ticket))
    patch: dict[str, Any] = {"takeover": now.model_dump(mode="json"), "reason": _why(now).model_dump()}
    patch["rollback"] = {**said, "attempts": view.rollback.attempts}
    if compared.result is RollbackResult.RESTORED:
        patch["phase"] = Phase.ROLLED_BACK.value
        body = {"phase": Phase.ROLLED_BACK.value, "from": view.phase.value, "reason": patch["reason"]}
        _append(db, ticket, "phase.entered", by, at, body, number=_number(db, ticket))
    tickets.patch_ticket(db, ticket, patch)
    return tickets.get_ticket(db, ticket)


def still_open(db: Connection, target: str) -> list[Intent]:
    """Return what of ours may still land on a target, forward and undo; a late fence does no harm."""
    found = [one for way in WAYS for one in open_intents(db, target=target, direction=way)]
    return [intent for intent in found if intent.request.verb != "fence"]


def _number(db: Connection, ticket: str) -> int:
    """Return how often the ticket's target was taken over."""
    return entries.count_of(db, ticket, BEGUN)


def _append(
    db: Connection, ticket: str, kind: str, by: str, at: datetime, body: dict[str, Any], *, number: int
) -> int:
    draft = EntryDraft(key=f"takeover/{kind}/{number}", kind=kind, actor=by, at=at, body=body)
    return append_once(db, draft, ticket)[0]


def _why(done: Takeover) -> Reason:
    count = len(done.differences)
    left = "" if count == 0 else f", with {count} difference{'' if count == 1 else 's'}"
    message = f"{done.by} took the target over ({done.reason}); {done.done_by or done.by} gave it back"
    return Reason(code="taken_over", message=f"{message} ({done.done_reason}): `{done.result}`{left}.")


def _instead(view: TicketView) -> str:
    if view.phase is Phase.ROLLBACK_FAILED and view.takeover is None:
        return f" To take it over: holdpoint takeover {view.id} --reason TEXT"
    return ""
