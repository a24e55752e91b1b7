"""Run the new version beside the old one with a rising share of the replicas."""

from typing import Any

from activities.intents import Stopped
from activities.manifests import Manifest
from activities.readiness import wait_scaled
from activities.scaling import scaled_elsewhere
from activities.snapshot import canary_ref
from activities.steps.canary_objects import canary_manifest, replicas_only, stable_manifest
from activities.steps.rights import AUTOSCALERS, FORWARD, both
from activities.steps.stage import Stage, failed
from activities.weights import plan_weight, plan_weights, share, warnings
from holdpoint.clients.cluster import CANARY_SUFFIX, Cluster, ref_of
from holdpoint.models.change import CanaryConfig, Change, Step
from holdpoint.models.errors import StepConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef

SCALE = "holdpoint-scale"
"""Stable's replicas are set under a field manager of their own: an apply that states nothing but replicas
would drop every other field that the main one applied before."""

SCALE_PATIENCE = 60.0
"""Seconds for stable's surplus pods to go. They need not be ready: the change may be what repairs them."""


class Canary:
    """A stage for each weight, and one to finish."""

    kind = "canary"
    rights = (*both("apps", "deployments", forward=(*FORWARD, "delete")), AUTOSCALERS)

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
        return [*(ref_of(cluster, other) for other in _others(change, manifests)), stable, canary_ref(stable)]

    async def run(self, stage: Stage) -> float:
        """Bring the canary to its next weight, or finish it."""
        return await _run(stage)

    def judged(self, step: PlannedStep, weight: float) -> list[str]:
        """Return the canary alone, while there is one beside stable."""
        name = str(step.config["deployment"])
        return [name if weight >= 100 else name + CANARY_SUFFIX]


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
    weights = plan_weights(config.weights, stated=stated, live=runs)
    said = warnings(weights)
    if scaler is not None and "replicas" in manifest["spec"]:
        said.append(f"Replicas of {config.deployment} are set by {scaler}: the manifest's are not applied.")
    if live is None:
        said = [f"Deployment {config.deployment} does not exist: it is created whole, not as a canary."]
    return PlannedStep(
        index=index,
        name=step.name or f"canary {config.deployment}",
        kind=Canary.kind,
        config={"deployment": config.deployment, "weights": config.weights, "bake": config.bake},
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
        await _apply_others(stage)
    if whole or stage.call.stage == "finish":
        return await _promote(stage, manifest, drop=stage.call.stage == "finish" and not whole)
    plan = stage.call.step.weights[stage.call.weight]
    if plan.asked >= 100:
        return await _promote(stage, manifest, drop=False)
    if plan.stable == 0:
        raise Stopped(
            failed("plan_outdated", f"{stable.name} exists now, but it did not when it was planned.")
        )
    live = await stage.cluster.read(stable)
    ours = "replicas" in manifest["spec"] and await scaled_elsewhere(stage.cluster, stable, live) is None
    if live is not None and not ours:
        # Whoever sets the number may have changed it since it was planned.
        plan = plan_weight(plan.asked, stated=None, live=max(1, int(live["spec"].get("replicas", 1))))
    canary = canary_manifest(manifest, plan.canary)
    await stage.apply(canary)
    await stage.ready(canary)
    if ours:
        await stage.apply(replicas_only(manifest, plan.stable), manager=SCALE, stamp=False)
        await wait_scaled(stage.cluster, stable, patience=SCALE_PATIENCE)
    return await _reached(stage, manifest)


def _first(stage: Stage) -> bool:
    """Tell whether no stage of this step came before: a step that goes to 100 % at once has only a finish."""
    if stage.call.stage == "weight":
        return stage.call.weight == 0
    return all(plan.asked >= 100 for plan in stage.call.step.weights)


async def _apply_others(stage: Stage) -> None:
    """Apply what is not run as a canary by any step, and wait for it: the new version may need it."""
    others = _others(stage.change, stage.manifests)
    for manifest in others:
        await stage.apply(manifest)
    for manifest in others:
        await stage.ready(manifest)


def _others(change: Change, manifests: list[Manifest]) -> list[dict[str, Any]]:
    """Return what no step of the change runs as a canary."""
    stables = {step.canary.deployment for step in change.spec.plan.steps if step.canary}
    objects = [manifest.object for manifest in manifests]
    return [m for m in objects if m["kind"] != "Deployment" or m["metadata"]["name"] not in stables]


async def _promote(stage: Stage, manifest: dict[str, Any], *, drop: bool) -> float:
    """Give every replica the new version; then the canary has nothing left to do."""
    await stage.apply(manifest)
    await stage.ready(manifest)
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
