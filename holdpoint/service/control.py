"""Pause, resume, abort, roll back, promote: updates with an explicit ID, one at a time for each ticket.

What has succeeded takes no more words: its rollback is a new ticket (`linked.py`).

Abort can never be locked out: where its update cannot be had (no worker answers, the execution's updates are
used up) it is sent as a signal, which Temporal keeps until the ticket reads it.
"""

import secrets
from typing import Literal

from holdpoint.clients.temporal import Temporal
from holdpoint.ledger import head
from holdpoint.ledger.store import Ledger
from holdpoint.models.base import Digest
from holdpoint.models.contracts import (
    ABORT,
    PAUSE,
    PROMOTE,
    RESUME,
    ROLLBACK,
    SIGNAL_ABORT,
    Named,
    ticket_workflow,
)
from holdpoint.models.errors import AccessDenied, Conflict, NotFound, TransientError, UpstreamUnavailable
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import HoldCode, Reason, TicketView
from holdpoint.models.workflow_messages import Answer, CloseStart, Control
from holdpoint.service.denials import record_denial
from holdpoint.service.linked import roll_back_success
from holdpoint.service.outbox import Delivery
from holdpoint.service.read import known_ticket, told_ticket
from holdpoint.service.roles import Actor, Permission, denial
from holdpoint.service.turns import Turns

Verb = Literal["pause", "resume", "abort", "rollback", "promote"]
UPDATES: dict[Verb, Named[Control, Answer]] = {
    "pause": PAUSE,
    "resume": RESUME,
    "abort": ABORT,
    "rollback": ROLLBACK,
    "promote": PROMOTE,
}
DENIED = "control.denied"
UNDECIDED = frozenset({HoldCode.NO_DATA, HoldCode.LOW_SAMPLE, HoldCode.INCONCLUSIVE, HoldCode.PROVIDER_DOWN})
"""Holds for want of a verdict: a person may decide them. There is none over a `fail`, which rolls back."""


async def control(
    ticket: str,
    verb: Verb,
    reason: str,
    actor: Actor,
    *,
    ledger: Ledger,
    temporal: Temporal,
    delivery: Delivery,
    turns: Turns,
    digest: Digest | None = None,
) -> TicketView:
    """Say one of the verbs to a running ticket; to promote is bound to the digest of what runs.

    A rollback of one that succeeded is a ticket of its own.

    Raises NotFound, AccessDenied, Conflict, UpstreamUnavailable.
    """
    view = await known_ticket(ledger, ticket)
    may = actor.may(Permission.PROMOTE) if verb == "promote" else actor.may_control(view.requester)
    if not may:
        await _deny(view, verb, actor, ledger=ledger)
    if verb == "promote" and not view.phase.terminal:
        _check_undecided(view)
    word = Control(verb=verb, by=actor.account, reason=reason, digest=digest)
    before = (await ledger.read(head.read)).seq
    async with turns.of(ticket):
        if view.phase is Phase.ROLLBACK_FAILED and verb == "rollback":
            await temporal.start_closing(_again(view, word))
            return await known_ticket(ledger, ticket)
        elif view.phase is Phase.SUCCEEDED and verb == "rollback":
            return (await roll_back_success(ticket, reason, actor, ledger=ledger, delivery=delivery)).view
        elif view.phase.terminal:
            raise _closed(view)
        else:
            await _tell(ticket, word, ledger=ledger, temporal=temporal, delivery=delivery)
    return await told_ticket(ledger, ticket, by=actor.account, after=before)


def _check_undecided(view: TicketView) -> None:
    """Hold that a verdict is wanted. Raises Conflict."""
    if not any(hold.code in UNDECIDED for hold in view.holds):
        held = ", ".join(hold.code.value for hold in view.holds) or "nothing"
        raise Conflict(
            f"{view.id} is not held for want of a verdict: it is held by {held}.", phase=view.phase.value
        )


async def _deny(view: TicketView, verb: Verb, actor: Actor, *, ledger: Ledger) -> None:
    message = denial(actor, Permission.PROMOTE if verb == "promote" else Permission.CONTROL)
    if actor.may(Permission.CONTROL_OWN) and verb != "promote":
        message += f" {actor.account} may do so with its own tickets; this one is {view.requester}'s."
    await ledger.write(
        record_denial, ticket=view.id, actor=actor.account, kind=DENIED, asked=verb, message=message
    )
    raise AccessDenied(message, ticket=view.id)


async def _tell(
    ticket: str, word: Control, *, ledger: Ledger, temporal: Temporal, delivery: Delivery
) -> None:
    workflow, key = ticket_workflow(ticket), f"{word.verb}/{word.by}/{secrets.token_hex(8)}"
    try:
        await _update(workflow, word, temporal=temporal, key=key)
    except NotFound as error:
        view = await known_ticket(ledger, ticket)
        if view.phase.terminal:
            raise _closed(view) from error
        delivery.nudge()
        raise UpstreamUnavailable(
            f"{ticket} is not running in Temporal yet. It is started by itself; say it again in a moment.",
            retry_after=2,
        ) from error


def _closed(view: TicketView) -> Conflict:
    """Return why nothing can be said any more, and what can be done instead."""
    further = "rollback" if view.phase in (Phase.SUCCEEDED, Phase.ROLLBACK_FAILED) else "retry"
    does = "undoes it" if further == "rollback" else "runs it again"
    return Conflict(
        f"{view.id} is closed: it is {view.phase}. `holdpoint {further} {view.id}` {does}.",
        phase=view.phase.value,
    )


async def _update(workflow: str, word: Control, *, temporal: Temporal, key: str) -> None:
    try:
        await temporal.update(workflow, UPDATES[word.verb], word, id=key)
    except TransientError:
        if word.verb != "abort":
            raise
        await temporal.signal(workflow, SIGNAL_ABORT, word)


def _again(view: TicketView, word: Control) -> CloseStart:
    message = word.reason or f"{word.by} tries the rollback again."
    return CloseStart(ticket=view.id, by=word.by, reason=Reason(code="rollback_requested", message=message))
