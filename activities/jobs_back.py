"""The way back of a Job that a rollout ran: it is ended if it still runs, and its undo Job runs once.

A Job that was made stays as evidence. What counts for the comparison is whether what it did was taken back.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from activities.intents import Writer
from activities.jobs import GRACE, EndJob, RunOnce, ended, refs_of, told, wait_ended
from activities.snapshot import Before
from activities.steps.stage import artifact_of
from holdpoint.clients.cluster import Cluster
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import ObjectRef

ENDING_PATIENCE = 60.0
"""Seconds for the pods of a Job to end: their grace period is 30."""


async def take_back(cluster: Cluster, writer: Writer, before: Before, ran: Collection[ObjectRef]) -> bool:
    """Take back what a Job did, if it may have run; return whether anything was sent.

    `ran` is what the ledger knows to have been made. Raises StepConfig where it cannot be taken back.
    """
    run = before.run
    if run is None or before.body is not None or not await _end(cluster, writer, before, ran):
        return False
    _, ref = refs_of(run, cluster.name)
    if run.backward is None or ref is None:
        return False
    if ref in ran and await cluster.read(ref) is None:
        raise StepConfig(f"Its undo Job {ref.name} was run and is gone; it is not run a second time.")
    made = RunOnce(
        key=f"undo/{ref.kind}/{ref.name}",
        manifest=run.backward,
        cluster=cluster.name,
        artifact=artifact_of(run.backward, "undo"),
    )
    sent = await writer.settle(made, once=True)
    live = await wait_ended(cluster, ref, limit=run.timeout + GRACE)
    if live is None:
        raise StepConfig(f"Its undo Job {ref.name} is gone: somebody deleted it while it ran.")
    if ended(live) != "Complete":
        raise StepConfig(f"It is not taken back. {await told(cluster, live)}")
    return sent


async def _end(cluster: Cluster, writer: Writer, before: Before, ran: Collection[ObjectRef]) -> bool:
    """Have the Job come to its end if it still runs; return whether it may have run."""
    ref, run = before.ref, before.run
    live = await cluster.read(ref)
    if live is None or run is None:
        return ref in ran
    if ended(live) is None:
        await writer.settle(EndJob(f"undo/{ref.kind}/{ref.name}/end", run.forward, cluster.name))
        live = await wait_ended(cluster, ref, limit=ENDING_PATIENCE)
        if live is not None and ended(live) is None:
            raise StepConfig(f"It still runs after {ENDING_PATIENCE:.0f} s, so it cannot be taken back yet.")
    return True


@dataclass
class Left:
    """What a Job has left: what should have been taken back and is not, and what nothing takes back."""

    ours: list[str] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)


async def left_of(cluster: Cluster, before: Before, ran: Collection[ObjectRef]) -> Left:
    """Return what a Job has left after an undo. The Job itself is no difference: it stays as evidence."""
    run, named = before.run, f"{before.ref.kind}/{before.ref.name}"
    live = await cluster.read(before.ref)
    if run is None or before.body is not None or (live is None and before.ref not in ran):
        return Left()
    if live is not None and ended(live) is None:
        return Left(ours=[f"{named}: it still runs"])
    _, ref = refs_of(run, cluster.name)
    if ref is None:
        return Left(stays=[f"{named} ran, and nothing takes back what it did (cannotBeUndone)"])
    back = await cluster.read(ref)
    if back is not None and ended(back) == "Complete":
        return Left()
    how = "is not there" if back is None else "failed" if ended(back) else "has not ended"
    return Left(ours=[f"{named}: what it did stays, for its undo {ref.kind}/{ref.name} {how}"])
