"""Run the new version beside the old one with a rising share of the replicas."""

from typing import Any

from activities.intents import Stopped
from activities.manifests import Manifest
from activities.readiness import wait_scaled
from activities.scaling import scaled_elsewhere
from activities.snapshot import canary_ref
from activities.steps.canary_objects import canary_manifest, replicas_only, stable_manifest
from activities.steps.canary_traffic import check_traffic, service_of, shift, traffic_refs, unshift
from activities.steps.kind import StepKind
from activities.steps.others import apply_others, others_of
from activities.steps.rights import AUTOSCALERS, FORWARD, both
from activities.steps.stage import Stage, failed
from activities.weights import plan_traffic, plan_weight, plan_weights, share, warnings
from holdpoint.clients.cluster import CANARY_SUFFIX, Cluster, ref_of
from holdpoint.models.change import CanaryConfig, Change, Step
from holdpoint.models.errors import StepConfig
from holdpoint.models.plan import PlannedStep, WeightPlan
from holdpoint.models.record import ObjectRef

SCALE = "holdpoint-scale"
"""Stable's replicas are set under a field manager of their own: an apply that states nothing but replicas
would drop every other field that the main one applied before."""

SCALE_PATIENCE = 60.0
"""Seconds for stable's surplus pods to go. They need not be ready: the change may be what repairs them."""


class Canary(StepKind):
    """A stage for each weight, and one to finish."""

    kind = "canary"
    rights = (
        *both("apps", "deployments", forward=(*FORWARD, "delete")),
        AUTOSCALERS,
        *both("", "services", forward=(*FORWARD, "delete")),
        *both("gateway.networking.k8s.io", "httproutes", forward=("get", "patch"), undo=("get", "patch")),
    )

    async def outline(
        self, index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
    ) -> PlannedStep:
        """Return the step with the weights that its replicas can give."""
        return await _outline(index, step, manifests, cluster, namespace)

    def touched(
        self, step: PlannedStep, change: Change, manifests: list[Manifest], cluster: str
    ) -> list[ObjectRef]:
        """Return the other objects, then the Deployment and its canary."""
        stable = ref_of(
            cluster, stable_manifest([m.object for m in manifests], str(step.config["deployment"]))
        )
        traffic = traffic_refs(cluster, stable.namespace, CanaryConfig.model_validate(step.config))
        others = [ref_of(cluster, other) for other in others_of(change, manifests)]
        # The route is last, so that an undo, which goes backwards, takes the requests off the canary first.
        return [*(ref for ref in others if ref not in traffic), stable, canary_ref(stable), *traffic]

    async def run(self, stage: Stage) -> float:
        """Bring the canary to its next weight, or finish it."""
        return await _run(stage)

    def judged(self, step: PlannedStep, weight: float) -> list[str]:
        """Return the canary alone, while there is one beside stable."""
        name = str(step.config["deployment"])
        return [name if weight >= 100 else name + CANARY_SUFFIX]

    def beside(self, step: PlannedStep, weight: float) -> list[str]:
        """Return stable, while there is a canary beside it."""
        return [] if weight >= 100 else [str(step.config["deployment"])]


async def _outline(
    index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
) -> PlannedStep:
    """Return the step with the weights that its replicas can give.

    Raises StepConfig without its Deployment.
    """
    config = step.canary
    if config is None:
        raise StepConfig(f"Step {index} is not a canary.")
    manifest = stable_manifest(manifests, config.deployment)
    ref = deployment_ref(cluster.name, namespace, config.deployment)
    live = await cluster.read(ref)
    scaler = await scaled_elsewhere(cluster, ref, live)
    stated = manifest["spec"].get("replicas") if scaler is None else None
    runs = None if live is None else int(live["spec"].get("replicas", 1))
    if runs == 0 and stated is None:
        raise StepConfig(
            f"Nothing to run beside: {config.deployment} has 0 replicas now. Scale it up or use apply."
        )
    if live is not None:
        await check_traffic(config, manifest, manifests, cluster, namespace)
    planned = plan_weights if config.traffic is None else plan_traffic
    weights = planned(config.weights, stated=stated, live=runs)
    said = warnings(weights)
    if scaler is not None and "replicas" in manifest["spec"]:
        said.append(f"Replicas of {config.deployment} are set by {scaler}: the manifest's are not applied.")
    if live is None:
        said = [f"Deployment {config.deployment} does not exist: it is created whole, not as a canary."]
    return PlannedStep(
        index=index,
        name=step.name or f"canary {config.deployment}",
        kind=Canary.kind,
        config=config.model_dump(mode="json", exclude_none=True),
        weights=weights,
        bake=config.bake,
        warnings=said,
    )


def deployment_ref(cluster: str, namespace: str, name: str) -> ObjectRef:
    """Return the reference of a Deployment."""
    return ObjectRef(
        cluster=cluster, api_version="apps/v1", kind="Deployment", namespace=namespace, name=name
    )


async def _run(stage: Stage) -> float:
    """Bring the canary to its next weight, or finish it.

    Return the weight that is really there, in percent.
    """
    config = CanaryConfig.model_validate(stage.call.step.config)
    manifest = stable_manifest(stage.objects, config.deployment)
    stable = stage.ref(manifest)
    before = stage.snapshot.of(stable)
    whole = before is not None and before.body is None
    if _first(stage):
        await apply_others(stage)
    if whole or stage.call.stage == "finish":
        return await _promote(stage, manifest, config, drop=stage.call.stage == "finish" and not whole)
    plan = stage.call.step.weights[stage.call.weight]
    if plan.asked >= 100:
        return await _promote(stage, manifest, config, drop=False)
    if plan.stable == 0:
        raise Stopped(
            failed("plan_outdated", f"{stable.name} exists now, but it did not when it was planned.")
        )
    live = await stage.cluster.read(stable)
    ours = "replicas" in manifest["spec"] and await scaled_elsewhere(stage.cluster, stable, live) is None
    if live is not None and not ours:
        # Whoever sets the number may have changed it since it was planned.
        runs = max(1, int(live["spec"].get("replicas", 1)))
        plan = plan_weight(plan.asked, stated=None, live=runs)
        if config.traffic is not None:
            plan = plan_traffic([plan.asked], stated=None, live=runs)[0]
    if config.traffic is not None:
        return await _by_route(stage, config, manifest, plan)
    canary = canary_manifest(manifest, plan.canary)
    await stage.apply(canary)
    await stage.ready(canary)
    if ours:
        await stage.apply(replicas_only(manifest, plan.stable), manager=SCALE, stamp=False)
        await wait_scaled(stage.cluster, stable, patience=SCALE_PATIENCE)
    return await _reached(stage, manifest)


async def _by_route(stage: Stage, config: CanaryConfig, manifest: dict[str, Any], plan: WeightPlan) -> float:
    """Have the canary ready behind a Service of its own, then give it its weight in the route."""
    namespace = stage.change.spec.namespace
    service, label = await service_of(config, manifest, stage.objects, stage.cluster, namespace)
    canary = canary_manifest(manifest, plan.canary, label=label)
    await stage.apply(canary)
    await stage.apply(service)
    await stage.ready(canary)
    return await shift(stage, config, plan.asked)


def _first(stage: Stage) -> bool:
    """Tell whether no stage of this step came before: a step that goes to 100 % at once has only a finish."""
    if stage.call.stage == "weight":
        return stage.call.weight == 0
    return all(plan.asked >= 100 for plan in stage.call.step.weights)


async def _promote(stage: Stage, manifest: dict[str, Any], config: CanaryConfig, *, drop: bool) -> float:
    """Give every replica the new version; then the canary has nothing left to do."""
    await stage.apply(manifest)
    await stage.ready(manifest)
    if drop and config.traffic is not None:
        await unshift(stage, config)
        await stage.delete(traffic_refs(stage.cluster.name, stage.ref(manifest).namespace, config)[0])
    if drop:
        await stage.delete(canary_ref(stage.ref(manifest)))
    return 100.0


async def _reached(stage: Stage, manifest: dict[str, Any]) -> float:
    """Return the canary's share of the replicas that are ready now."""
    stable = stage.ref(manifest)
    counts = []
    for ref in (canary_ref(stable), stable):
        live = await stage.cluster.read(ref)
        counts.append(int(((live or {}).get("status") or {}).get("readyReplicas", 0)))
    return share(*counts)
