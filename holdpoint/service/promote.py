"""Let a canary go on that is held for want of a verdict: an entry in the ledger first, then the update.

As with approvals (design decision 26) the entry, written behind the token check, is the word; the update only
wakes the ticket, whose rollout reads the word from the ledger. It is bound to the digest that runs and to the
holds that lay when it was said. There is none over a `fail`: that rolls back, and holds nothing.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from holdpoint.ledger import head, outbox, promotions, tickets
from holdpoint.ledger.clock import now
from holdpoint.ledger.store import Ledger
from holdpoint.models.activity_calls import Promotion
from holdpoint.models.base import Digest
from holdpoint.models.contracts import PROMOTION
from holdpoint.models.errors import AccessDenied, Conflict, InvalidRequest, TransientError
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Hold, HoldCode, StepStatus, TicketView
from holdpoint.models.workflow_messages import PromotionGiven
from holdpoint.service.control import DENIED, closed
from holdpoint.service.denials import record_denial
from holdpoint.service.outbox import Delivery
from holdpoint.service.read import known_ticket, told_ticket
from holdpoint.service.roles import Actor, Permission, denial
from holdpoint.service.turns import Turns

UNDECIDED = frozenset({HoldCode.NO_DATA, HoldCode.LOW_SAMPLE, HoldCode.INCONCLUSIVE, HoldCode.PROVIDER_DOWN})
"""Holds for want of a verdict: a person may decide them."""
JUDGED = (Phase.EXECUTING, Phase.VERIFYING)
BEGUN = (StepStatus.RUNNING, StepStatus.HELD)
WHOLE = 100


@dataclass(frozen=True)
class Word:
    """What goes on without a verdict, by the digest that was shown; with a weight, it goes on there."""

    digest: Digest
    reason: str
    weight: int | None = None


@dataclass(frozen=True)
class _Said:
    seq: int
    key: str
    update: dict[str, Any]


async def promote(
    ticket: str, word: Word, actor: Actor, *, ledger: Ledger, delivery: Delivery, turns: Turns
) -> TicketView:
    """Record the word and tell the ticket; what was said before in the same words is answered alike.

    Raises NotFound, AccessDenied, Conflict, and InvalidRequest for a weight that is not of the plan. While
    Temporal is down the word is in the ledger and reaches the ticket later, by the outbox.
    """
    view = await known_ticket(ledger, ticket)
    if not actor.may(Permission.PROMOTE):
        await _deny(view, actor, ledger=ledger)
    async with turns.of(ticket):
        said = await ledger.write(_record, ticket, word, actor)
        if said is None:
            return await known_ticket(ledger, ticket)
        with suppress(TransientError):
            await delivery.send_update(ticket, said.update, key=said.key)
            return await told_ticket(ledger, ticket, by=actor.account, after=said.seq)
    return await known_ticket(ledger, ticket)


async def _deny(view: TicketView, actor: Actor, *, ledger: Ledger) -> None:
    message = denial(actor, Permission.PROMOTE)
    await ledger.write(
        record_denial, ticket=view.id, actor=actor.account, kind=DENIED, asked="promote", message=message
    )
    raise AccessDenied(message, ticket=view.id)


def _record(db: Connection, ticket: str, word: Word, actor: Actor) -> _Said | None:
    """Append the word and the order to tell the ticket; None if it was said before. Raises Conflict."""
    head.lock(db)  # what is read after it stays true until the word is recorded
    view, at = tickets.get_ticket(db, ticket), now(db)
    holds = _undecided(view, word)
    since = [hold.since for hold in holds]
    before = promotions.word_on(db, ticket, since)
    if before is not None:
        _hold_same(word, before)
        return None
    if word.weight is not None:
        _check_weight(db, view, word.weight)
    return _give(db, view, word, actor, holds, at)


def _give(
    db: Connection, view: TicketView, word: Word, actor: Actor, holds: list[Hold], at: datetime
) -> _Said:
    since = [hold.since for hold in holds]
    key = promotions.key_of(since)
    said = {"by": actor.account, "reason": word.reason, "digest": word.digest, "weight": word.weight}
    promotion = Promotion.model_validate({**said, "since": since, "entry": key})
    over, roles = [hold.code.value for hold in holds], sorted(actor.roles)
    seq = promotions.give_word(db, view.id, promotion, over=over, roles=roles, at=at)
    argument = PromotionGiven.model_validate({**said, "entry": key, "at": at})
    update = {"update": PROMOTION.name, "argument": argument.model_dump(mode="json")}
    outbox.post(db, kind="update", ticket=view.id, body=update, key=f"{view.id}/{key}")
    return _Said(seq, key, update)


def _undecided(view: TicketView, word: Word) -> list[Hold]:
    """Return the holds for want of a verdict that the word is on. Raises Conflict."""
    if view.phase.terminal:
        raise closed(view)
    found = [hold for hold in view.holds if hold.code in UNDECIDED]
    if view.phase not in JUDGED or not found:
        held = ", ".join(hold.code.value for hold in view.holds) or "nothing"
        raise Conflict(
            f"{view.id} is not held for want of a verdict: it is {view.phase}, held by {held}.",
            phase=view.phase.value,
        )
    if word.digest != view.digest:
        raise Conflict(
            f"{view.id} has changed since it was read: the digest given is {word.digest}, "
            f"now it is {view.digest}. Read it again: holdpoint show {view.id}",
            given=word.digest,
            current=view.digest,
        )
    return found


def _hold_same(word: Word, before: Promotion) -> None:
    """Hold that the same was said as before. Raises Conflict."""
    if word.weight != before.weight:
        to = "to the next weight" if before.weight is None else f"to {before.weight} %"
        raise Conflict(f"{before.by} has promoted it {to} already; the first word stands.", by=before.by)


def _check_weight(db: Connection, view: TicketView, weight: int) -> None:
    """Hold that the weight is of the plan, and not behind. Raises InvalidRequest, Conflict."""
    step = next((step for step in view.steps if step.status in BEGUN), None)
    judged = view.phase is Phase.EXECUTING and step is not None
    plan = [round(one["asked"]) for one in step.planned] if judged and step is not None else []
    if judged and not plan:
        raise Conflict(f"The step that {view.id} stands at has no weights; promote it without --weight.")
    allowed = sorted({*plan, WHOLE})
    if weight not in allowed:
        raise _not_planned(weight, allowed)
    stands_at = promotions.weight_now(db, view.id) if judged else WHOLE
    if stands_at is not None and weight < stands_at:
        raise Conflict(f"weight is {weight}, but {view.id} stands at {stands_at} % by now.", at=stands_at)


def _not_planned(weight: int, allowed: list[int]) -> InvalidRequest:
    names = ", ".join(map(str, allowed))
    message = f"weight is {weight}, which is none of the plan's: {names}."
    mistake = {"field": "weight", "found": str(weight), "allowed": names, "message": message}
    return InvalidRequest(message, mistakes=[mistake])
