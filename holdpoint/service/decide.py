"""Approve or reject: an entry in the ledger first, then the update that wakes the ticket (decision 26).

The entry, written behind the token check, is the approval; the workflow counts from the ledger before it runs
anything. So whoever can reach Temporal without credentials can wake a ticket and not approve it.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from holdpoint.ledger import entries, head, outbox, tickets
from holdpoint.ledger.clock import now
from holdpoint.ledger.store import Ledger
from holdpoint.models.base import Digest
from holdpoint.models.errors import AccessDenied, Conflict, TransientError
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft
from holdpoint.models.ticket import TicketView
from holdpoint.models.workflow_messages import ApprovalGiven
from holdpoint.service.denials import record_denial
from holdpoint.service.outbox import Delivery
from holdpoint.service.read import known_ticket, told_ticket
from holdpoint.service.roles import Actor, Permission, denial
from holdpoint.service.turns import Turns

Verb = Literal["approve", "reject"]
KINDS: dict[Verb, str] = {"approve": "approval.given", "reject": "approval.rejected"}
DENIED = "approval.denied"
VOIDED = "approval.voided"
"""The entry by which a ticket voids what was given, before it asks anew."""


@dataclass(frozen=True)
class Word:
    """A person's word on a ticket: bound to the digest that they read. A rejection needs no digest."""

    verb: Verb
    digest: Digest | None
    reason: str


async def decide(
    ticket: str, word: Word, actor: Actor, *, ledger: Ledger, delivery: Delivery, turns: Turns
) -> TicketView:
    """Record the word and tell the ticket. Raises NotFound, AccessDenied and Conflict.

    While Temporal is down the word is in the ledger and reaches the ticket later, by the outbox.
    """
    view = await known_ticket(ledger, ticket)
    await _refuse(view, word, actor, ledger=ledger)
    async with turns.of(ticket):
        seq, key, body = await ledger.write(_record, ticket, word, actor)
        # The outbox sends the same update as well; under the same ID it gets the same answer.
        with suppress(TransientError):
            await delivery.send_update(ticket, body, key=key)
            return await told_ticket(ledger, ticket, by=actor.account, after=seq)
    return await known_ticket(ledger, ticket)


async def _refuse(view: TicketView, word: Word, actor: Actor, *, ledger: Ledger) -> None:
    """Refuse what the door can refuse by itself, and record it."""
    if not actor.may(Permission.DECIDE):
        message = denial(actor, Permission.DECIDE)
    elif word.verb == "approve" and actor.account == view.requester:
        message = f"{actor.account} submitted {view.id}, so somebody else must approve it."
    else:
        return check(view, word)
    await ledger.write(
        record_denial, ticket=view.id, actor=actor.account, kind=DENIED, asked=word.verb, message=message
    )
    raise AccessDenied(message, ticket=view.id)


def check(view: TicketView, word: Word) -> None:
    """Return if the ticket waits for this word, on this digest. Raises Conflict."""
    if view.phase is not Phase.AWAITING_APPROVAL:
        raise Conflict(
            f"{view.id} does not wait for an approval: it is {view.phase}.", phase=view.phase.value
        )
    if (word.digest is None and word.verb == "approve") or word.digest not in (None, view.digest):
        raise Conflict(
            f"{view.id} has changed since it was read: the digest given is {word.digest}, "
            f"now it is {view.digest}. Read it again: holdpoint show {view.id}",
            given=word.digest,
            current=view.digest,
        )


def _record(db: Connection, ticket: str, word: Word, actor: Actor) -> tuple[int, str, dict[str, Any]]:
    """Append the entry and the order to tell the ticket, unless the ticket has moved on meanwhile."""
    head.lock(db)  # what is read after it stays true until the word is recorded
    view = tickets.get_ticket(db, ticket)
    check(view, word)
    digest, at = word.digest or view.digest or "", now(db)
    # What was given before a voiding is spent, even if the digest is the same: a word after it is a new one.
    voided = entries.count_of(db, ticket, VOIDED)
    key = f"{KINDS[word.verb]}/{digest}/{actor.account}" + (f"/{voided}" if voided else "")
    body = {"by": actor.account, "digest": digest, "roles": sorted(actor.roles), "reason": word.reason}
    draft = EntryDraft(key=key, kind=KINDS[word.verb], actor=actor.account, at=at, body=body)
    seq = entries.append_entry(db, draft, ticket)
    argument = ApprovalGiven(by=actor.account, digest=digest, entry=key, at=at, reason=word.reason)
    update = {"update": word.verb, "argument": argument.model_dump(mode="json")}
    outbox.post(db, kind="update", ticket=ticket, body=update, key=f"{ticket}/{key}")
    return seq, key, update
