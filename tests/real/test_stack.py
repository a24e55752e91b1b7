"""Each part of the stack is really there, and behaves as its users take for granted."""

import json
import ssl
import subprocess
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from holdpoint.models.contracts import SEARCH_SERVICE
from tests.real.kubernetes_admin import Admin
from tests.real.processes import StackServer

pytestmark = pytest.mark.real

SECONDS = 60.0


def secret(file: str) -> str:
    return Path(file).read_text().strip()


def until(holds: Callable[[], Any], what: str) -> Any:
    """Return what `holds` returns once it is true."""
    deadline = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {SECONDS:g} s: {what}"
        time.sleep(0.1)  # servers that answer questions do not call back
    return found


def shop(image: str) -> list[dict[str, Any]]:
    labels = {"app": "shop"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "shop", "image": image}]}}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop"},
            "spec": {"replicas": 10, "selector": {"matchLabels": labels}, "template": pod},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "shop"},
            "spec": {"selector": labels, "ports": [{"port": 80}]},
        },
    ]


def ready_replicas(admin: Admin, namespace: str) -> int:
    found = admin.http.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/shop").json()
    return int(found["status"].get("readyReplicas", 0))


def behave(real_stack: dict[str, Any], **body: Any) -> None:
    answer = httpx.post(f"{real_stack['workload']['url']}/behave", json=body, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text


def a_client(cluster: dict[str, Any], headers: dict[str, str]) -> httpx.Client:
    trusted = ssl.create_default_context(cafile=cluster["ca_file"])
    return httpx.Client(verify=trusted, headers=headers, trust_env=False)


def value(real_stack: dict[str, Any], query: str) -> float | None:
    """Return the one value of an instant query; None while there is none."""
    url = f"{real_stack['prometheus']['url']}/api/v1/query"
    rows = httpx.get(url, params={"query": query}, trust_env=False).json()["data"]["result"]
    return float(rows[0]["value"][1]) if rows else None


def test_deployment_of_ten_is_ready_and_its_traffic_is_in_prometheus(
    admin: Admin, stack_namespace: str, real_stack: dict[str, Any]
) -> None:
    image = f"registry.example/shop:{uuid.uuid4().hex}"
    behave(real_stack, image=image, error_rate=0.1, latency_ms=100)

    for thing in shop(image):
        admin.apply(thing, stack_namespace)

    until(lambda: ready_replicas(admin, stack_namespace) == 10, "ten ready pods")
    series = f'http_requests_total{{namespace="{stack_namespace}",deployment="shop"}}'
    rate = until(
        lambda: (found := value(real_stack, f"sum(rate({series}[5s]))")) and found > 150 and found,
        "200 requests a second",
    )
    assert rate < 260
    failed = series.replace("}", ',status="500"}')
    share = until(lambda: value(real_stack, f"sum(rate({failed}[10s])) / sum(rate({series}[10s]))"), "errors")
    assert 0.02 < share < 0.2
    buckets = f'http_request_duration_seconds_bucket{{namespace="{stack_namespace}",le="0.3"}}'
    assert value(real_stack, f"count({buckets})") == 10


def test_pods_of_an_image_that_is_never_ready_run_without_being_ready_until_it_may(
    admin: Admin, stack_namespace: str, real_stack: dict[str, Any]
) -> None:
    image = f"registry.example/shop:{uuid.uuid4().hex}"
    pods = f"/api/v1/namespaces/{stack_namespace}/pods"
    behave(real_stack, image=image, never_ready=True)

    for thing in shop(image):
        admin.apply(thing, stack_namespace)

    def running() -> bool:
        found = admin.http.get(pods).json()["items"]
        return len(found) == 10 and all(pod["status"].get("phase") == "Running" for pod in found)

    until(running, "ten running pods")
    assert ready_replicas(admin, stack_namespace) == 0
    behave(real_stack, image=image)
    until(lambda: ready_replicas(admin, stack_namespace) == 10, "ten ready pods")


def test_workload_goes_on_after_the_api_server_was_killed(
    admin: Admin, stack_namespace: str, stack_folder: Path, real_stack: dict[str, Any]
) -> None:
    image = f"registry.example/shop:{uuid.uuid4().hex}"
    server = StackServer(stack_folder, "apiserver", supervisor=real_stack["pid"])
    killed = server.pid
    server.kill()
    until(lambda: server.is_ready(other_than=killed), "the API server again")

    for thing in shop(image):
        admin.apply(thing, stack_namespace)

    def serving() -> bool:
        page = httpx.get(f"{real_stack['workload']['url']}/metrics", trust_env=False, timeout=30).text
        mine = [line for line in page.splitlines() if f'namespace="{stack_namespace}"' in line]
        return len({line.partition('pod="')[2].partition('"')[0] for line in mine}) == 10

    until(serving, "the requests of ten pods")


def test_audit_log_names_our_users_writes_and_tells_dry_runs(
    stack_namespace: str, real_stack: dict[str, Any]
) -> None:
    cluster = real_stack["kubernetes"]
    headers = {
        "Authorization": f"Bearer {secret(cluster['forward_token_file'])}",
        "Audit-ID": f"{uuid.uuid4()}.1",
    }
    path = f"{cluster['server']}/api/v1/namespaces/{stack_namespace}/configmaps"
    body = {"metadata": {"name": "ours"}}
    with a_client(cluster, headers) as http:
        assert http.post(path, json=body, params={"dryRun": "All"}).status_code == 201
        assert http.post(path, json=body).status_code == 201
        assert http.get(path).status_code == 200

    lines = [json.loads(line) for line in Path(cluster["audit_log"]).read_text().splitlines()]
    ours = [line for line in lines if line["auditID"] == headers["Audit-ID"]]
    assert [line["verb"] for line in ours] == ["create", "create"]
    assert {line["user"]["username"] for line in ours} == {"holdpoint-forward"}
    assert ["dryRun=All" in line["requestURI"] for line in ours] == [True, False]


def test_users_may_do_nothing_where_nothing_was_bound(real_stack: dict[str, Any]) -> None:
    cluster = real_stack["kubernetes"]
    for name in ("forward_token_file", "undo_token_file", "stranger_token_file"):
        headers = {"Authorization": f"Bearer {secret(cluster[name])}"}
        with a_client(cluster, headers) as http:
            answer = http.get(f"{cluster['server']}/api/v1/namespaces/kube-system/secrets")
        assert answer.status_code == 403


@workflow.defn
class Greeting:
    """A workflow with a timer, so that history, matching and timers all take part."""

    @workflow.run
    async def run(self, name: str) -> str:
        await workflow.sleep(timedelta(milliseconds=10))
        return f"hello {name}"


async def test_workflow_runs_on_the_cluster_and_is_found_by_our_search_attribute(
    real_stack: dict[str, Any],
) -> None:
    service = uuid.uuid4().hex
    temporal = real_stack["temporal"]
    client = await Client.connect(temporal["address"], namespace=temporal["namespace"])
    attribute = SearchAttributePair(SearchAttributeKey.for_keyword(SEARCH_SERVICE), service)

    worker = Worker(
        client, task_queue=service, workflows=[Greeting], workflow_runner=UnsandboxedWorkflowRunner()
    )
    async with worker:
        said = await client.execute_workflow(
            Greeting.run,
            "stack",
            id=service,
            task_queue=service,
            search_attributes=TypedSearchAttributes([attribute]),
        )

    assert said == "hello stack"
    query = f"{SEARCH_SERVICE} = '{service}'"
    assert (await client.count_workflows(query)).count == 1


def test_database_of_a_test_is_its_own_and_empty(database: str) -> None:
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE mine (id int)")
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()

    assert tables == [("mine",)]


def test_repository_is_cloned_and_pushed_with_the_password_only(
    real_stack: dict[str, Any], tmp_path: Path
) -> None:
    git = real_stack["git"]
    name = f"{uuid.uuid4().hex}.git"
    _git(tmp_path, "init", "--quiet", "--bare", str(Path(git["repositories"]) / name))
    where = urlsplit(git["url"]).netloc
    address = f"http://{git['user']}:{secret(git['password_file'])}@{where}/{name}"

    _git(tmp_path, "clone", "--quiet", address, "copy")
    (tmp_path / "copy" / "file").write_text("content")
    _git(tmp_path / "copy", "add", "file")
    _git(tmp_path / "copy", "commit", "--quiet", "-m", "one")
    _git(tmp_path / "copy", "push", "--quiet", "origin", "HEAD:main")

    _git(tmp_path, "clone", "--quiet", "--branch", "main", address, "again")
    assert (tmp_path / "again" / "file").read_text() == "content"
    assert httpx.get(f"{git['url']}/{name}/info/refs", trust_env=False).status_code == 401


def test_opa_decides_by_the_bundle_whose_revision_is_told(real_stack: dict[str, Any]) -> None:
    opa = real_stack["opa"]
    url = f"{opa['url']}/v1/data/holdpoint/decision"
    headers = {"Authorization": f"Bearer {secret(opa['token_file'])}"}

    refused = httpx.post(url, json={"input": {}}, trust_env=False)
    answer = httpx.post(
        url, json={"input": {}}, params={"provenance": "true"}, headers=headers, trust_env=False
    )

    assert refused.status_code == 401
    assert answer.json()["provenance"]["bundles"]["holdpoint"]["revision"] == opa["revision"]


def _git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    environment = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null", "PATH": "/usr/bin:/bin"}
    subprocess.run(["git", *identity, *words], cwd=folder, env=environment, check=True)
