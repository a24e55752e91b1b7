"""The official Kubernetes client works against the sandbox, its typed half and its dynamic half."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client, dynamic
from kubernetes.aio.dynamic import exceptions

from tests.sandbox.process import Sandbox, a_deployment, path_of


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[client.ApiClient]:
    """The client, logged in as the forward user."""
    configuration = client.Configuration(host=f"http://127.0.0.1:{sandbox.port}")
    configuration.api_key = {"BearerToken": sandbox.token("forward")}
    configuration.api_key_prefix = {"BearerToken": "Bearer"}
    async with client.ApiClient(configuration) as opened:
        yield opened


async def test_the_dynamic_client_applies_with_an_audit_id(
    sandbox: Sandbox, api: client.ApiClient, tmp_path: Path
) -> None:
    opening: Any = dynamic.DynamicClient
    kinds = await opening(api, cache_file=str(tmp_path / "cache.json"))
    deployments = await kinds.resources.get(api_version="apps/v1", kind="Deployment")

    applied = await kinds.server_side_apply(
        deployments,
        body=a_deployment("typed"),
        field_manager="holdpoint",
        header_params={"Audit-ID": "intent-9.1"},
    )

    assert applied.metadata.name == "typed"
    assert "intent-9.1" in {line["auditID"] for line in sandbox.audit()}
    with pytest.raises(exceptions.NotFoundError):
        await kinds.get(deployments, name="nothing", namespace="default")


async def test_the_typed_client_reads_what_is_there(sandbox: Sandbox, api: client.ApiClient) -> None:
    sandbox.apply(a_deployment("read"))
    sandbox.deployed(path_of(a_deployment("read")))

    body = await client.AppsV1Api(api).read_namespaced_deployment("read", "default")
    pods = await client.CoreV1Api(api).list_namespaced_pod("default", label_selector="app=read")

    assert body.status is not None
    assert (body.status.ready_replicas, len(pods.items)) == (2, 2)


@pytest.mark.parametrize(
    "path", ["/", "/api", "/apis", "/apis/apps", "/foo", "/foo/apps/v1/namespaces/default/deployments"]
)
def test_a_path_of_no_api_takes_no_object(sandbox: Sandbox, path: str) -> None:
    answer = sandbox.send("POST", path, body=a_deployment("elsewhere"))

    assert answer.status_code == 404
    assert answer.json()["kind"] == "Status"
