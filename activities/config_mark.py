"""The mark of what configuration a Deployment's pods have read: a checksum that makes them start again.

It has a field manager of its own, like stable's replicas: an apply that states nothing but the mark would
drop every other field that the main one applied before.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import rfc8785

from activities.writes import Body
from holdpoint.clients.cluster import FIELD_MANAGER, Cluster, Receipt
from holdpoint.models.record import Intent, ObjectRef, Verb

MANAGER = f"{FIELD_MANAGER}-config"
MARK = "holdpoint.dev/config"
"""An annotation of the pods: whatever changes them makes a Deployment start new ones."""

Named = tuple[str, str]
"""Kind and name of a ConfigMap or a Secret."""

_SOURCES = {"configMap": "ConfigMap", "configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap"}
_SECRETS = ("secret", "secretRef", "secretKeyRef")


@dataclass(frozen=True)
class MarkPods:
    """A Deployment whose pods have this mark; None for none of ours."""

    key: str
    ref: ObjectRef
    value: str | None
    verb: Verb = "apply"

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the Deployment with nothing but its mark, while it has another."""
        if live is None or mark_of(live) == self.value:
            return None
        meta = {"name": self.ref.name, "namespace": self.ref.namespace}
        bare = {"apiVersion": self.ref.api_version, "kind": self.ref.kind, "metadata": meta}
        pods = {"template": {"metadata": {"annotations": {MARK: self.value}}}}
        return Body(bare if self.value is None else {**bare, "spec": pods}, force=True)

    async def send(self, cluster: Cluster, body: Body, intent: Intent, budget: float) -> Receipt:
        """Apply it under the mark's own manager."""
        return await cluster.apply(body.manifest, intent=intent, budget=budget, force=True, manager=MANAGER)


def mark_of(deployment: dict[str, Any]) -> str | None:
    """Return the mark on a Deployment's pods."""
    meta = (deployment.get("spec") or {}).get("template", {}).get("metadata") or {}
    found = (meta.get("annotations") or {}).get(MARK)
    return None if found is None else str(found)


def wanted_mark(deployment: dict[str, Any], chosen: list[dict[str, Any]]) -> str:
    """Return the mark of what a Deployment's pods read of a configuration, or of all of it."""
    named = uses(deployment)
    read = [item for item in chosen if (item["kind"], item["metadata"]["name"]) in named]
    return checksum(read or chosen)


def is_marked(live: dict[str, Any]) -> bool:
    """Tell whether the mark of a Deployment's pods is under our manager."""
    entries = live["metadata"].get("managedFields") or []
    return any(entry.get("manager") == MANAGER for entry in entries)


def uses(deployment: dict[str, Any]) -> set[Named]:
    """Return the ConfigMaps and Secrets that a Deployment's pods name: volumes, variables, projections."""
    pod = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    return set(_named(pod))


def checksum(objects: list[dict[str, Any]]) -> str:
    """Return what changes with the content of ConfigMaps and Secrets."""
    content = sorted(
        (item["kind"], item["metadata"]["name"], item.get("data") or {}, item.get("binaryData") or {})
        for item in objects
    )
    return hashlib.sha256(rfc8785.dumps([list(one) for one in content])).hexdigest()[:16]


def _named(node: Any) -> Iterator[Named]:
    if isinstance(node, list):
        for item in node:
            yield from _named(item)
    elif isinstance(node, dict):
        for field, value in node.items():
            if isinstance(value, dict) and field in _SOURCES and value.get("name"):
                yield _SOURCES[field], str(value["name"])
            elif (
                isinstance(value, dict)
                and field in _SECRETS
                and (value.get("secretName") or value.get("name"))
            ):
                yield "Secret", str(value.get("secretName") or value["name"])
            yield from _named(value)
