"""What a change may remove: which objects a `delete` step names, and which of them it must not touch."""

from typing import Any

from holdpoint.clients.cluster import Cluster
from holdpoint.clients.kinds import PLURALS, refusal
from holdpoint.models.errors import StepConfig
from holdpoint.models.object_steps import DeleteConfig
from holdpoint.models.record import ObjectRef

IRREVERSIBLE = {
    "PersistentVolumeClaim": "its data went with it",
    "Job": "it would run again",
    "Pod": "it would run again",
}
"""Kinds that no undo can bring back, and why."""

PROTECTED = {
    "Role": "access rights are not a service's own",
    "RoleBinding": "access rights are not a service's own",
    "ResourceQuota": "the bounds of a namespace are not a service's own",
    "LimitRange": "the bounds of a namespace are not a service's own",
}
"""Kinds that no change may remove, and why."""

KEEPERS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
"""Labels and annotations of controllers that make an object again from Git."""


def refs_of(config: DeleteConfig, cluster: str, namespace: str) -> list[ObjectRef]:
    """Return what the step names, each with its version. Raises StepConfig for a kind that needs one."""
    return [
        ObjectRef(
            cluster=cluster,
            api_version=item.apiVersion or _version_of(item.kind),
            kind=item.kind,
            namespace=namespace,
            name=item.name,
        )
        for item in config.objects
    ]


def check_named(ref: ObjectRef, stated: list[dict[str, Any]], *, irreversible: bool) -> None:
    """Return if a change that states these objects may name this one. Raises StepConfig with the reason."""
    named = f"{ref.kind} {ref.name}"
    if said := refusal(ref.api_version, ref.kind):
        raise StepConfig(f"Cannot delete {named}: {said}")
    if ref.kind in PROTECTED:
        raise StepConfig(f"Protected kind: {named} cannot be deleted by a change; {PROTECTED[ref.kind]}.")
    if ref.kind in IRREVERSIBLE and not irreversible:
        raise _without_return(named, IRREVERSIBLE[ref.kind])
    if any(item["kind"] == ref.kind and item["metadata"]["name"] == ref.name for item in stated):
        raise StepConfig(f"Stated and deleted: {named} is among the change's own objects.")


def check_kept(live: dict[str, Any], *, irreversible: bool) -> None:
    """Return if nothing makes the object again, and nothing goes with it for good. Raises StepConfig."""
    meta = live["metadata"]
    named = f"{live['kind']} {meta['name']}"
    owner = next((one for one in meta.get("ownerReferences") or [] if one.get("controller")), None)
    if owner is not None:
        raise StepConfig(
            f"Owned object: {named} is made by {owner['kind']} {owner['name']}, which would make it again. "
            "Delete its owner."
        )
    marks = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
    for mark in sorted(marks.keys() & KEEPERS.keys()):
        raise StepConfig(
            f"Object of {KEEPERS[mark]}: {named} is kept as Git has it (by its {mark}) and would come back. "
            "Remove it from that repository."
        )
    if (lost := lost_with(live)) and not irreversible:
        raise _without_return(named, lost)


def lost_with(body: dict[str, Any]) -> str | None:
    """Return why no undo can bring an object back; None for one that it can."""
    retention = (body.get("spec") or {}).get("persistentVolumeClaimRetentionPolicy") or {}
    if body["kind"] == "StatefulSet" and retention.get("whenDeleted") == "Delete":
        return "its volumes are deleted with it, as its persistentVolumeClaimRetentionPolicy says"
    return IRREVERSIBLE.get(body["kind"])


async def look(cluster: Cluster, ref: ObjectRef, *, irreversible: bool) -> str:
    """Return what will become of the object, for whoever approves. Raises StepConfig."""
    live = await cluster.read(ref)
    if live is None:
        return f"{ref.kind} {ref.name} does not exist, so there is nothing to delete."
    check_kept(live, irreversible=irreversible)
    if lost := lost_with(live):
        return f"{ref.kind} {ref.name} is deleted, and no undo brings it back: {lost}."
    return f"{ref.kind} {ref.name} is deleted; an undo makes it again as it was."


def _without_return(named: str, lost: str) -> StepConfig:
    return StepConfig(
        f"Deletion without return: {named} cannot be brought back by an undo; {lost}. "
        "Set irreversible: true to remove it all the same."
    )


def _version_of(kind: str) -> str:
    """Return the newest version of a built-in kind. Raises StepConfig for any other kind."""
    known = [version for version, name in PLURALS if name == kind]
    if not known:
        raise StepConfig(f"Unknown version: {kind} is no built-in kind, so state its apiVersion.")
    return known[-1]
