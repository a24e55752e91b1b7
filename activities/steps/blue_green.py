"""Run a whole new version beside the old one, switch the Service to it, and end as the manifests state.

The new version stands beside under other labels until the old one's time is over. Then the Deployment itself
gets it, while no request reaches it, and the Service its own selector back (docs/decisions/0017).
"""

import asyncio
from typing import Any

from activities import service_selector
from activities.intents import Stopped
from activities.manifests import Manifest
from activities.scaling import autoscaler_of, scaled_elsewhere
from activities.service_selector import selector_of, unswitched
from activities.snapshot import canary_ref
from activities.steps.blue_green_services import (
    bring_back,
    check_apart,
    check_selected,
    make_missing,
    planned_service,
    pods_of,
    service_ref,
    service_refs,
    switch,
    switched_service,
)
from activities.steps.canary import deployment_ref
from activities.steps.canary_objects import canary_manifest, stable_manifest
from activities.steps.canary_traffic import service_beside
from activities.steps.kind import StepKind
from activities.steps.others import apply_others, others_of
from activities.steps.rights import AUTOSCALERS, FORWARD, Right, both
from activities.steps.stage import Stage, failed
from holdpoint.clients.cluster import CANARY_SUFFIX, Cluster, ref_of
from holdpoint.models.blue_green import SWITCHING, BlueGreenConfig
from holdpoint.models.change import Change, Step
from holdpoint.models.durations import format_duration
from holdpoint.models.errors import StepConfig
from holdpoint.models.plan import PlannedStep, WeightPlan
from holdpoint.models.record import ObjectRef

Body = dict[str, Any]


class BlueGreen(StepKind):
    """A stage for the switch, and one to finish."""

    kind = SWITCHING
    rights = (
        *both("apps", "deployments", forward=(*FORWARD, "delete")),
        AUTOSCALERS,
        *both("", "services", forward=(*FORWARD, "delete")),
        Right("forward", "", "pods", ("list",)),
        Right("forward", "", "resourcequotas", ("list",)),
    )

    async def outline(
        self, index: int, step: Step, manifests: list[Body], cluster: Cluster, namespace: str
    ) -> PlannedStep:
        """Return the step with the size of the new version. Raises StepConfig if it cannot run."""
        config = step.blueGreen
        if config is None:
            raise StepConfig(f"Step {index} is not a blueGreen.")
        manifest = stable_manifest(manifests, config.deployment, step=self.kind)
        ref = deployment_ref(cluster.name, namespace, config.deployment)
        live = await cluster.read(ref)
        weight, said = await _planned(cluster, ref, live, manifest)
        if live is not None:
            service = service_ref(cluster.name, namespace, config.service)
            _, label = pods_of(await planned_service(service, manifests, cluster), manifest)
            now = await cluster.read(service)
            check_apart(now and unswitched(now), canary_manifest(manifest, 1, label=label))
        return PlannedStep(
            index=index,
            name=step.name or f"{self.kind} {config.deployment}",
            kind=self.kind,
            config={
                **config.model_dump(mode="json", exclude_none=True),
                "scaleDown": config.scaleDown,
                "timeout": config.timeout,
            },
            weights=[weight],
            bake=config.bake,
            does=_does(config) if live is not None else "",
            warnings=said,
        )

    def touched(
        self, step: PlannedStep, change: Change, manifests: list[Manifest], cluster: str
    ) -> list[ObjectRef]:
        """Return the other objects, the Deployment and the new version beside it, then the Services.

        The Service with the requests is last: an undo goes backwards, and brings them back before all else.
        """
        config = _config(step)
        stable = ref_of(
            cluster, stable_manifest([m.object for m in manifests], config.deployment, step=self.kind)
        )
        others = [ref_of(cluster, other) for other in others_of(change, manifests)]
        services = service_refs(cluster, stable.namespace, config)
        return [*others, stable, canary_ref(stable), *services]

    async def run(self, stage: Stage) -> float:
        """Bring up the new version and switch to it, or finish."""
        config = _config(stage.call.step)
        manifest = stable_manifest(stage.objects, config.deployment, step=self.kind)
        before = stage.snapshot.of(stage.ref(manifest))
        beside = before is not None and before.body is not None
        if beside != _beside(stage.call.step):
            word = "exists" if beside else "is gone"
            raise Stopped(failed("plan_outdated", f"{config.deployment} {word} since it was planned."))
        if not beside:
            return await _create_whole(stage, config, manifest)
        if stage.call.stage == "finish":
            return await _finish(stage, config, manifest)
        return await _switch_over(stage, config, manifest)

    def judged(self, step: PlannedStep, weight: float) -> list[str]:
        """Return the new version alone; there is nothing beside it that gets requests."""
        name = str(step.config["deployment"])
        return [name + CANARY_SUFFIX if _beside(step) else name]


async def _planned(
    cluster: Cluster, ref: ObjectRef, live: Body | None, manifest: Body
) -> tuple[WeightPlan, list[str]]:
    """Return how many pods of each version run after the switch, and what people are warned of."""
    stated = manifest["spec"].get("replicas")
    if live is None:
        said = [f"Deployment {ref.name} does not exist: it is created whole, and nothing is switched."]
        return WeightPlan(asked=100, reached=100.0, canary=stated or 1, stable=0), said
    if scaler := await autoscaler_of(cluster, ref):
        raise StepConfig(_autoscaled(ref.name, scaler))
    runs, scaler = int(live["spec"].get("replicas", 1)), await scaled_elsewhere(cluster, ref, live)
    said = []
    if scaler is not None:
        said = [f"{scaler} sets the replicas of {ref.name}: the new version gets as many as run now."]
    size = runs if stated is None or scaler is not None else int(stated)
    if runs == 0 or size == 0:
        raise StepConfig(f"Nothing to run beside: {ref.name} has 0 replicas now. Scale it up or use apply.")
    return WeightPlan(asked=100, reached=100.0, canary=size, stable=runs), said


async def _switch_over(stage: Stage, config: BlueGreenConfig, manifest: Body) -> float:
    """Have the whole new version ready beside the old one, then send it all requests by one write."""
    stable, size = stage.ref(manifest), stage.call.step.weights[0].canary
    await _check_alone(stage, stable)
    await apply_others(stage)
    *previews, ref = service_refs(stage.cluster.name, stable.namespace, config)
    service = switched_service(stage, ref)
    wanted, label = pods_of(service, manifest)
    green = canary_manifest(manifest, size, label=label)
    was = stage.snapshot.of(ref)
    check_apart(was.body if was is not None else None, green)
    await stage.apply(green)
    await make_missing(stage, ref, None)
    for preview in previews:
        await make_missing(stage, preview, service_beside(service, stable.namespace, preview.name, label))
        await switch(stage, preview, wanted)
    await stage.ready(green, limit=config.timeout)
    await check_selected(stage, (previews or [ref])[0].name, wanted, size)
    await switch(stage, ref, wanted)
    return 100.0


async def _check_alone(stage: Stage, stable: ObjectRef) -> None:
    """Hold that nobody else runs what is made beside, or scales the Deployment. Raises Stopped."""
    green = canary_ref(stable)
    before = stage.snapshot.of(green)
    if before is None or before.body is not None:
        said = f"Deployment {green.name} was there before this rollout began; delete it if nobody needs it."
        raise Stopped(failed("plan_outdated", said))
    if scaler := await autoscaler_of(stage.cluster, stable):
        raise Stopped(failed("plan_outdated", _autoscaled(stable.name, scaler)))


async def _finish(stage: Stage, config: BlueGreenConfig, manifest: Body) -> float:
    """Have everything be as the change states it, while requests go to what is ready at any moment."""
    stable = stage.ref(manifest)
    *previews, ref = service_refs(stage.cluster.name, stable.namespace, config)
    wanted, _ = pods_of(switched_service(stage, ref), manifest)
    live = await stage.cluster.read(ref)
    if (live is None or selector_of(live) != wanted) and await stage.lacks(manifest):
        said = f"Service {ref.name} does not select the new version any more: somebody has changed it."
        raise Stopped(failed("changed_meanwhile", said))
    await stage.apply(manifest)
    await stage.ready(manifest, limit=config.timeout)
    for one in (ref, *previews):
        await bring_back(stage, one)
    green = canary_ref(stable)
    if await stage.cluster.read(green) is not None:
        await asyncio.sleep(service_selector.DRAIN)
    await stage.delete(green)
    return 100.0


async def _create_whole(stage: Stage, config: BlueGreenConfig, manifest: Body) -> float:
    """Apply everything as it is stated: there is no old version."""
    await apply_others(stage)
    await stage.apply(manifest)
    refs = service_refs(stage.cluster.name, stage.ref(manifest).namespace, config)
    for service in [one for one in stage.objects if stage.ref(one) in refs]:
        await stage.apply(service)
    await stage.ready(manifest, limit=config.timeout)
    return 100.0


def _config(step: PlannedStep) -> BlueGreenConfig:
    return BlueGreenConfig.model_validate(step.config)


def _beside(step: PlannedStep) -> bool:
    """Tell whether it was planned beside an old version."""
    return step.weights[0].stable > 0


def _does(config: BlueGreenConfig) -> str:
    kept = format_duration(max(config.bake, config.scaleDown))
    return f"switches Service {config.service} at once; the old version keeps running for {kept} after that"


def _autoscaled(deployment: str, scaler: str) -> str:
    return (
        f"The HorizontalPodAutoscaler {scaler} scales {deployment}: it would scale the old version down once "
        "that gets no requests, so there would be no way back. Use a canary, by a route if there is one."
    )
