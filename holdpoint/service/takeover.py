"""A person takes the target of a failed rollback in hand, and gives it back.

Who and why is an entry in the ledger, and the target's holder is that person in the same transaction: from
then on no intent of ours opens there. What was sent before is fenced, as under a freeze; an object that
cannot be fenced yet is named as in doubt, and is tried again until it is. Temporal has no part in it.

To give it back is a word in the ledger as well. The closing workflow that it orders reads it there, compares
with the snapshot, and frees the target whatever the comparison says: the person has decided.
"""

from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import takeovers, targets, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import AccessDenied
from holdpoint.models.ticket import TicketView
from holdpoint.service.denials import record_denial
from holdpoint.service.outbox import Delivery
from holdpoint.service.read import known_ticket, told_ticket
from holdpoint.service.roles import Actor, Permission, denial
from holdpoint.service.standstill import fence_all
from holdpoint.service.turns import Turns

DENIED = "takeover.denied"


async def take_over(
    ticket: str, reason: str, actor: Actor, *, ledger: Ledger, clusters: Clusters, turns: Turns
) -> TicketView:
    """Hand the target to the actor, and fence what of ours is under way there.

    Said again it fences again; said by another it is theirs from then on. Raises NotFound, AccessDenied, and
    Conflict where no failed rollback has left anything.
    """
    await _allow(ticket, actor, ledger=ledger)
    roles = sorted(actor.roles)
    async with turns.of(ticket):
        await ledger.write(takeovers.begin, ticket, by=actor.account, roles=roles, reason=reason)
        return await _fence(ticket, ledger=ledger, clusters=clusters)


async def give_back(
    ticket: str, reason: str, actor: Actor, *, ledger: Ledger, delivery: Delivery, turns: Turns
) -> TicketView:
    """Record that the actor is done, and have it compared and freed; said again, it is ordered once.

    Raises NotFound, AccessDenied, and Conflict where nobody has the target in hand.
    """
    await _allow(ticket, actor, ledger=ledger)
    roles = sorted(actor.roles)
    async with turns.of(ticket):
        seq = await ledger.write(takeovers.give_back, ticket, by=actor.account, roles=roles, reason=reason)
        delivery.nudge()
    return await told_ticket(ledger, ticket, by=actor.account, after=seq)


async def fence_what_was_taken_over(*, ledger: Ledger, clusters: Clusters) -> None:
    """Try again to fence what takeovers left in doubt, those too whose process died before it did."""
    for row in await ledger.read(targets.held_targets):
        if row.in_hand_of is None or row.holder_ticket is None:
            continue
        view = await ledger.read(tickets.get_ticket, row.holder_ticket)
        takeover = view.takeover
        if takeover is not None and (takeover.fenced_at is None or takeover.in_doubt):
            await _fence(view.id, ledger=ledger, clusters=clusters)


async def _fence(ticket: str, *, ledger: Ledger, clusters: Clusters) -> TicketView:
    view = await ledger.read(tickets.get_ticket, ticket)
    found = await ledger.read(takeovers.still_open, view.target)
    left = await fence_all(found, cause=f"takeover/{ticket}", ledger=ledger, clusters=clusters)
    return await ledger.write(takeovers.fenced, ticket, sorted({one.object for one in left}))


async def _allow(ticket: str, actor: Actor, *, ledger: Ledger) -> None:
    """Return if the actor may. Raises NotFound, and AccessDenied, which is recorded."""
    view = await known_ticket(ledger, ticket)
    if actor.may(Permission.TAKE_OVER):
        return
    message = denial(actor, Permission.TAKE_OVER)
    await ledger.write(
        record_denial, ticket=view.id, actor=actor.account, kind=DENIED, asked="takeover", message=message
    )
    raise AccessDenied(message, ticket=view.id)
