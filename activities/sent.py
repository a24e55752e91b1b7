"""What a ticket itself has done, for all the ledger knows: an undo takes back that, and nothing of others."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from activities.deferred import PATIENCE
from activities.exchanges import may_have_acted, taken_back
from activities.jobs import KIND as JOB
from activities.requests_back import Asked
from activities.snapshot import Snapshot
from holdpoint.ledger.intents import intents_of
from holdpoint.ledger.store import Ledger
from holdpoint.models.activity_calls import Call, UndoCall
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.record import ObjectRef


@dataclass(frozen=True)
class Sent:
    """What a ticket may have deleted, the Jobs that it has made, and the requests that it has sent.

    What else is gone was deleted by somebody else.
    """

    removed: Collection[ObjectRef] = ()
    ran: Collection[ObjectRef] = ()
    asked: Asked = field(default_factory=Asked)


async def sent_of(ledger: Ledger, call: Call, snapshot: Snapshot) -> Sent:
    """Return what this ticket may have deleted, of what its plan names, and what it has done once.

    Without the ledger that is not known. Whatever the plan deletes and is gone counts as ours; of the Jobs
    those that are there; of the requests those whose steps had begun, where the rollout has told that.
    """
    if not (snapshot.removed or snapshot.ran or snapshot.asked):
        return Sent()
    try:
        async with asyncio.timeout(PATIENCE):
            found = await ledger.read(intents_of, call.ticket)
    except (UpstreamUnavailable, TimeoutError):
        return Sent(removed=snapshot.removed, asked=Asked(_begun(call, snapshot)))
    sent = [one.request for one in found if one.status != "refused"]
    deleted = {one.object for one in sent if one.direction == "forward" and one.verb == "delete"}
    done = [one.request for one in found if one.status == "done"]
    return Sent(
        removed=snapshot.removed & deleted,
        ran={one.object for one in done if one.object.kind == JOB and one.verb == "apply"},
        asked=Asked(may_have_acted(found), taken_back(found)),
    )


def _begun(call: Call, snapshot: Snapshot) -> set[ObjectRef] | None:
    """Return the requests whose steps had begun, as the rollout has told; None where it has not."""
    if not isinstance(call, UndoCall) or call.begun is None:
        return None
    exchanges = [before.exchange for before in snapshot.asked if before.exchange is not None]
    return {exchange.ref() for exchange in exchanges if exchange.index in call.begun}
