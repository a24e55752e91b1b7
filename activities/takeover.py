"""What a person leaves on a target that they had in hand is compared with the snapshot, and it is freed."""

import asyncio

from temporalio import activity

from activities.beat import beating
from activities.sent import sent_of
from activities.snapshot import Snapshot
from activities.undo import compare
from holdpoint.clients.fencing import Fencing
from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import takeovers, targets
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.doors import LedgerDoor
from holdpoint.ledger.store import Ledger
from holdpoint.models import contracts
from holdpoint.models.activity_calls import Call, Compared
from holdpoint.models.errors import PermanentError
from holdpoint.models.record import TargetRow
from holdpoint.models.redact import redact
from holdpoint.models.ticket import RollbackResult, TicketView


class TakeoverActivities:
    """The end of a takeover. Safe to repeat: what was compared once keeps its result."""

    def __init__(self, *, ledger: Ledger, blobs: Blobs, clusters: Clusters) -> None:
        self._ledger, self._blobs, self._clusters = ledger, blobs, clusters

    @activity.defn(name=contracts.HAND_BACK.name)
    async def hand_back(self, call: Call) -> Compared:
        """Compare, record what that said, and free the target. Raises Conflict without a person's word."""
        async with beating():
            view = await self._ledger.read(takeovers.given_back, call.ticket)
            if view.in_hand:
                compared = await self._compare(view)
                view = await self._ledger.write(takeovers.end, call.ticket, compared)
            return _told(view)

    async def _compare(self, view: TicketView) -> Compared:
        """Return what the cluster is like now; a snapshot that cannot be read is a difference, too."""
        row = await self._ledger.read(targets.get_target, view.target)
        if row is None or row.in_hand_of is None:
            return Compared(result=RollbackResult.DIVERGED, differences=["Somebody else holds the target."])
        fencing = Fencing(LedgerDoor(self._ledger), self._clusters, cause=f"takeover/{view.id}")
        left = await self._ledger.read(takeovers.still_open, row.target)
        await fencing.outwait(await fencing.close_now(left))
        try:
            snapshot = await self._snapshot(row)
        except PermanentError as error:
            said = f"The snapshot cannot be compared with: {redact(error.message)[:500]}"
            return Compared(result=RollbackResult.DIVERGED, differences=[said])
        cluster = self._clusters.undo(row.target.partition("/")[0])
        return await compare(cluster, snapshot, await sent_of(self._ledger, Call(ticket=view.id), snapshot))

    async def _snapshot(self, row: TargetRow) -> Snapshot:
        secret = await asyncio.to_thread(self._blobs.get_secret, row.snapshot or "")
        return Snapshot.model_validate_json(secret)


def _told(view: TicketView) -> Compared:
    """Return what was recorded."""
    takeover = view.takeover
    result = takeover.result if takeover is not None else None
    return Compared(
        result=result or RollbackResult.DIVERGED,
        differences=takeover.differences if takeover is not None else [],
        stays=view.rollback.stays,
    )
