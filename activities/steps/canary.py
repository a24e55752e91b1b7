"""Run the new version beside the old one with a rising share of the replicas."""

from typing import Any

from activities.intents import Stopped
from activities.readiness import wait_scaled
from activities.snapshot import canary_ref
from activities.steps.stage import Stage, failed
from activities.weights import plan_weights, share, warnings
from holdpoint.clients.cluster import CANARY_SUFFIX, Cluster
from holdpoint.models.change import CanaryConfig, Step
from holdpoint.models.contracts import PlannedStep
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import ObjectRef

KIND = "canary"

TRACK = "holdpoint.dev/track"
"""The label that tells the canary's pods from stable's; Services do not select by it."""

SCALE = "holdpoint-scale"
"""Stable's replicas are set under a field manager of their own: an apply that states nothing but replicas
would drop every other field that the main one applied before."""

SCALE_PATIENCE = 60.0
"""Seconds for stable's surplus pods to go. They need not be ready: the change may be what repairs them."""


async def outline(
    index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
) -> PlannedStep:
    """Return the step with the weights that its replicas can give.

    Raises StepConfig without its Deployment.
    """
    config = step.canary
    if config is None:
        raise StepConfig(f"Step {index} is not a canary.")
    manifest = stable_manifest(manifests, config.deployment)
    live = await cluster.read(deployment_ref(cluster.name, namespace, config.deployment))
    stated = manifest["spec"].get("replicas")
    runs = None if live is None else int(live["spec"].get("replicas", 1))
    if runs == 0 and stated is None:
        raise StepConfig(
            f"Nothing to run beside: {config.deployment} has 0 replicas now. Scale it up or use apply."
        )
    weights = plan_weights(config.weights, stated=stated, live=runs)
    said = warnings(weights)
    if live is None:
        said = [f"Deployment {config.deployment} does not exist: it is created whole, not as a canary."]
    return PlannedStep(
        index=index,
        name=step.name or f"canary {config.deployment}",
        kind=KIND,
        config={"deployment": config.deployment, "weights": config.weights, "bake": config.bake},
        weights=weights,
        bake=config.bake,
        warnings=said,
    )


def stable_manifest(manifests: list[dict[str, Any]], deployment: str) -> dict[str, Any]:
    """Return the manifest of the canary's Deployment. Raises StepConfig if it cannot be run as a canary."""
    found = [m for m in manifests if m["kind"] == "Deployment" and m["metadata"]["name"] == deployment]
    if not found:
        names = ", ".join(m["metadata"]["name"] for m in manifests if m["kind"] == "Deployment") or "none"
        raise StepConfig(
            f"Unknown Deployment: the canary names {deployment!r}, but spec.source.paths has these: {names}."
        )
    spec = found[0].get("spec")
    replicas = spec.get("replicas") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(spec.get("template"), dict):
        raise StepConfig(f"Incomplete Deployment: {deployment} has no spec.template.")
    if replicas is not None and (not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 1):
        raise StepConfig(
            f"No replicas to run a canary with: {deployment} states replicas {replicas!r}; state at least 1."
        )
    return found[0]


def deployment_ref(cluster: str, namespace: str, name: str) -> ObjectRef:
    """Return the reference of a Deployment."""
    return ObjectRef(
        cluster=cluster, api_version="apps/v1", kind="Deployment", namespace=namespace, name=name
    )


async def run(stage: Stage) -> float:
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
    canary = canary_manifest(manifest, plan.canary)
    await stage.apply(canary)
    await stage.ready(canary)
    if "replicas" in manifest["spec"]:
        await stage.apply(_replicas(manifest, plan.stable), manager=SCALE, stamp=False)
        await wait_scaled(stage.cluster, stable, patience=SCALE_PATIENCE)
    return await _reached(stage, manifest)


def canary_manifest(manifest: dict[str, Any], replicas: int) -> dict[str, Any]:
    """Return the Deployment that runs beside stable: the same pods under one more label."""
    meta, spec = manifest["metadata"], manifest["spec"]
    template = spec["template"]
    pod = template.get("metadata") or {}
    selector = spec.get("selector") or {}
    return {
        **manifest,
        "metadata": {**meta, "name": meta["name"] + CANARY_SUFFIX, "labels": _tracked(meta.get("labels"))},
        "spec": {
            **spec,
            "replicas": replicas,
            "selector": {**selector, "matchLabels": _tracked(selector.get("matchLabels"))},
            "template": {**template, "metadata": {**pod, "labels": _tracked(pod.get("labels"))}},
        },
    }


def _first(stage: Stage) -> bool:
    """Tell whether no stage of this step came before: a step that goes to 100 % at once has only a finish."""
    if stage.call.stage == "weight":
        return stage.call.weight == 0
    return all(plan.asked >= 100 for plan in stage.call.step.weights)


async def _apply_others(stage: Stage) -> None:
    """Apply what is not run as a canary by any step, and wait for it: the new version may need it."""
    others = [
        m for m in stage.objects if m["kind"] != "Deployment" or m["metadata"]["name"] not in stage.canaries
    ]
    for manifest in others:
        await stage.apply(manifest)
    for manifest in others:
        await stage.ready(manifest)


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


def _replicas(manifest: dict[str, Any], replicas: int) -> dict[str, Any]:
    meta = manifest["metadata"]
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        "spec": {"replicas": replicas},
    }


def _tracked(labels: Any) -> dict[str, Any]:
    return {**(labels or {}), TRACK: "canary"}
