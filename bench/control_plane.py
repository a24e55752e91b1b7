"""A real control plane for a measurement (tools/stack), its administrator, and what its audit log says."""

import asyncio
import json
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from holdpoint.embedded.demo import shop

PARTS = "kubernetes,prometheus"
LOOK = 0.2
"""Seconds between two looks whether a namespace is gone or a new kind is served."""
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


class ControlPlane:
    """A running control plane with a Prometheus, as its administrator has it."""

    def __init__(self, folder: Path, stack: dict[str, Any]) -> None:
        self.folder, self.found = folder, stack["kubernetes"]
        self.prometheus, self.workload = stack["prometheus"]["url"], stack["workload"]["url"]
        self.audit_log = Path(self.found["audit_log"])
        token = Path(self.found["admin_token_file"]).read_text().strip()
        self.http = httpx.AsyncClient(
            base_url=self.found["server"],
            headers={"Authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=self.found["ca_file"]),
            timeout=60,
            trust_env=False,
        )

    async def apply(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Have an object as stated. Raises httpx.HTTPStatusError."""
        answer = await self.http.patch(
            f"{path}/{body['metadata']['name']}",
            content=json.dumps(body),
            params={"fieldManager": "bench", "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def namespace(self, name: str) -> None:
        """Have a namespace."""
        await self.apply("/api/v1/namespaces", _object("v1", "Namespace", name))

    async def expose(self, namespace: str, services: Iterable[str]) -> None:
        """Have a Service for each of these names, so that their pods have traffic and endpoints."""
        path = f"/api/v1/namespaces/{namespace}/services"
        bodies = (yaml.safe_load(shop.SERVICE.format(service=name)) for name in services)
        await asyncio.gather(*(self.apply(path, body) for body in bodies))

    async def bind(self, role: str, subject: dict[str, str]) -> None:
        """Give somebody a role in the whole cluster."""
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        body = _object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", f"bench-{subject['name']}")
        await self.apply(ROLES, {**body, "roleRef": reference, "subjects": [subject]})

    async def watch(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """Yield each object of a collection as it is, and then as it becomes."""
        async with self.http.stream("GET", path, params={"watch": "1"}) as answer:
            async for line in answer.aiter_lines():
                yield json.loads(line)["object"]

    async def remove_namespace(self, name: str) -> None:
        """Delete a namespace, and return when nothing is left of it."""
        path = f"/api/v1/namespaces/{name}"
        (await self.http.delete(path)).raise_for_status()
        await self.until(path, httpx.codes.NOT_FOUND)

    async def until(self, path: str, status: int) -> None:
        """Return when a GET of this path answers with this status."""
        while (await self.http.get(path)).status_code != status:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(LOOK)

    async def behave(self, image: str, rps: float) -> None:
        """Have a Service whose pods run an image asked so often a second."""
        answer = await self.http.post(f"{self.workload}/behave", json={"image": image, "rps": rps})
        answer.raise_for_status()


def _object(version: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


@asynccontextmanager
async def control_plane() -> AsyncIterator[ControlPlane]:
    """Give a running control plane, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="holdpoint-bench-stack-") as name:
        try:
            made = ControlPlane(Path(name), await _stack("up", name, "--only", PARTS))
            try:
                yield made
            finally:
                await made.http.aclose()
        finally:
            await _stack("down", name)


async def _stack(command: str, folder: str, *arguments: str) -> dict[str, Any]:
    """Run a command of tools/stack; return what it prints. Raises RuntimeError with what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.stack", command, "--dir", folder, *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, said = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"tools.stack {command}: {said.decode()[-800:]}")
    document: dict[str, Any] = json.loads(printed or "{}")
    return document
