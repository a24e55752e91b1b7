"""The snapshot.

Every object that a rollout will touch, as it was before, whole; the absent ones are listed.
"""

from collections.abc import Mapping
from typing import Any, Literal

from holdpoint.clients.cluster import CANARY_SUFFIX, Cluster
from holdpoint.models.base import Model
from holdpoint.models.record import ObjectRef

Part = Literal["stated", "rolled", "removed"]
"""What a plan does to an object: it says how the object is to be, only restarts its pods, or deletes it."""


class Before(Model):
    """One object as it was. `body` is None where there was none."""

    ref: ObjectRef
    body: dict[str, Any] | None = None
    part: Part = "stated"


class Snapshot(Model):
    """Everything to return to, in the order in which the rollout goes forward."""

    cluster: str
    objects: list[Before]

    def of(self, ref: ObjectRef) -> Before | None:
        """Return one object as it was; None when the rollout was not to touch it."""
        return next((before for before in self.objects if before.ref == ref), None)

    @property
    def removed(self) -> set[ObjectRef]:
        """Return the objects that the plan deletes."""
        return {before.ref for before in self.objects if before.part == "removed"}

    @property
    def absent(self) -> list[Before]:
        """Return the objects that did not exist."""
        return [before for before in self.objects if before.body is None]


async def take(cluster: Cluster, parts: Mapping[ObjectRef, Part]) -> Snapshot:
    """Read every object and return the snapshot."""
    objects = [Before(ref=ref, body=await cluster.read(ref), part=part) for ref, part in parts.items()]
    return Snapshot(cluster=cluster.name, objects=objects)


def canary_ref(stable: ObjectRef) -> ObjectRef:
    """Return the reference of the Deployment that runs beside a stable one."""
    return stable.model_copy(update={"name": stable.name + CANARY_SUFFIX})
