"""Whose a workload's number of replicas is: the manifest's, or an autoscaler's, or somebody else's.

A number that is somebody else's is never fought for. Leaving the field out is not enough: as long as an
autoscaler has not scaled, the field is ours from an earlier apply, and an apply without it would reset it to
1. So it is stated as it is then, at the version that was observed.
"""

from typing import Any

from activities.ownership import is_by_hand, is_ours, owners_of
from holdpoint.clients.cluster import FIELD_MANAGER, Cluster
from holdpoint.models.errors import AccessDenied, NotFound
from holdpoint.models.record import ObjectRef

SCALED = ("Deployment", "StatefulSet")
REPLICAS = ("spec", "replicas")


async def autoscaler_of(cluster: Cluster, ref: ObjectRef) -> str | None:
    """Return the name of the HorizontalPodAutoscaler that scales an object, or None.

    One that may not be read is found by the field that it owns, from its first scaling on.
    """
    if ref.kind not in SCALED:
        return None
    return (await autoscalers(cluster, ref.namespace)).get((ref.kind, ref.name))


async def autoscalers(cluster: Cluster, namespace: str) -> dict[tuple[str, str], str]:
    """Return the HorizontalPodAutoscalers of a namespace, by kind and name of what they scale."""
    try:
        found = await cluster.list("autoscaling/v2", "HorizontalPodAutoscaler", namespace)
    except (AccessDenied, NotFound):
        return {}
    named = {}
    for scaler in reversed(found):  # where two scale one object, the first counts
        target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
        named[str(target.get("kind")), str(target.get("name"))] = str(scaler["metadata"]["name"])
    return named


async def scaled_elsewhere(cluster: Cluster, ref: ObjectRef, live: dict[str, Any] | None) -> str | None:
    """Return who sets an object's replicas in place of its manifest, for people; None for nobody."""
    if live is None:
        return None
    scaler, manager = await autoscaler_of(cluster, ref), foreign_scaler(live)
    if scaler is not None:
        return f"the HorizontalPodAutoscaler {scaler}"
    return None if manager is None else f"the field manager {manager}"


def foreign_scaler(live: dict[str, Any]) -> str | None:
    """Return the field manager that owns the replicas, if that is neither ours nor a person's terminal."""
    owners = owners_of(live, REPLICAS) if live["kind"] in SCALED else set()
    return min((owner for owner in owners if not is_ours(owner) and not is_by_hand(owner)), default=None)


def scaled_by_a_canary(live: dict[str, Any]) -> bool:
    """Tell whether a canary that runs now has set the replicas: ours, and not the last whole apply's."""
    owners = owners_of(live, REPLICAS) if live["kind"] in SCALED else set()
    return FIELD_MANAGER not in owners and any(is_ours(owner) for owner in owners)


def yielding(manifest: dict[str, Any], live: dict[str, Any] | None, *, autoscaled: bool) -> dict[str, Any]:
    """Return the manifest as it may be applied: with replicas of its own only where they are not others'."""
    spec = manifest.get("spec")
    if live is None or manifest["kind"] not in SCALED or not isinstance(spec, dict):
        return manifest
    if not autoscaled and foreign_scaler(live) is None:
        return manifest
    rest = {key: value for key, value in spec.items() if key != "replicas"}
    if any(is_ours(owner) for owner in owners_of(live, REPLICAS)):
        rest["replicas"] = live["spec"]["replicas"]
    return {**manifest, "spec": rest}
