"""Remove objects of the target's namespace, and wait until they are gone."""

import time
from typing import Any

from activities.comparison import described, differences
from activities.drift import REPLICAS
from activities.intents import Stopped
from activities.manifests import Manifest
from activities.readiness import wait_gone
from activities.removal import check_named, look, refs_of
from activities.steps.kind import StepKind
from activities.steps.rights import COMMON, KEPT, both
from activities.steps.stage import Stage, failed
from holdpoint.clients.cluster import Cluster
from holdpoint.models.change import Change, Step
from holdpoint.models.errors import StepConfig
from holdpoint.models.object_steps import DeleteConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef

FORWARD = ("get", "delete")
AGAIN = ("get", "create", "patch")
"""What the undo needs to make an object again, and to fence it; what cannot be made again is fenced only."""

RIGHTS = (
    *(right for group, of in COMMON for right in both(group, *of, forward=FORWARD, undo=AGAIN)),
    *(right for group, of in KEPT for right in both(group, *of, forward=FORWARD, undo=("get", "patch"))),
)


class Delete(StepKind):
    """Everything at once, in one stage."""

    kind = "delete"
    rights = RIGHTS

    async def outline(
        self, index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
    ) -> PlannedStep:
        """Return the step, with what becomes of each object as a warning."""
        config = step.delete
        if config is None:
            raise StepConfig(f"Step {index} is not a delete.")
        refs = refs_of(config, cluster.name, namespace)
        if len(set(refs)) < len(refs):
            raise StepConfig("Object named twice: each object can be deleted once.")
        said = []
        for ref in refs:
            check_named(ref, manifests, irreversible=config.irreversible)
            await cluster.check_kind(ref.api_version, ref.kind)
            said.append(await look(cluster, ref, irreversible=config.irreversible))
        objects = [{"apiVersion": ref.api_version, "kind": ref.kind, "name": ref.name} for ref in refs]
        return PlannedStep(
            index=index,
            name=step.name or self.kind,
            kind=self.kind,
            config={"objects": objects, "irreversible": config.irreversible, "timeout": config.timeout},
            warnings=said,
        )

    def touched(
        self, step: PlannedStep, change: Change, manifests: list[Manifest], cluster: str
    ) -> list[ObjectRef]:
        """Return what it names."""
        return _refs(step, cluster, change.spec.namespace)

    async def run(self, stage: Stage) -> float:
        """Delete each object, in order, then wait until all of them are gone."""
        step = stage.call.step
        config = DeleteConfig.model_validate(step.config)
        refs = _refs(step, stage.cluster.name, stage.change.spec.namespace)
        for ref in refs:
            await _check_as_seen(stage, ref)
            await stage.delete(ref)
        ends = time.monotonic() + config.timeout
        for ref in refs:
            left = await wait_gone(stage.cluster, ref, limit=max(0.0, ends - time.monotonic()))
            if left is not None:
                raise Stopped(failed("not_gone", _still_there(ref, left, config.timeout)))
        return 100.0


def _refs(step: PlannedStep, cluster: str, namespace: str) -> list[ObjectRef]:
    return refs_of(DeleteConfig.model_validate(step.config), cluster, namespace)


async def _check_as_seen(stage: Stage, ref: ObjectRef) -> None:
    """Return if the object is still what the snapshot has: no undo could bring anything else back.

    Raises Stopped with a failed outcome. The number of replicas may be an autoscaler's.
    """
    live, before = await stage.cluster.read(ref), stage.snapshot.of(ref)
    if live is None or live["metadata"].get("deletionTimestamp"):
        return
    if before is None or before.body is None:
        said = f"{ref.kind} {ref.name} was made since the rollout began; it is not deleted."
        raise Stopped(failed("changed_meanwhile", said))
    found = [one for one in differences(before.body, live) if one.path != REPLICAS]
    if live["metadata"].get("uid") != before.body["metadata"].get("uid") or found:
        more = f" ({described(ref.kind, found[0])})" if found else ""
        said = f"{ref.kind} {ref.name} was changed since the rollout began{more}; it is not deleted."
        raise Stopped(failed("changed_meanwhile", said))


def _still_there(ref: ObjectRef, left: dict[str, Any], limit: float) -> str:
    held = ", ".join(left["metadata"].get("finalizers") or [])
    why = f": its finalizers wait for something ({held})" if held else ""
    return f"{ref.kind} {ref.name} is not gone after {limit:g} s{why}."
