"""`holdpoint worker` as a process: health, readiness, a drain within its time, and wrong settings."""

import asyncio
import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from holdpoint.clients.temporal import LazyTemporal
from holdpoint.embedded.temporal_server import NAMESPACE, find, prepare_namespace
from holdpoint.ledger.store import Ledger
from holdpoint.models.contracts import ticket_workflow
from holdpoint.models.workflow_messages import TicketStart
from holdpoint.service.tokens import create_issuer_keys, issue
from tests.sandbox.process import free_port
from tests.service.world import a_change
from tests.started import started
from tests.worker.conftest import TARGET, OpenTicket

POLL = 0.05
"""Seconds: a process tells nobody when it has got ready, and Temporal nobody when an activity begins."""


Collector = tuple[str, dict[bytes, Span]]
"""Where it listens, and the spans that it was sent, by their IDs."""


@dataclass
class Stack:
    """A Temporal, a place where every connection stalls, and a data folder."""

    folder: Path
    temporal: str
    client: Client
    stalled: int

    def settings(self, **changes: Any) -> Path:
        file = self.folder / "worker.yaml"
        nowhere = f"http://127.0.0.1:{self.stalled}"
        token = str(self.folder / "token")
        cluster = {"server": nowhere, "prometheus": nowhere, "forward_token_file": token}
        values = {
            "data": str(self.folder),
            "ledger_url": f"sqlite:///{self.folder}/ledger.db",
            "temporal_address": self.temporal,
            "opa_url": nowhere,
            "opa_token_file": token,
            "clusters": {"sandbox": {**cluster, "undo_token_file": f"{token}.undo"}},
            "drain": "1s",
            "git_hosts": ["127.0.0.1"],
        }
        file.write_text(yaml.safe_dump(values | changes))
        return file


@dataclass
class WorkerProcess:
    process: subprocess.Popen[bytes]
    health: str
    log: Path

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            return await client.get(self.health + path)

    async def answers(self, path: str, status: int) -> httpx.Response:
        async def there() -> httpx.Response | None:
            assert self.process.poll() is None, self.log.read_text()
            try:
                found = await self.get(path)
            except httpx.TransportError:
                return None
            return found if found.status_code == status else None

        answer: httpx.Response = await eventually(there)
        return answer

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


async def eventually(look: Callable[[], Any], seconds: float = 60) -> Any:
    """Return what `look` finds, as soon as it finds something."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110 - other processes tell nobody
            await asyncio.sleep(POLL)
    return found


@pytest.fixture
async def stack(tmp_path: Path, ledger: Ledger) -> AsyncIterator[Stack]:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "blob.key").write_bytes(b"k" * 32)
    (tmp_path / "catalog.yaml").write_text("{}")
    for name in ("token", "token.undo"):
        (tmp_path / name).write_text(name)
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    port = free_port()
    async with await started(
        lambda: WorkflowEnvironment.start_local(dev_server_existing_path=find(), port=port)
    ) as environment:
        await prepare_namespace(environment.client)
        address = f"127.0.0.1:{port}"
        client = await Client.connect(address, namespace=NAMESPACE)
        yield Stack(tmp_path, address, client, server.sockets[0].getsockname()[1])
    for writer in held:
        writer.close()
    server.close()


@pytest.fixture
def start(stack: Stack) -> Iterator[Callable[..., WorkerProcess]]:
    running: list[WorkerProcess] = []

    def begin(command: str = "worker", **changes: Any) -> WorkerProcess:
        log, port = stack.folder / f"{command}{len(running)}.log", free_port()
        address = ["--port", str(port)] if command == "api" else ["--health-address", f"127.0.0.1:{port}"]
        settings = ["--settings", str(stack.settings(**changes))]
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "holdpoint.cli", command, *settings, *address],
                stderr=stderr,
                env={**os.environ, "HOLDPOINT_EMBEDDED": "true"},
            )
        running.append(WorkerProcess(process, f"http://127.0.0.1:{port}", log))
        return running[-1]

    yield begin
    for worker in running:
        if worker.process.poll() is None:
            worker.process.kill()
        worker.process.wait(10)


async def test_a_stopped_worker_leaves_in_time_and_another_one_goes_on(
    stack: Stack, start: Callable[..., WorkerProcess], open_ticket: OpenTicket
) -> None:
    repository = f"https://127.0.0.1:{stack.stalled}/shop.git"
    view = open_ticket("chg-drained001", repository=repository)
    handle = stack.client.get_workflow_handle(ticket_workflow(view.id))

    async def doing() -> str | None:
        pending = (await handle.describe()).raw_description.pending_activities
        return pending[0].last_worker_identity or None if pending else None

    first = start()
    await first.answers("/v1/ready", 200)
    start_of = TicketStart(
        ticket=view.id, title=view.title, service=view.service, environment=view.environment,
        type=view.type, requester=view.requester, target=TARGET, verify=1.0,
    )  # fmt: skip
    await LazyTemporal(stack.temporal, NAMESPACE).start_ticket(start_of)
    assert f"/{first.process.pid}@" in await eventually(doing)
    second = start()
    await second.answers("/v1/ready", 200)

    began = time.monotonic()
    first.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(first.process.wait, 15) == 0
    assert time.monotonic() - began < 1 + 8  # the drain, and what closing takes on a busy machine

    async def taken_over() -> bool:
        return f"/{second.process.pid}@" in (await doing() or "")

    await eventually(taken_over)
    ended = next(line for line in first.told() if line["event"] == "activity.ended")
    assert (ended["ticket"], ended["phase"], ended["activity"]) == (view.id, "Evaluating", "evaluate")
    metrics = (await second.get("/metrics")).text
    assert 'holdpoint_ready{process="worker"} 1.0' in metrics
    assert view.id not in metrics


async def test_a_worker_without_its_upstreams_lives_and_is_not_ready(
    start: Callable[..., WorkerProcess],
) -> None:
    worker = start(temporal_address=f"127.0.0.1:{free_port()}")

    assert (await worker.answers("/v1/health", 200)).json() == {"status": "ok"}
    assert (await worker.get("/v1/ready")).json() == {"status": "not ready", "worker": "starting"}
    assert (await worker.get("/elsewhere")).status_code == 404
    worker.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.process.wait, 15) == 0


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """A collector of our own: what it was sent by OTLP/HTTP, by any process, perhaps more than once."""
    spans: dict[bytes, Span] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower():
                body = await reader.readexactly(int(head.partition("content-length:")[2].split("\r\n")[0]))
                sent = ExportTraceServiceRequest.FromString(
                    gzip.decompress(body) if "gzip" in head.partition("content-encoding")[2][:20] else body
                )
                scopes = [scope for resource in sent.resource_spans for scope in resource.scope_spans]
                spans.update((span.span_id, span) for scope in scopes for span in scope.spans)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", spans
    server.close()


async def test_a_request_its_workflow_and_its_activities_are_one_trace_across_processes(
    stack: Stack,
    start: Callable[..., WorkerProcess],
    collector: tuple[str, dict[bytes, Span]],
    tmp_path: Path,
) -> None:
    endpoint, spans = collector
    create_issuer_keys(stack.folder / "keys")
    repository = make_repository(tmp_path / "podinfo")
    changes = {"otlp_endpoint": endpoint, "local_repositories": True}
    worker = start(**changes)
    await worker.answers("/v1/ready", 200)
    api = start(command="api", **changes)
    await api.answers("/v1/ready", 200)

    token = issue(stack.folder / "keys" / "issuer.key", "ci")
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k", "X-Request-ID": "ci-7"}
    async with httpx.AsyncClient(base_url=api.health, headers=headers, timeout=30) as client:
        body = {"change": a_change(), "base": str(repository.parent)}
        answer = await client.post("/v1/changes", json=body)
        metrics = (await client.get("/metrics")).text
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (201, "ci-7"), answer.text

    def named(name: str) -> list[Span]:
        return [span for span in spans.values() if span.name == name]

    async def all_there() -> bool:
        return all(
            named(name)
            for name in (
                "POST /v1/changes",
                "StartWorkflow:ChangeTicket",
                "RunWorkflow:ChangeTicket",
                "StartActivity:evaluate",
                "RunActivity:evaluate",
            )
        )

    await eventually(all_there)
    (request,) = named("POST /v1/changes")
    started, ran = named("StartWorkflow:ChangeTicket")[0], named("RunActivity:evaluate")[0]
    assert started.parent_span_id == request.span_id
    assert ran.trace_id == request.trace_id
    assert named("RunWorkflow:ChangeTicket")[0].parent_span_id == started.span_id
    assert {
        span.name for span in spans.values() if "fastapi" in span.name or "/v1/ready" in span.name
    } == set()
    assert token not in "".join(map(str, spans.values()))
    line = next(line for line in api.told() if line["event"] == "request.answered")
    assert (line["request"], line["trace_id"]) == ("ci-7", request.trace_id.hex())
    ended = next(line for line in worker.told() if line["event"] == "activity.ended")
    assert ended["trace_id"] == request.trace_id.hex()
    assert 'holdpoint_http_requests_total{method="POST",route="/v1/changes",status="201"} 1.0' in metrics


def make_repository(folder: Path) -> Path:
    folder.mkdir()
    (folder / "deploy.yaml").write_text("kind: Deployment\n")
    who = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for command in ("init -q -b main", "add -A", "commit -q -m first"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True, env={**os.environ, **who})
    return folder


@pytest.mark.parametrize("command", ["worker", "api"])
def test_a_wrong_setting_exits_2_with_field_and_reason(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "holdpoint.cli", command, "--data", str(tmp_path), "--output", "json"],
        env={**os.environ, "HOLDPOINT_DRAIN": "soon", "HOLDPOINT_OPA_URL": "http://127.0.0.1:1"},
        capture_output=True,
        check=False,
    )

    assert done.returncode == 2
    said = json.loads(done.stdout)["detail"]
    assert "drain: must be a duration" in said
    assert "temporal_address: Field required" in said
