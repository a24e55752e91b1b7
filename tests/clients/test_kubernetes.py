"""Foreign answers leave as ours, writes carry what fences them, and no proxy is trusted with a token."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from holdpoint.clients.access import TokenAccess, TokenFile
from holdpoint.clients.cluster import Receipt
from holdpoint.clients.kubernetes import Clusters
from holdpoint.clients.kubernetes_api import ApiServer
from holdpoint.models.errors import (
    AccessDenied,
    Conflict,
    NotFound,
    StepConfig,
    TransientError,
    UpstreamRateLimited,
    UpstreamUnavailable,
)
from holdpoint.models.record import Intent, IntentRequest, ObjectRef
from holdpoint.models.settings import ClusterSettings

REF = ObjectRef(cluster="eu", api_version="apps/v1", kind="Deployment", namespace="prod", name="shop")
MANIFEST = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "namespace": "prod"}}


class Wire:
    """An API server of one canned answer, on a real socket, that keeps what it was sent."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, b"{}", ""
        self.heard: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.silent = False
        self.port = 0

    def says(self, status: int, body: Any, headers: str = "") -> None:
        self.status, self.headers = status, headers
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line[15:] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        self.heard.append(head + (await reader.readexactly(int([*lengths, "0"][0]))).decode())
        if not self.silent:
            top = f"HTTP/1.1 {self.status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
            top += f"{self.headers}Content-Length: {len(self.body)}\r\n\r\n"
            writer.write(top.encode() + self.body)
            await writer.drain()
            writer.close()

    async def close(self) -> None:
        for writer in self.writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def an_api_server(server: str, token: Path) -> ApiServer:
    return ApiServer("eu", TokenAccess("eu", server=server, token=TokenFile(token)))


@asynccontextmanager
async def a_cluster(port: int, folder: Path) -> AsyncIterator[ApiServer]:
    """The server on a port of this machine, and the token for it in a folder."""
    (folder / "token").write_text("s3cret\n")
    made = an_api_server(f"http://127.0.0.1:{port}/", folder / "token")
    yield made
    await made.close()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    made = Wire()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    await made.close()
    server.close()
    await server.wait_closed()


@pytest.fixture
async def cluster(wire: Wire, tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with a_cluster(wire.port, tmp_path) as made:
        yield made


def an_intent(version: str | None = "41") -> Intent:
    request = IntentRequest(
        ticket="chg-1", target="eu/prod/shop", run="run-1", key="k", direction="forward", verb="apply",
        object=REF, resource_version=version, service="shop", environment="production", change_type="normal",
    )  # fmt: skip
    return Intent(
        id="i1",
        request=request,
        attempt=2,
        status="open",
        opened_seq=1,
        deadline=datetime(2026, 1, 1, tzinfo=UTC),
    )


async def test_apply_carries_version_time_limit_manager_and_audit_id(wire: Wire, cluster: ApiServer) -> None:
    wire.says(200, {"metadata": {"resourceVersion": "42", "uid": "u"}})

    receipt = await cluster.apply(MANIFEST, intent=an_intent(), budget=9.7)

    head, _, body = wire.heard[0].partition("\r\n\r\n")
    assert head.startswith("PATCH /apis/apps/v1/namespaces/prod/deployments/shop?")
    assert "fieldManager=holdpoint&force=false&timeout=9s" in head
    assert "Audit-ID: i1.2" in head
    assert "Authorization: Bearer s3cret" in head
    assert "application/apply-patch+yaml" in head
    assert json.loads(body)["metadata"]["resourceVersion"] == "41"
    assert receipt == Receipt(object=REF, audit_id="i1.2", resource_version="42", uid="u")


async def test_delete_is_bound_to_the_version_that_was_observed(wire: Wire, cluster: ApiServer) -> None:
    wire.says(200, {})

    await cluster.delete(REF, intent=an_intent(), resource_version="41", budget=5)

    assert wire.heard[0].startswith("DELETE ")
    assert json.loads(wire.heard[0].partition("\r\n\r\n")[2])["preconditions"] == {"resourceVersion": "41"}


async def test_nothing_is_sent_when_the_budget_is_used_up(wire: Wire, cluster: ApiServer) -> None:
    with pytest.raises(UpstreamUnavailable):
        await cluster.apply(MANIFEST, intent=an_intent(), budget=0.9)

    assert wire.heard == []


async def test_write_without_an_answer_ends_with_its_budget(wire: Wire, cluster: ApiServer) -> None:
    wire.silent = True

    with pytest.raises(UpstreamUnavailable) as raised:
        async with asyncio.timeout(5):
            await cluster.apply(MANIFEST, intent=an_intent(), budget=1)

    assert isinstance(raised.value.__cause__, TimeoutError)
    assert len(wire.heard) == 1


async def test_token_is_read_again_when_its_file_changes(
    wire: Wire, cluster: ApiServer, tmp_path: Path
) -> None:
    await cluster.read(REF)
    (tmp_path / "new").write_text("another")
    (tmp_path / "new").rename(tmp_path / "token")
    await cluster.read(REF)

    assert ["Bearer another" in heard for heard in wire.heard] == [False, True]


async def test_proxy_of_the_environment_is_not_used(
    wire: Wire, cluster: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert await cluster.read(REF) == {}


async def test_absent_object_is_none(wire: Wire, cluster: ApiServer) -> None:
    wire.says(404, {"kind": "Status", "message": "not found"})

    assert await cluster.read(REF) is None


DENIED = {"message": 'admission webhook "owner.example" denied the request: no owner'}
UNREACHABLE = {"message": 'Internal error occurred: failed calling webhook "owner.example": refused'}


def conflict(*messages: str, reason: str = "Conflict") -> dict[str, Any]:
    causes = [{"reason": "FieldManagerConflict", "message": said, "field": ".spec"} for said in messages]
    return {"kind": "Status", "reason": reason, "message": "no", "details": {"causes": causes}}


@pytest.mark.parametrize(
    ("status", "body", "error", "detail"),
    [
        (409, conflict(), Conflict, {"reason": "precondition"}),
        (409, conflict(reason="AlreadyExists"), Conflict, {"reason": "exists"}),
        (
            409,
            conflict('conflict with "hpa" using autoscaling/v2', 'conflict with "hpa"'),
            Conflict,
            {"reason": "field_manager", "managers": ["hpa"]},
        ),
        (401, {}, UpstreamRateLimited, {}),
        (403, {"message": "no"}, AccessDenied, {}),
        (404, {}, NotFound, {}),
        (422, {"message": "invalid"}, StepConfig, {}),
        (400, {}, StepConfig, {}),
        (429, {}, UpstreamRateLimited, {}),
        (500, {}, UpstreamUnavailable, {}),
        (500, {"message": "failed to create typed patch object (a/b): .spec: expected map"}, StepConfig, {}),
        *((status, DENIED, AccessDenied, {"status": status}) for status in (400, 401, 403, 404, 409, 422)),
        (429, DENIED, UpstreamRateLimited, {}),
        (500, DENIED, UpstreamUnavailable, {}),  # how a webhook tells that it failed itself
        (500, UNREACHABLE, UpstreamUnavailable, {}),
        (503, b"<html>", UpstreamUnavailable, {}),
        (200, b'{"metadata": {', UpstreamUnavailable, {}),
    ],
)
async def test_answer_leaves_as_our_error(
    wire: Wire, cluster: ApiServer, status: int, body: Any, error: type[Exception], detail: dict[str, Any]
) -> None:
    wire.says(status, body)

    with pytest.raises(error) as raised:
        await cluster.apply(MANIFEST, intent=an_intent(), budget=5)

    assert detail.items() <= getattr(raised.value, "detail").items()  # noqa: B009  # the table's type is too wide


async def test_conflict_names_object_fields_and_their_manager(wire: Wire, cluster: ApiServer) -> None:
    wire.says(409, conflict('conflict with "hpa" using autoscaling/v2'))

    with pytest.raises(Conflict, match=r"deployments/shop in cluster eu .* hpa owns \.spec\."):
        await cluster.dry_run(MANIFEST)


async def test_create_carries_a_version_that_no_object_has(wire: Wire, cluster: ApiServer) -> None:
    wire.says(201, {"metadata": {"resourceVersion": "42"}})

    await cluster.apply(MANIFEST, intent=an_intent(None), budget=5)

    assert json.loads(wire.heard[0].partition("\r\n\r\n")[2])["metadata"]["resourceVersion"] == "1"


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("9999", 60.0), ("soon", None)])
async def test_server_that_names_a_pause_is_obeyed_within_reason(
    wire: Wire, cluster: ApiServer, said: str, seconds: float | None
) -> None:
    wire.says(503, {}, f"Retry-After: {said}\r\n")

    with pytest.raises(TransientError) as raised:
        await cluster.read(REF)

    assert raised.value.retry_after == seconds


async def test_refused_connection_is_an_outage_with_its_cause(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    cluster = an_api_server("http://127.0.0.1:9", tmp_path / "token")

    with pytest.raises(UpstreamUnavailable, match="Cluster eu gave no answer") as raised:
        await cluster.read(REF)

    assert isinstance(raised.value.__cause__, OSError)
    await cluster.close()


async def test_missing_token_is_an_outage_that_does_not_show_where_it_lies(tmp_path: Path) -> None:
    cluster = an_api_server("http://127.0.0.1:9", tmp_path / "forward.token")

    with pytest.raises(UpstreamUnavailable) as raised:
        await cluster.read(REF)

    assert str(tmp_path) not in raised.value.message
    await cluster.close()


async def test_unknown_cluster_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    settings = ClusterSettings(
        server="https://x",
        prometheus="http://x",
        forward_token_file=tmp_path / "forward",
        undo_token_file=tmp_path / "undo",
    )
    clusters = Clusters({"eu-1": settings})

    for use in (clusters.forward, clusters.undo, clusters.metrics):
        with pytest.raises(StepConfig, match=r"'eu-9'.*eu-1"):
            use("eu-9")
    await clusters.close()


async def test_list_gives_each_item_its_kind(wire: Wire, cluster: ApiServer) -> None:
    wire.says(200, {"kind": "PodList", "items": [{"metadata": {"name": "a"}}]})

    found = await cluster.list("v1", "Pod", "prod", "app=shop")

    assert found == [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}]
    assert "labelSelector=app%3Dshop" in wire.heard[0]


Sent = Callable[[ApiServer], Awaitable[Any]]


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(
            lambda c: c.delete(REF, intent=an_intent(), resource_version="1", budget=5), id="delete"
        ),
        pytest.param(lambda c: c.fence(REF, intent=an_intent(), budget=5), id="fence"),
        pytest.param(lambda c: c.apply(MANIFEST, intent=an_intent(None), budget=5), id="create"),
    ],
)
async def test_write_is_sent_once_even_when_the_server_hangs_up(
    wire: Wire, cluster: ApiServer, send: Sent
) -> None:
    wire.says(200, b"")
    wire.headers = "Content-Length: 99\r\nX: "

    with pytest.raises(UpstreamUnavailable):
        await send(cluster)

    assert len(wire.heard) == 1
