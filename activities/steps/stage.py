"""What every step kind gets for one stage: the cluster, what writes to it, the manifests, the snapshot."""

from dataclasses import dataclass
from typing import Any

from activities.commits import Source
from activities.gitops import Gitops
from activities.intents import Stopped, Writer
from activities.manifests import Manifest, images
from activities.ownership import claims_by_hand
from activities.readiness import Readiness, patience_of, wait_ready
from activities.requests import Requests
from activities.scaling import autoscaler_of
from activities.snapshot import Snapshot
from activities.writes import Apply, Delete
from holdpoint.clients.cluster import FIELD_MANAGER, Cluster, ref_of
from holdpoint.models.activity_calls import StepCall, StepOutcome
from holdpoint.models.change import Change
from holdpoint.models.record import ObjectRef
from holdpoint.models.ticket import Reason


@dataclass(frozen=True)
class Stage:
    """One stage of one step. Everything it does can be done again."""

    call: StepCall
    cluster: Cluster
    writer: Writer
    requests: Requests
    manifests: list[Manifest]
    change: Change
    commit: str
    snapshot: Snapshot
    gitops: Gitops
    source: Source

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Return the objects of the change, in order."""
        return [manifest.object for manifest in self.manifests]

    def ref(self, manifest: dict[str, Any]) -> ObjectRef:
        """Return the reference of an object."""
        return ref_of(self.cluster.name, manifest)

    async def apply(
        self, manifest: dict[str, Any], *, manager: str = FIELD_MANAGER, stamp: bool = True
    ) -> None:
        """Have the object be as the manifest states."""
        await self.writer.settle(await self._applying(manifest, manager, stamp=stamp))

    async def lacks(self, manifest: dict[str, Any]) -> bool:
        """Tell whether the object is not yet as the manifest states."""
        write = await self._applying(manifest, FIELD_MANAGER, stamp=True)
        return await write.missing(self.cluster, await self.cluster.read(write.ref)) is not None

    async def _applying(self, manifest: dict[str, Any], manager: str, *, stamp: bool) -> Apply:
        ref = self.ref(manifest)
        before = self.snapshot.of(ref)
        known = before.body if before is not None else None
        autoscaled = known is not None and await autoscaler_of(self.cluster, ref) is not None
        return Apply(
            key=self.key(ref, manager),
            manifest=manifest,
            cluster=self.cluster.name,
            takeover=claims_by_hand(known),
            manager=manager,
            artifact=artifact_of(manifest, self.commit) if stamp else None,
            autoscaled=autoscaled,
        )

    async def delete(self, ref: ObjectRef) -> None:
        """Have the object be gone."""
        await self.writer.settle(Delete(key=self.key(ref, "delete"), ref=ref))

    async def ready(self, manifest: dict[str, Any], *, limit: float | None = None) -> None:
        """Wait until the object is ready. Raises Stopped with a failed outcome when it will not be."""
        patience = patience_of(manifest) if limit is None else limit
        found = await wait_ready(self.cluster, self.ref(manifest), patience=patience, limit=limit)
        if not found.ready:
            raise Stopped(failed("not_ready", f"Not ready: {found.message.rstrip('.')}."))

    def key(self, ref: ObjectRef, how: str) -> str:
        """Name a write of this stage within its rollout."""
        stage = f"{self.call.step.index}/{self.call.stage}/{self.call.weight}/{ref.kind}/{ref.name}"
        return stage if how == FIELD_MANAGER else f"{stage}/{how}"


def artifact_of(manifest: dict[str, Any], commit: str) -> str:
    """Return what an object is of: its images, or the commit where it has none."""
    return ",".join(images([manifest])) or f"git:{commit}"


def failed(code: str, message: str) -> StepOutcome:
    """Return the outcome of a step that cannot be carried through."""
    return StepOutcome(status="failed", reason=Reason(code=code, message=message))


__all__ = ["Readiness", "Stage", "failed"]
