"""The snapshot.

Every object that a rollout will touch, as it was before, whole; the absent ones are listed.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from activities.jobs import JobRun
from holdpoint.clients.cluster import CANARY_SUFFIX, Cluster, ref_of
from holdpoint.models.base import Model
from holdpoint.models.record import ObjectRef

Part = Literal["stated", "rolled", "removed", "ran"]
"""What a plan does to an object.

It says how the object is to be, only restarts its pods, deletes it, or runs it once (a Job).
"""


class Before(Model):
    """One object as it was. `body` is None where there was none."""

    ref: ObjectRef
    body: dict[str, Any] | None = None
    part: Part = "stated"
    run: JobRun | None = None


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
        """Return the objects that did not exist, without the Jobs, which never do."""
        return [before for before in self.objects if before.body is None and before.run is None]

    @property
    def ran(self) -> list[Before]:
        """Return the Jobs that the plan runs."""
        return [before for before in self.objects if before.run is not None]

    @property
    def stretches(self) -> list[tuple[Before | None, list[Before]]]:
        """Return each Job that the plan runs, none at first, with what is written between it and the next."""
        found: list[tuple[Before | None, list[Before]]] = [(None, [])]
        for before in self.objects:
            if before.run is not None:
                found.append((before, []))
            else:
                found[-1][1].append(before)
        return found


async def take(cluster: Cluster, parts: Mapping[ObjectRef, Part], runs: Iterable[JobRun] = ()) -> Snapshot:
    """Read every object and return the snapshot; with the Jobs of the plan, so that an undo has them."""
    jobs = {ref_of(cluster.name, run.forward): run for run in runs}
    objects = [
        Before(ref=ref, body=await cluster.read(ref), part=part, run=jobs.get(ref))
        for ref, part in parts.items()
    ]
    return Snapshot(cluster=cluster.name, objects=objects)


def canary_ref(stable: ObjectRef) -> ObjectRef:
    """Return the reference of the Deployment that runs beside a stable one."""
    return stable.model_copy(update={"name": stable.name + CANARY_SUFFIX})
