"""What a rollback after success removes: objects that the undone change made and the earlier version has not.

The undo of a running change deletes what it created; going back later comes to the same, as a `delete` step
at the end of the plan, which is read and approved with it. What was there before the undone change stays.
"""

from dataclasses import dataclass, field
from typing import Any

from activities.jobs import KIND as JOB
from activities.jobs import run_name
from activities.linked import Links
from activities.removal import check_kept, check_named
from activities.steps.registry import outline
from holdpoint.clients.cluster import Cluster
from holdpoint.models.change import Step
from holdpoint.models.errors import NotFound, StepConfig
from holdpoint.models.object_steps import DeleteConfig, DeletedObject
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef

Manifests = list[dict[str, Any]]
MOST = 100
"""Objects that one `delete` step may name."""


@dataclass(frozen=True)
class Leftovers:
    """The steps that remove what may go, none where nothing does; why the rest stays; what they are about."""

    steps: list[PlannedStep] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set)


async def leftovers(
    links: Links, manifests: Manifests, cluster: Cluster, namespace: str, *, index: int
) -> Leftovers:
    """Return what becomes of the objects that only the undone change made. Raises UpstreamUnavailable."""
    stated = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    gone: list[ObjectRef] = []
    kept: list[str] = []
    ran = _ran(links)
    theirs = [
        ref
        for ref in links.made
        if (ref.kind, ref.name) not in stated and not (ref.kind == JOB and ref.name in ran)
    ]
    for ref in theirs:
        try:
            if await _may_go(cluster, ref):
                gone.append(ref)
        except (NotFound, StepConfig) as error:
            kept.append(f"{ref.kind} {ref.name} stays. {error.message}")
    named = {f"{ref.kind} {ref.name}" for ref in theirs}
    if not gone or links.undone is None:
        return Leftovers([], kept, named)
    steps = [
        await outline(index + number, _removing(links.undone.ticket, refs), manifests, cluster, namespace)
        for number, refs in enumerate(gone[at : at + MOST] for at in range(0, len(gone), MOST))
    ]
    return Leftovers(steps, kept, named)


def _ran(links: Links) -> set[str]:
    """Return the names of the Jobs that the undone change ran: they stay as evidence of it."""
    if links.undone is None:
        return set()
    steps = enumerate(links.undone.change.spec.plan.steps)
    return {run_name(step.job.name, links.undone.ticket, index) for index, step in steps if step.job}


def _removing(ticket: str, refs: list[ObjectRef]) -> Step:
    objects = [DeletedObject(kind=ref.kind, name=ref.name, apiVersion=ref.api_version) for ref in refs]
    return Step(name=f"remove what {ticket} made", delete=DeleteConfig(objects=objects))


async def _may_go(cluster: Cluster, ref: ObjectRef) -> bool:
    """Tell whether the object is there. Raises StepConfig where nothing may remove it."""
    check_named(ref, [], irreversible=False)
    live = await cluster.read(ref)
    if live is None:
        return False
    check_kept(live, irreversible=False)
    return True
