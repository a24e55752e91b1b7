"""The writes that a rollout can want of an object: what is still missing, and how it is sent.

A write is stated as what the world shall look like, so that it can be observed before it is sent and after
an attempt whose answer was lost.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from activities.comparison import differences
from activities.ownership import Claim, claims_of, disputed, is_ours
from activities.scaling import yielding
from holdpoint.clients.cluster import (
    ARTIFACT_ANNOTATION,
    FIELD_MANAGER,
    INTENT_ANNOTATION,
    TICKET_ANNOTATION,
    Cluster,
    Receipt,
    ref_of,
)
from holdpoint.models.errors import Conflict
from holdpoint.models.record import Intent, ObjectRef, Verb

_STORED = frozenset(
    {
        *("resourceVersion", "uid", "generation", "managedFields", "selfLink"),
        *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
    }
)
"""Metadata that the API server gives an object while it is stored."""


@dataclass(frozen=True)
class Body:
    """What is to be sent now. `force` takes fields over from managers that this write may take them from."""

    manifest: dict[str, Any]
    force: bool = False


class Write(Protocol):
    """One mutating request, as the state that it brings about."""

    @property
    def key(self) -> str:
        """Name the request within its rollout."""

    @property
    def verb(self) -> Verb:
        """Say what kind of request it is."""

    @property
    def ref(self) -> ObjectRef:
        """Name its object."""

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return what must be sent for the wanted state, or None when the world is as wanted."""

    async def send(self, cluster: Cluster, body: Body, intent: Intent, budget: float) -> Receipt:
        """Send it once."""


@runtime_checkable
class Elsewhere(Write, Protocol):
    """A request that goes to no cluster, and looks for itself at what it changes."""

    async def look(self) -> dict[str, Any]:
        """Return what is there, with its version, as if it were an object of a cluster."""


@dataclass(frozen=True)
class Apply:
    """A server-side apply of a manifest.

    Fields of another manager are a conflict, except those of `takeover`: who owned them when the rollout
    began, by hand, so that a service that was deployed with kubectl can be taken over. What such a person
    writes later is a conflict. Replicas that an autoscaler or another manager sets are left to them.
    """

    key: str
    manifest: dict[str, Any]
    cluster: str
    takeover: Collection[Claim] = field(default=())
    manager: str = FIELD_MANAGER
    artifact: str | None = None
    autoscaled: bool = False
    verb: Verb = "apply"

    @property
    def ref(self) -> ObjectRef:
        """Name the object."""
        return ref_of(self.cluster, self.manifest)

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Ask the API server what the apply would come to; nothing is missing when that is what is there."""
        body, wanted = await self.outcome(cluster, live)
        return body if live is None or differences(wanted, live) else None

    async def outcome(self, cluster: Cluster, live: dict[str, Any] | None) -> tuple[Body, dict[str, Any]]:
        """Return what would be sent now, and the object as the API server would then have it.

        Raises Conflict for a field that may not be taken over.
        """
        manifest = yielding(self.manifest, live, autoscaled=self.autoscaled)
        # Our managers take fields from each other; at the version that was seen, nobody else can lose one.
        body = Body(manifest, force=live is not None and not disputed(manifest, live))
        try:
            wanted = await cluster.dry_run(body.manifest, manager=self.manager, force=body.force)
        except Conflict as conflict:
            if not self._may_take_over(conflict, live):
                raise
            body = Body(body.manifest, force=True)
            wanted = await cluster.dry_run(body.manifest, manager=self.manager, force=True)
        return body, wanted

    async def send(self, cluster: Cluster, body: Body, intent: Intent, budget: float) -> Receipt:
        """Apply, with the names of ticket, intent and artifact on the object."""
        manifest = body.manifest if self.artifact is None else _stamped(body.manifest, intent, self.artifact)
        return await cluster.apply(
            manifest, intent=intent, budget=budget, force=body.force, manager=self.manager
        )

    def _may_take_over(self, conflict: Conflict, live: dict[str, Any] | None) -> bool:
        if conflict.detail.get("reason") != "field_manager":
            return False
        managers = conflict.detail.get("managers") or []
        claims = {claim for claim in claims_of(live) if claim[0] in managers and not is_ours(claim[0])}
        known = {name for name, _ in self.takeover}
        return (
            bool(managers)
            and all(is_ours(name) or name in known for name in managers)
            and claims <= set(self.takeover)
        )


@dataclass(frozen=True)
class Delete:
    """A deletion. An object that is gone, or on its way out, is as wanted."""

    key: str
    ref: ObjectRef
    verb: Verb = "delete"

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the object as it is when it is still there."""
        if live is None or live["metadata"].get("deletionTimestamp"):
            return None
        return Body(live)

    async def send(self, cluster: Cluster, body: Body, intent: Intent, budget: float) -> Receipt:
        """Delete exactly what was observed."""
        version = intent.request.resource_version
        return await cluster.delete(self.ref, intent=intent, resource_version=version, budget=budget)


@dataclass(frozen=True)
class Restore:
    """An apply that brings an object back to its snapshot; `manifest` has what is ours to restore."""

    key: str
    manifest: dict[str, Any]
    cluster: str
    verb: Verb = "apply"

    @property
    def ref(self) -> ObjectRef:
        """Name the object."""
        return ref_of(self.cluster, self.manifest)

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the manifest while applying it would change anything."""
        if live is None:
            return None
        wanted = await cluster.dry_run(self.manifest, force=True)
        return Body(self.manifest, force=True) if differences(wanted, live) else None

    async def send(self, cluster: Cluster, body: Body, intent: Intent, budget: float) -> Receipt:
        """Apply without a mark of ours: the object shall be as it was."""
        return await cluster.apply(body.manifest, intent=intent, budget=budget, force=body.force)


@dataclass(frozen=True)
class Recreate(Restore):
    """An apply that makes an object again that was deleted; `manifest` is all that it was."""

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the object as it was while there is none; what is there is somebody else's."""
        return Body(_unmarked(self.manifest), force=True) if live is None else None


def _unmarked(body: dict[str, Any]) -> dict[str, Any]:
    """Return an object without its status and what marks it as one that is stored."""
    meta = {name: value for name, value in body["metadata"].items() if name not in _STORED}
    return {**{name: value for name, value in body.items() if name != "status"}, "metadata": meta}


def _stamped(manifest: dict[str, Any], intent: Intent, artifact: str) -> dict[str, Any]:
    """Return the manifest with our annotations, on the object itself: on its pods they would restart them."""
    meta = manifest["metadata"]
    notes = {
        **(meta.get("annotations") or {}),
        TICKET_ANNOTATION: intent.request.ticket,
        ARTIFACT_ANNOTATION: artifact,
        INTENT_ANNOTATION: intent.audit_id,
    }
    return {**manifest, "metadata": {**meta, "annotations": notes}}
