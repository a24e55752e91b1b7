"""Run the new version beside the old one with a rising share of the replicas."""

from typing import Any

from activities.weights import plan_weights, warnings
from holdpoint.clients.cluster import Cluster
from holdpoint.models.change import Step
from holdpoint.models.contracts import PlannedStep
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import ObjectRef

KIND = "canary"


async def outline(
    index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
) -> PlannedStep:
    """Return the step with the weights that its replicas can give. Raises StepConfig without its Deployment."""
    config = step.canary
    if config is None:
        raise StepConfig(f"Step {index} is not a canary.")
    manifest = stable_manifest(manifests, config.deployment)
    live = await cluster.read(deployment_ref(cluster.name, namespace, config.deployment))
    stated = manifest["spec"].get("replicas")
    weights = plan_weights(
        config.weights, stated=stated, live=None if live is None else live["spec"].get("replicas", 1)
    )
    said = warnings(weights)
    if live is None:
        said = [f"Deployment {config.deployment} does not exist: it is created whole, not as a canary."]
    return PlannedStep(
        index=index,
        name=step.name or f"canary {config.deployment}",
        kind=KIND,
        config=config.model_dump(mode="json"),
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
