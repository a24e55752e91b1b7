"""The servers that a contract is held against: the sandbox, and the real ones of `make test-real`."""

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdpoint.clients.access import TokenAccess, TokenFile
from holdpoint.clients.cluster import Cluster
from holdpoint.clients.kubernetes_api import ApiServer as Client
from tests.sandbox.process import Sandbox

IMPLEMENTATIONS = ["sandbox", pytest.param("real", marks=pytest.mark.real)]

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass
class ApiServer:
    """An API server under test, and a namespace in it for one test."""

    address: str
    token: str
    namespace: str = ""
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        """Open a client that sends the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        self.http = httpx.Client(base_url=self.address, headers=headers, timeout=20, verify=False)

    def path(self, plural: str, name: str = "", *, below: str = "") -> str:
        """Return the path of a kind's objects in the test's namespace, or of one of them."""
        root = ROOTS.get(plural, "/api/v1")
        return "/".join(filter(None, (f"{root}/namespaces/{self.namespace}/{plural}", name, below)))

    def send(
        self, method: str, path: str, body: Any = None, *, media: str = "application/json", **params: str
    ) -> httpx.Response:
        """Send one request; keywords are query parameters."""
        return self.http.request(method, path, json=body, params=params, headers={"Content-Type": media})

    def apply(
        self, plural: str, manifest: dict[str, Any], *, manager: str = "one", **params: str
    ) -> httpx.Response:
        """Apply a manifest server-side."""
        path = self.path(plural, manifest["metadata"]["name"])
        return self.send("PATCH", path, manifest, media=APPLY, fieldManager=manager, **params)

    def get(self, plural: str, name: str) -> dict[str, Any]:
        """Return an object that must be there."""
        answer = self.http.get(self.path(plural, name))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


ROOTS = {
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "controllerrevisions": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "poddisruptionbudgets": "/apis/policy/v1",
    "ingresses": "/apis/networking.k8s.io/v1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
}


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def api_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """Each API server in turn."""
    if request.param == "real":
        cluster = request.getfixturevalue("real_stack")["kubernetes"]
        server = ApiServer(cluster["server"], Path(cluster["admin_token_file"]).read_text())
        yield server
    else:
        sandbox = Sandbox(tmp_path_factory.mktemp("data"))
        server = ApiServer(f"http://127.0.0.1:{sandbox.port}", sandbox.token("forward"))
        yield server
        sandbox.stop()
    server.http.close()


@pytest.fixture
def server(api_server: ApiServer) -> Iterator[ApiServer]:
    """An API server with an empty namespace for the test."""
    api_server.namespace = f"t-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": api_server.namespace}}
    assert api_server.send("POST", "/api/v1/namespaces", body).status_code == 201
    yield api_server
    api_server.send("DELETE", f"/api/v1/namespaces/{api_server.namespace}")


@pytest.fixture
async def client(server: ApiServer, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Our client of the server, with the same token."""
    (tmp_path / "token").write_text(server.token)
    ca_file = None
    if server.address.startswith("https"):
        ca_file = Path(request.getfixturevalue("real_stack")["kubernetes"]["ca_file"])
    access = TokenAccess("eu", server=server.address, token=TokenFile(tmp_path / "token"), ca_file=ca_file)
    made = Client("eu", access)
    yield made
    await made.close()
