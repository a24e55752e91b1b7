"""The objects of a canary: the Deployment that it is made from, the one beside it, and stable's replicas.

A blueGreen step runs the same beside, at full size.
"""

from typing import Any

from holdpoint.clients.cluster import CANARY_SUFFIX
from holdpoint.models.errors import StepConfig

TRACK = "holdpoint.dev/track"
"""The label that tells the new version's pods from stable's; Services do not select by it."""


MAX_REPLICAS = 2**31 - 1
"""Kubernetes keeps replicas in 32 bits."""


def stable_manifest(
    manifests: list[dict[str, Any]], deployment: str, *, step: str = "canary"
) -> dict[str, Any]:
    """Return the manifest of the Deployment. Raises StepConfig if no new version can run beside it."""
    found = [m for m in manifests if m["kind"] == "Deployment" and m["metadata"]["name"] == deployment]
    if not found:
        names = ", ".join(m["metadata"]["name"] for m in manifests if m["kind"] == "Deployment") or "none"
        raise StepConfig(
            f"Unknown Deployment: the {step} names {deployment!r}, but spec.source.paths has these: {names}."
        )
    spec = found[0].get("spec")
    replicas = spec.get("replicas") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(spec.get("template"), dict):
        raise StepConfig(f"Incomplete Deployment: {deployment} has no spec.template.")
    _check_labels(found[0])
    if replicas is not None and (
        not isinstance(replicas, int) or isinstance(replicas, bool) or not 1 <= replicas <= MAX_REPLICAS
    ):
        raise StepConfig(
            f"No replicas to run a {step} with: {deployment} states replicas {replicas!r}; "
            f"state at least 1 and at most {MAX_REPLICAS}."
        )
    return found[0]


def _check_labels(manifest: dict[str, Any]) -> None:
    """Hold that what the canary gets a label added to is a mapping, where it is there at all."""
    template = manifest["spec"]["template"]
    pod = template.get("metadata")
    selector = manifest["spec"].get("selector")
    for name, value in (
        ("metadata.labels", manifest["metadata"].get("labels")),
        ("spec.selector", selector),
        ("spec.selector.matchLabels", selector.get("matchLabels") if isinstance(selector, dict) else None),
        ("spec.template.metadata", pod),
        ("spec.template.metadata.labels", pod.get("labels") if isinstance(pod, dict) else None),
    ):
        if value is not None and not isinstance(value, dict):
            deployment = manifest["metadata"]["name"]
            raise StepConfig(f"Malformed Deployment: {name} of {deployment} must be a mapping.")


def canary_manifest(
    manifest: dict[str, Any], replicas: int, *, label: tuple[str, str] | None = None
) -> dict[str, Any]:
    """Return the Deployment that runs beside stable: the same pods under one more label.

    `label` has another value in the canary, where its pods must not be stable's to a Service.
    """
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
            "selector": {**selector, "matchLabels": _tracked(selector.get("matchLabels"), label)},
            "template": {**template, "metadata": {**pod, "labels": _tracked(pod.get("labels"), label)}},
        },
    }


def replicas_only(manifest: dict[str, Any], replicas: int) -> dict[str, Any]:
    """Return the manifest that states nothing of a Deployment but its replicas."""
    meta = manifest["metadata"]
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        "spec": {"replicas": replicas},
    }


def _tracked(labels: Any, changed: tuple[str, str] | None = None) -> dict[str, Any]:
    given = labels or {}
    own = {changed[0]: changed[1]} if changed is not None and changed[0] in given else {}
    return {**given, **own, TRACK: "canary"}
