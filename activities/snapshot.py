"""The snapshot.

Every object that a rollout will touch, as it was before, whole; the absent ones are listed.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from activities.commits import CommitRun
from activities.exchanges import Exchange
from activities.jobs import JobRun
from holdpoint.clients.cluster import CANARY_SUFFIX, Cluster, ref_of
from holdpoint.models.base import Model
from holdpoint.models.record import ObjectRef

Part = Literal["stated", "rolled", "removed", "ran", "asked", "committed"]
"""What a plan does to an object.

It says how the object is to be, only restarts its pods, deletes it, runs it once (a Job), or is no object at
all but a request that is sent once, or files of an environment repository.
"""


class Before(Model):
    """One object as it was. `body` is None where there was none."""

    ref: ObjectRef
    body: dict[str, Any] | None = None
    part: Part = "stated"
    run: JobRun | None = None
    exchange: Exchange | None = None
    commit: CommitRun | None = None

    @property
    def is_object(self) -> bool:
        """Tell whether this is an object that is brought back as it was: no Job's run, request or commit."""
        return self.run is None and self.exchange is None and self.commit is None


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
        """Return the objects that did not exist, without what is done once, which never does."""
        return [before for before in self.objects if before.body is None and before.is_object]

    @property
    def ran(self) -> list[Before]:
        """Return the Jobs that the plan runs."""
        return [before for before in self.objects if before.run is not None]

    @property
    def asked(self) -> list[Before]:
        """Return the requests that the plan sends."""
        return [before for before in self.objects if before.exchange is not None]

    @property
    def commits(self) -> list[CommitRun]:
        """Return the commits that the plan makes."""
        return [before.commit for before in self.objects if before.commit is not None]

    @property
    def stretches(self) -> list[tuple[Before | None, list[Before]]]:
        """Return what is done once, each with what is written between it and the next; first comes none."""
        found: list[tuple[Before | None, list[Before]]] = [(None, [])]
        for before in self.objects:
            if not before.is_object:
                found.append((before, []))
            else:
                found[-1][1].append(before)
        return found


async def take(
    cluster: Cluster,
    parts: Mapping[ObjectRef, Part],
    runs: Iterable[JobRun] = (),
    exchanges: Iterable[Exchange] = (),
    commits: Iterable[CommitRun] = (),
) -> Snapshot:
    """Read every object and return the snapshot; with what is done once, so that an undo has it."""
    jobs = {ref_of(cluster.name, run.forward): run for run in runs}
    asked = {exchange.ref(): exchange for exchange in exchanges}
    pushed = {commit.ref: commit for commit in commits}
    objects = [
        Before(ref=ref, part=part, exchange=asked.get(ref), commit=pushed.get(ref))
        if ref in asked or ref in pushed
        else Before(ref=ref, body=await cluster.read(ref), part=part, run=jobs.get(ref))
        for ref, part in parts.items()
    ]
    return Snapshot(cluster=cluster.name, objects=objects)


def canary_ref(stable: ObjectRef) -> ObjectRef:
    """Return the reference of the Deployment that runs beside a stable one."""
    return stable.model_copy(update={"name": stable.name + CANARY_SUFFIX})
