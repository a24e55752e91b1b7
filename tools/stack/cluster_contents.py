"""What a fresh control plane is given: nodes, KWOK's stages, Gateway API's kinds, and roles that know them.

Everything is applied server-side, so that a second start finds it done.
"""

import asyncio
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

from holdpoint.models.errors import UpstreamUnavailable
from tools.stack import stages
from tools.stack.parts import files

NODES = ("node-1", "node-2", "node-3")

PATHS = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "Stage": "/apis/kwok.x-k8s.io/v1alpha1/stages",
    "Node": "/api/v1/nodes",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
}

ESTABLISHED_SECONDS = 30.0
POLL_SECONDS = 0.1

EDITS_ROUTES = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {
        "name": "stack-edits-routes",
        "labels": {"rbac.authorization.k8s.io/aggregate-to-edit": "true"},
    },
    "rules": [
        {
            "apiGroups": ["gateway.networking.k8s.io"],
            "resources": ["httproutes", "gateways"],
            "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
        }
    ],
}
"""The built-in role `edit` then opens routes as it opens Deployments."""


async def fill(address: str, authority: Path, token: str) -> None:
    """Bring the contents to the cluster. Raises UpstreamUnavailable with the API server's words."""
    async with httpx.AsyncClient(
        base_url=address,
        verify=ssl.create_default_context(cafile=str(authority)),
        headers={"Authorization": f"Bearer {token}"},
        timeout=20,
        trust_env=False,
    ) as http:
        kinds = [*_definitions()]
        for definition in kinds:
            await apply(http, definition)
        for definition in kinds:
            await _established(http, definition["metadata"]["name"])
        for thing in [EDITS_ROUTES, *stages.all_stages(never_ready=()), *_nodes()]:
            await apply(http, thing)


async def apply(http: httpx.AsyncClient, thing: dict[str, Any]) -> None:
    """Apply one object of the cluster. Raises UpstreamUnavailable."""
    answer = await http.patch(
        f"{PATHS[thing['kind']]}/{thing['metadata']['name']}",
        json=thing,
        params={"fieldManager": "stack", "force": "true"},
        headers={"Content-Type": "application/apply-patch+yaml"},
    )
    if answer.is_error:
        name = f"{thing['kind']} {thing['metadata']['name']}"
        raise UpstreamUnavailable(f"The API server refused {name}: {answer.text[:500]}")


def _definitions() -> Iterator[dict[str, Any]]:
    yield from _documents([files("kwok", "crds") / "kwok.x-k8s.io_stages.yaml"])
    routes = sorted(files("gateway-api", "crds").glob("gateway.networking.k8s.io_*.yaml"))
    yield from (found for found in _documents(routes) if found["kind"] == "CustomResourceDefinition")


def _documents(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        yield from (found for found in yaml.safe_load_all(path.read_text()) if found)


async def _established(http: httpx.AsyncClient, name: str) -> None:
    """Wait until the API server serves a kind, of which it tells by a condition."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + ESTABLISHED_SECONDS
    while loop.time() < deadline:
        found = (await http.get(f"{PATHS['CustomResourceDefinition']}/{name}")).json()
        conditions = found.get("status", {}).get("conditions", [])
        if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
            return
        await asyncio.sleep(POLL_SECONDS)  # twice a run, a few tries: not worth a watch
    raise UpstreamUnavailable(f"The API server does not serve {name} after {ESTABLISHED_SECONDS:g} s.")


def _nodes() -> Iterator[dict[str, Any]]:
    for name in NODES:
        labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{name[-1]}"}
        yield {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
