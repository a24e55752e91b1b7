"""Pause, resume, abort, roll back: updates with an explicit ID, one at a time for each ticket.

What has succeeded takes no more words: its rollback is a new ticket (`linked.py`).

Abort can never be locked out: where its update cannot be had (no worker answers, the execution's updates are
used up) it is sent as a signal, which Temporal keeps until the ticket reads it.
"""

import secrets
from typing import Literal

from holdpoint.clients.temporal import Temporal
from holdpoint.ledger import head
from holdpoint.ledger.store import Ledger
from holdpoint.models.contracts import (
    ABORT,
    PAUSE,
    RESUME,
    ROLLBACK,
    SIGNAL_ABORT,
    Named,
    ticket_workflow,
)
from holdpoint.models.errors import AccessDenied, Conflict, NotFound, TransientError, UpstreamUnavailable
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason, TicketView
from holdpoint.models.workflow_messages import Answer, CloseStart, Control
from holdpoint.service.denials import record_denial
from holdpoint.service.linked import roll_back_success
from holdpoint.service.outbox import Delivery
from holdpoint.service.read import known_ticket, told_ticket
from holdpoint.service.roles import Actor, Permission, denial
from holdpoint.service.turns import Turns

Verb = Literal["pause", "resume", "abort", "rollback"]
UPDATES: dict[Verb, Named[Control, Answer]] = {
    "pause": PAUSE,
    "resume": RESUME,
    "abort": ABORT,
    "rollback": ROLLBACK,
}
DENIED = "control.denied"


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
) -> TicketView:
    """Say one of the verbs to a running ticket. A rollback of one that succeeded is a ticket of its own.

    Raises NotFound, AccessDenied, Conflict, UpstreamUnavailable.
    """
    view = await known_ticket(ledger, ticket)
    if not actor.may_control(view.requester):
        await _deny(view, verb, actor, ledger=ledger)
    word = Control(verb=verb, by=actor.account, reason=reason)
    before = (await ledger.read(head.read)).seq
    async with turns.of(ticket):
        if view.phase is Phase.ROLLBACK_FAILED and verb == "rollback":
            _check_free(view)
            await temporal.start_closing(_again(view, word))
            return await known_ticket(ledger, ticket)
        elif view.phase is Phase.SUCCEEDED and verb == "rollback":
            return (await roll_back_success(ticket, reason, actor, ledger=ledger, delivery=delivery)).view
        elif view.phase.terminal:
            raise closed(view)
        else:
            await _tell(ticket, verb, word, ledger=ledger, temporal=temporal, delivery=delivery)
    return await told_ticket(ledger, ticket, by=actor.account, after=before)


async def _deny(view: TicketView, verb: Verb, actor: Actor, *, ledger: Ledger) -> None:
    message = denial(actor, Permission.CONTROL)
    if actor.may(Permission.CONTROL_OWN):
        message += f" {actor.account} may do so with its own tickets; this one is {view.requester}'s."
    await ledger.write(
        record_denial, ticket=view.id, actor=actor.account, kind=DENIED, asked=verb, message=message
    )
    raise AccessDenied(message, ticket=view.id)


async def _tell(
    ticket: str, verb: Verb, word: Control, *, ledger: Ledger, temporal: Temporal, delivery: Delivery
) -> None:
    workflow, key = ticket_workflow(ticket), f"{verb}/{word.by}/{secrets.token_hex(8)}"
    try:
        await _update(workflow, verb, word, temporal=temporal, key=key)
    except NotFound as error:
        view = await known_ticket(ledger, ticket)
        if view.phase.terminal:
            raise closed(view) from error
        delivery.nudge()
        raise UpstreamUnavailable(
            f"{ticket} is not running in Temporal yet. It is started by itself; say it again in a moment.",
            retry_after=2,
        ) from error


def _check_free(view: TicketView) -> None:
    """Hold that an undo of ours may be tried again. Raises Conflict."""
    takeover = view.takeover
    if takeover is None:
        return
    if view.in_hand:
        raise Conflict(
            f"{view.id} is in {takeover.by}'s hands: nothing of ours writes to {view.target}. When that is "
            f"done: holdpoint takeover {view.id} --done --reason TEXT",
            by=takeover.by,
        )
    raise Conflict(f"{view.id} was settled by hand ({takeover.result}), and its target is free.")


def closed(view: TicketView) -> Conflict:
    """Return why nothing can be said any more, and what can be done instead."""
    further = "rollback" if view.phase in (Phase.SUCCEEDED, Phase.ROLLBACK_FAILED) else "retry"
    does = "undoes it" if further == "rollback" else "runs it again"
    return Conflict(
        f"{view.id} is closed: it is {view.phase}. `holdpoint {further} {view.id}` {does}.",
        phase=view.phase.value,
    )


async def _update(workflow: str, verb: Verb, word: Control, *, temporal: Temporal, key: str) -> None:
    try:
        await temporal.update(workflow, UPDATES[verb], word, id=key)
    except TransientError:
        if verb != "abort":
            raise
        await temporal.signal(workflow, SIGNAL_ABORT, word)


def _again(view: TicketView, word: Control) -> CloseStart:
    message = word.reason or f"{word.by} tries the rollback again."
    return CloseStart(ticket=view.id, by=word.by, reason=Reason(code="rollback_requested", message=message))
