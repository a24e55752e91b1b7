"""Where an API server serves the objects of a kind: the built-in kinds from a table, others by discovery.

Discovery: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api (unaggregated, one
document a group version). What was learned is kept; what is not known is asked for again, since a CRD may
have been installed a moment ago.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from holdpoint.clients.kinds import PLURALS, refusal, root_path
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import ObjectRef

Fetch = Callable[[str], Awaitable[dict[str, Any] | None]]
"""Reads one path; None for a path that is not served."""

NEEDED = ("get", "patch")
"""What Holdpoint does with every object that it applies."""


@dataclass(frozen=True)
class Resource:
    """A served kind: its name in paths, and whether its objects live in namespaces."""

    plural: str
    namespaced: bool
    verbs: tuple[str, ...]


class Resources:
    """The kinds of one API server."""

    def __init__(self, cluster: str, fetch: Fetch) -> None:
        self._cluster, self._fetch = cluster, fetch
        self._known: dict[tuple[str, str], Resource] = {}

    async def collection(self, api_version: str, kind: str, namespace: str) -> str:
        """Return the path of a namespace's objects of one kind. Raises StepConfig for what cannot be."""
        plural = PLURALS.get((api_version, kind)) or await self._plural(api_version, kind)
        return f"{root_path(api_version)}/namespaces/{quote(namespace, safe='')}/{plural}"

    async def object(self, ref: ObjectRef) -> str:
        """Return the path of one object. Raises StepConfig for what cannot be."""
        collection = await self.collection(ref.api_version, ref.kind, ref.namespace)
        return f"{collection}/{quote(ref.name, safe='')}"

    async def _plural(self, api_version: str, kind: str) -> str:
        if said := refusal(api_version, kind):
            raise StepConfig(said)
        if (api_version, kind) not in self._known:
            self._known |= await self._served(api_version)
        found = self._known.get((api_version, kind))
        if found is None:
            raise StepConfig(
                f"Unknown kind: cluster {self._cluster} serves no {api_version} {kind}. Check apiVersion and "
                "kind, or install its CustomResourceDefinition first."
            )
        if not found.namespaced:
            raise StepConfig(
                f"Cluster-scoped kind: {api_version} {kind} belongs to no namespace, and a change must not "
                "reach beyond its own. Apply it by other means."
            )
        if missing := [verb for verb in NEEDED if verb not in found.verbs]:
            raise StepConfig(f"Kind {api_version} {kind} cannot be applied: it has no {missing[0]}.")
        return found.plural

    async def _served(self, api_version: str) -> dict[tuple[str, str], Resource]:
        document = await self._fetch(root_path(api_version)) or {}
        return {
            (api_version, str(entry["kind"])): Resource(
                plural=str(entry["name"]),
                namespaced=bool(entry.get("namespaced")),
                verbs=tuple(entry.get("verbs") or ()),
            )
            for entry in document.get("resources") or []
            if "/" not in entry["name"]
        }
