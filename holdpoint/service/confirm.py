"""Say of a manual step that it is done, or that it failed: an entry in the ledger first, then the update.

As with approvals (design decision 26) the entry, written behind the token check, is the word; the update only
wakes the ticket, whose rollout reads the word from the ledger. The first word on a step stands.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from holdpoint.ledger import confirmations, head, outbox, tickets
from holdpoint.ledger.clock import now
from holdpoint.ledger.store import Ledger
from holdpoint.models.activity_calls import Confirmation
from holdpoint.models.contracts import CONFIRM
from holdpoint.models.errors import AccessDenied, Conflict, TransientError
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import StepStatus, StepView, TicketView
from holdpoint.models.workflow_messages import ConfirmationGiven
from holdpoint.service.denials import record_denial
from holdpoint.service.outbox import Delivery
from holdpoint.service.read import known_ticket, told_ticket
from holdpoint.service.roles import ROLES, Actor
from holdpoint.service.turns import Turns

DENIED = "manual.denied"
BEGUN = (StepStatus.RUNNING, StepStatus.HELD)


@dataclass(frozen=True)
class Word:
    """What is said of the manual step of this name. `done` is False where it failed."""

    step: str
    done: bool
    reason: str


async def confirm(
    ticket: str, word: Word, actor: Actor, *, ledger: Ledger, delivery: Delivery, turns: Turns
) -> TicketView:
    """Record the word and tell the ticket; what was said before in the same words is answered alike.

    Raises NotFound, AccessDenied, Conflict. While Temporal is down the word is in the ledger and reaches the
    ticket later, by the outbox.
    """
    await known_ticket(ledger, ticket)
    stored = await ledger.read(tickets.change_of, ticket)
    who = {index: step.manual.who for index, step in enumerate(stored.change.spec.plan.steps) if step.manual}
    async with turns.of(ticket):
        said = await ledger.write(_record, ticket, word, actor, who)
        if isinstance(said, _Denied):
            raise AccessDenied(said.message, ticket=ticket)
        if said is None:
            return await known_ticket(ledger, ticket)
        with suppress(TransientError):
            await delivery.send_update(ticket, said.update, key=said.key)
            return await told_ticket(ledger, ticket, by=actor.account, after=said.seq)
    return await known_ticket(ledger, ticket)


@dataclass(frozen=True)
class _Denied:
    message: str


@dataclass(frozen=True)
class _Said:
    seq: int
    key: str
    update: dict[str, Any]


def _record(
    db: Connection, ticket: str, word: Word, actor: Actor, who: dict[int, str]
) -> _Said | _Denied | None:
    """Append the word and the order to tell the ticket; None if it was said before. Raises Conflict."""
    head.lock(db)  # what is read after it stays true until the word is recorded
    view, at = tickets.get_ticket(db, ticket), now(db)
    index = _manual_step(view, word.step, who)
    if not may_confirm(who[index], actor):
        message = f"{actor.account} may not speak for the step {word.step!r}: it asks {who[index]}."
        asked = "confirm" if word.done else "confirm --failed"
        record_denial(db, ticket=ticket, actor=actor.account, kind=DENIED, asked=asked, message=message)
        return _Denied(message)
    before = confirmations.word_on(db, ticket, index)
    _hold_open(view, before)
    if before is not None:
        _hold_same(word, before)
        return None
    _hold_asked(view, index, at)
    given = Confirmation(done=word.done, by=actor.account, reason=word.reason)
    roles = sorted(actor.roles)
    seq = confirmations.give_word(db, ticket, index, given, name=word.step, roles=roles, at=at)
    key = confirmations.key_of(index)
    argument = ConfirmationGiven(
        by=actor.account, step=index, done=word.done, entry=key, at=at, reason=word.reason
    )
    update = {"update": CONFIRM.name, "argument": argument.model_dump(mode="json")}
    outbox.post(db, kind="update", ticket=ticket, body=update, key=f"{ticket}/{key}")
    return _Said(seq, key, update)


def may_confirm(who: str, actor: Actor) -> bool:
    """Tell whether the actor is whom a step asks. A role's name is never an account's."""
    return who in actor.roles if who in ROLES else who == actor.account


def _manual_step(view: TicketView, name: str, who: dict[int, str]) -> int:
    """Return the index of the manual step of this name. Raises Conflict."""
    named = [index for index, step in enumerate(view.steps) if step.name == name]
    manual = [index for index in named if index in who]
    if manual:
        return manual[0]  # a change file gives each manual step a name of its own
    if named:
        kind = view.steps[named[0]].kind
        raise Conflict(
            f"The step {name!r} of {view.id} is of the kind {kind}: only a manual one is confirmed."
        )
    known = ", ".join(repr(view.steps[index].name) for index in who if index < len(view.steps)) or "none"
    raise Conflict(f"{view.id} has no step {name!r}. Its manual steps: {known}.")


def _hold_open(view: TicketView, before: Confirmation | None) -> None:
    """Hold that a word still matters. Raises Conflict."""
    if view.phase.terminal or view.phase is Phase.ROLLING_BACK:
        said = f" {before.by} said {_said(before.done)} before." if before else ""
        over = "closed" if view.phase.terminal else "not waiting for it any more"
        raise Conflict(f"{view.id} is {over}: it is {view.phase}.{said}", phase=view.phase.value)


def _hold_same(word: Word, before: Confirmation) -> None:
    """Hold that the same was said as before. Raises Conflict."""
    if word.done != before.done:
        raise Conflict(
            f"{before.by} has said {_said(before.done)} of the step {word.step!r} already; the first word "
            "stands. To undo the change use: holdpoint rollback",
            by=before.by,
        )


def _said(done: bool) -> str:
    return "`done`" if done else "`failed`"


def _hold_asked(view: TicketView, index: int, at: datetime) -> None:
    """Hold that the ticket stands at the step, and that its time is not over. Raises Conflict."""
    step = view.steps[index]
    if view.phase is not Phase.EXECUTING or step.status not in BEGUN:
        raise Conflict(f"{view.id} does not stand at the step {step.name!r}: {_standing(view)}.")
    if step.ends_at is None and step.left is None:
        raise Conflict(f"{view.id} does not ask for the step {step.name!r} yet; say it again in a moment.")
    if step.ends_at is not None and at > step.ends_at:
        raise Conflict(f"The time of the step {step.name!r} was over at {step.ends_at:%Y-%m-%dT%H:%M:%SZ}.")


def _standing(view: TicketView) -> str:
    now_at: StepView | None = next((step for step in view.steps if step.status in BEGUN), None)
    return f"it is {view.phase}" + (f", at the step {now_at.name!r}" if now_at else "")
