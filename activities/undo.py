"""Undo a rollout: back to the snapshot in reverse order, each write an intent that no freeze stops.

Only what is ours is undone. What a stranger changed meanwhile stays theirs, and the comparison reports it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from activities import commits_back, route_weights, service_selector
from activities.commits_back import revert
from activities.comparison import MISSING, Difference, Missing, described, differences
from activities.config_mark import MarkPods, is_marked, mark_of
from activities.deferred import DeferringDoor
from activities.exchanges import Exchange
from activities.gitops import Gitops
from activities.intents import Writer
from activities.jobs_back import left_of, take_back
from activities.ownership import is_ours, owners_of, restoring, touched_by_us
from activities.readiness import patience_of, wait_gone, wait_ready
from activities.removal import lost_with
from activities.requests import Requests
from activities.requests_back import left_by, send_back
from activities.route_weights import GiveBack, ReturnRoute
from activities.sent import Sent
from activities.service_selector import GiveBackSelector, ReturnService, is_switched, selector_of
from activities.snapshot import Before, Snapshot
from activities.writes import Delete, Recreate, Restore
from holdpoint.clients.cluster import Cluster
from holdpoint.clients.fencing import Fencing
from holdpoint.models.activity_calls import Compared, UndoCall
from holdpoint.models.errors import PermanentError, StepConfig
from holdpoint.models.record import Intent, IntentRequest, ObjectRef
from holdpoint.models.ticket import RollbackResult

HPA = "kube-controller-manager"
"""The manager under which autoscalers set replicas.

What it scales is its own and was never ours to restore.
"""


REFUSED_PATIENCE = 10.0
"""Seconds to wait for restored pods that the API server does not let in: what is in their way, where a quota
is used up, may be the canary, which goes after them."""


GOING_PATIENCE = 30.0
"""Seconds for an object that is on its way out to be gone, so that it can be made again."""


@dataclass
class Undo:
    """Brings objects back, one after the other, and tells which could not be.

    `sent` is what the rollout has done for all the ledger knows. `in_doubt` are requests to other servers
    that are perhaps still under way; `outwait` returns when they are over.
    """

    cluster: Cluster
    writer: Writer
    requests: Requests | None = None
    sent: Sent = field(default_factory=Sent)
    in_doubt: dict[ObjectRef, Intent] = field(default_factory=dict)
    outwait: Callable[[Iterable[Intent]], Awaitable[None]] | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    gitops: Gitops | None = None
    written: set[ObjectRef] = field(default_factory=set)
    drains: bool = False

    async def all(self, snapshot: Snapshot) -> None:
        """Undo in reverse order. What is refused for good is noted, and the rest is undone all the same.

        Everything is sent before any of it is waited for. What was not there goes last: a canary carries its
        share until stable can. What was done once (a Job, a request, a commit) is taken back between what
        came after it and what came before. A Service that was switched is first of all where the old version
        still stands, and else waits for it.
        """
        for once, objects in reversed(snapshot.stretches):
            restored = [before for before in reversed(objects) if before.body is not None]
            late = [before for before in restored if await self._waits(before, objects)]
            for group in ([one for one in restored if one not in late], late):
                for before in [one for one in group if await self._attempt(one)]:
                    await self._until_ready(before)
            if self.drains:
                await asyncio.sleep(service_selector.DRAIN)
                self.drains = False
            for before in [one for one in reversed(objects) if one.body is None]:
                await self._attempt(before)
            if once is not None:
                await self._attempt(once)

    async def _attempt(self, before: Before) -> bool:
        """Undo one object; return whether anything was sent."""
        try:
            sent = await self._one(before)
        except PermanentError as refusal:
            named = str(before.ref) if before.exchange else f"{before.ref.kind}/{before.ref.name}"
            self.problems.append(f"{named}: {refusal.message}")
            return False
        if sent:
            self.written.add(before.ref)
        return sent

    async def _one(self, before: Before) -> bool:
        if before.run is not None:
            return await take_back(self.cluster, self.writer, before, self.sent.ran)
        if before.exchange is not None:
            return await self._ask_back(before.ref, before.exchange)
        if before.commit is not None and self.gitops is not None:
            return await revert(self.gitops, self.writer, before.commit, self.cluster.name, self.notes)
        return await self._object(before)

    async def _object(self, before: Before) -> bool:
        ref, live = before.ref, await self.cluster.read(before.ref)
        if ref in self.sent.removed and before.body is not None and _is_going(live):
            live = await wait_gone(self.cluster, ref, limit=GOING_PATIENCE)
        if live is None:
            return await self._again(ref, before.body)
        if before.body is None:
            if not touched_by_us(live):
                return False
            return await self.writer.settle(Delete(key=f"undo/{ref.kind}/{ref.name}", ref=ref))
        returned = ref.kind == route_weights.KIND and await self._return_route(before.ref, before.body)
        if ref.kind == service_selector.KIND and is_switched(live):
            returned = await self._return_selector(ref, before.body)
        if is_marked(live):
            mark = MarkPods(f"undo/{ref.kind}/{ref.name}/mark", ref, mark_of(before.body))
            returned = await self.writer.settle(mark) or returned
        live = await self.cluster.read(ref) if returned else live
        if live is None or not differences(before.body, live):
            return returned
        manifest = restoring(before.body, live)
        return returned | await self.writer.settle(
            Restore(key=f"undo/{ref.kind}/{ref.name}", manifest=manifest, cluster=self.cluster.name)
        )

    async def _ask_back(self, ref: ObjectRef, exchange: Exchange) -> bool:
        """Take a request back, once it can no longer arrive after what takes it back."""
        late = self.in_doubt.pop(ref, None)
        if late is not None and exchange.backward is not None and self.outwait is not None:
            await self.outwait([late])
        return await send_back(self.requests, exchange, self.sent.asked)

    async def _again(self, ref: ObjectRef, body: dict[str, Any] | None) -> bool:
        """Make an object again that the rollout deleted; return whether anything was sent."""
        if body is None or ref not in self.sent.removed:
            return False
        if lost := lost_with(body):
            raise StepConfig(f"It was deleted, and cannot be brought back: {lost}.")
        return await self.writer.settle(Recreate(f"undo/{ref.kind}/{ref.name}", body, self.cluster.name))

    async def _until_ready(self, before: Before) -> None:
        ref, patience = before.ref, patience_of(before.body or {})
        ready = await wait_ready(self.cluster, ref, patience=patience, heed=False, refused=REFUSED_PATIENCE)
        if not ready.ready:
            self.notes.append(f"{ref.kind}/{ref.name} is restored but not ready: {ready.message}")

    async def _waits(self, before: Before, objects: list[Before]) -> bool:
        """Tell whether a Service that was switched must wait: what it selected is not there as it was."""
        if before.ref.kind != service_selector.KIND or before.body is None:
            return False
        try:
            live = await self.cluster.read(before.ref)
            if live is None or not is_switched(live):
                return False
            behind = [one for one in objects if _is_behind(before.body, one)]
            return any([await self._is_other(one) for one in behind])
        except PermanentError:
            return False  # the attempt will say so

    async def _is_other(self, before: Before) -> bool:
        """Tell whether the pods that a Deployment makes are others than before."""
        live = await self.cluster.read(before.ref)
        found = differences(before.body or {}, live) if live is not None else []
        return live is None or any(one.path[:2] == ("spec", "template") for one in found)

    async def _return_selector(self, ref: ObjectRef, before: dict[str, Any]) -> bool:
        """Take the requests off the new version by one patch, whoever has edited the Service since."""
        key = f"undo/{ref.kind}/{ref.name}"
        sent = await self.writer.settle(ReturnService(f"{key}/return", ref, before))
        self.drains = self.drains or sent
        return await self.writer.settle(GiveBackSelector(f"{key}/owners", ref, before)) or sent

    async def _return_route(self, ref: ObjectRef, before: dict[str, Any]) -> bool:
        """Take the requests off the canary in any rule, whoever has edited the route since."""
        key = f"undo/{ref.kind}/{ref.name}"
        sent = await self.writer.settle(ReturnRoute(f"{key}/return", ref, before))
        return await self.writer.settle(GiveBack(f"{key}/owners", ref, before)) or sent


async def undo_all(
    undo: Undo, fencing: Fencing, door: DeferringDoor, snapshot: Snapshot, call: UndoCall
) -> None:
    """Fence what is in doubt, undo, and undo again what came late."""
    late = await fencing.close_now(await door.in_doubt(call.target))
    creates = [intent for intent in late if intent.request.verb != "request"]
    undo.in_doubt = {one.request.object: one for one in late if one.request.verb == "request"}
    undo.outwait = fencing.outwait
    await undo.all(snapshot)
    if door.down:
        await _fence_untouched(undo, fencing, snapshot, call)
    elif creates:
        await fencing.outwait(creates)
        await undo.all(snapshot)


async def _fence_untouched(undo: Undo, fencing: Fencing, snapshot: Snapshot, call: UndoCall) -> None:
    """Fence every object that the undo did not write: without the ledger, what is in doubt is not known."""
    for before in snapshot.objects:
        if before.exchange is not None or before.commit is not None:
            continue  # nothing fences a request or a push
        live = None if before.ref in undo.written else await undo.cluster.read(before.ref)
        if live is None:
            continue
        try:
            await fencing.move(_fence_of(before.ref, live, call))
        except PermanentError as refusal:
            undo.problems.append(f"{before.ref.kind}/{before.ref.name} is not fenced: {refusal.message}")


def _fence_of(ref: ObjectRef, live: dict[str, Any], call: UndoCall) -> IntentRequest:
    return IntentRequest(
        ticket=call.ticket,
        target=call.target,
        run=call.run,
        key=f"fence/{ref.kind}/{ref.name}",
        direction="undo",
        verb="fence",
        object=ref,
        resource_version=live["metadata"].get("resourceVersion"),
        service=call.service,
        environment=call.environment,
        change_type=call.type,
    )


def _is_behind(service: dict[str, Any], before: Before) -> bool:
    """Tell whether a Service had the pods of a Deployment behind it."""
    if before.ref.kind != "Deployment" or before.body is None:
        return False
    labels = (before.body["spec"]["template"].get("metadata") or {}).get("labels") or {}
    selector = selector_of(service)
    return bool(selector) and selector.items() <= labels.items()


def _is_going(live: dict[str, Any] | None) -> bool:
    return live is not None and bool(live["metadata"].get("deletionTimestamp"))


async def compare(cluster: Cluster, snapshot: Snapshot, sent: Sent, gitops: Gitops | None = None) -> Compared:
    """Compare the cluster with the snapshot, field by field; whose a difference is decides the result.

    What a Job or a request did and nothing takes back is told beside: it was approved as that.
    """
    ours: list[str] = []
    theirs: list[str] = []
    stays: list[str] = []
    for before in snapshot.objects:
        if before.run is not None:
            left = await left_of(cluster, before, sent.ran)
            ours, stays = [*ours, *left.ours], [*stays, *left.stays]
            continue
        if before.exchange is not None:
            left = left_by(before.exchange, sent.asked)
            ours, stays = [*ours, *left.ours], [*stays, *left.stays]
            continue
        if before.commit is not None:
            if gitops is not None:
                rest = await commits_back.left_of(gitops, before.commit, cluster.name)
                ours, theirs = [*ours, *rest.ours], [*theirs, *rest.theirs]
            continue
        live = await cluster.read(before.ref)
        for difference, mine in _judged(before, live, sent.removed):
            line = f"{before.ref.kind}/{before.ref.name}: {described(before.ref.kind, difference)}"
            (ours if mine else theirs).append(line)
    if ours:
        return Compared(result=RollbackResult.PARTIAL, differences=[*ours, *theirs], stays=stays)
    result = RollbackResult.DIVERGED if theirs else RollbackResult.RESTORED
    return Compared(result=result, differences=theirs, stays=stays)


def _judged(
    before: Before, live: dict[str, Any] | None, removed: Collection[ObjectRef]
) -> list[tuple[Difference, bool]]:
    """Return the differences of one object, each with whether it is ours."""
    if before.body is None and live is None:
        return []
    if live is None:
        return [(Difference((), "present", MISSING), before.ref in removed)]
    if before.body is None:
        return [(Difference((), MISSING, "present"), touched_by_us(live))]
    found = []
    for difference in differences(before.body, live):
        owners = owners_of(live, difference.path)
        if isinstance(difference.now, Missing):
            # Nobody owns what is gone: it is ours if it was ours.
            owners = owners_of(before.body, difference.path)
        if difference.path == ("spec", "replicas") and owners == {HPA}:
            continue
        found.append((difference, not owners or any(is_ours(owner) for owner in owners)))
    return found
