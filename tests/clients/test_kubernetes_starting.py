"""An API server that starts denies what it will allow a second later; that is an outage."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from holdpoint.clients.kubernetes_api import ApiServer
from holdpoint.models.errors import AccessDenied, UpstreamRateLimited
from tests.clients.test_kubernetes import MANIFEST, REF, a_cluster, an_intent

LACKS = 'deployments.apps "shop" is forbidden: User "forward" cannot get resource "deployments"'


class Starting:
    """A server that says one thing after the other, the last one for ever; and whether it is ready."""

    def __init__(self) -> None:
        self.ready, self.port = 200, 0
        self.answers: list[tuple[int, dict[str, Any]]] = [(403, {"message": LACKS})]
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        if request.path == "/readyz":
            return web.Response(status=self.ready, text="no")
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.json_response(body, status=status)


@pytest.fixture
async def server() -> AsyncIterator[Starting]:
    made = Starting()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


@pytest.fixture
async def cluster(server: Starting, tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with a_cluster(server.port, tmp_path) as made:
        yield made


@pytest.mark.parametrize("ready", [500, 403])
async def test_a_read_that_a_starting_server_denies_is_asked_again_later(
    server: Starting, cluster: ApiServer, ready: int
) -> None:
    server.ready = ready

    with pytest.raises(
        UpstreamRateLimited, match="eu is starting and does not know all rights yet"
    ) as raised:
        await cluster.read(REF)

    assert raised.value.retry_after == 1.0


async def test_a_write_that_a_starting_server_denies_was_not_carried_out(
    server: Starting, cluster: ApiServer
) -> None:
    server.ready = 503

    with pytest.raises(UpstreamRateLimited, match="eu is starting"):
        await cluster.apply(MANIFEST, intent=an_intent(), budget=5)

    assert [line for line in server.asked if line.startswith("PATCH")] == [server.asked[0]]


async def test_a_denial_just_before_the_server_was_ready_is_none(
    server: Starting, cluster: ApiServer
) -> None:
    server.answers.append((200, {"kind": "Deployment"}))

    assert await cluster.read(REF) == {"kind": "Deployment"}


async def test_what_a_ready_server_denies_twice_is_denied(server: Starting, cluster: ApiServer) -> None:
    with pytest.raises(AccessDenied, match="cannot get resource"):
        await cluster.read(REF)

    assert len([line for line in server.asked if "deployments" in line]) == 2


async def test_a_refusal_that_is_not_about_rights_is_taken_at_once(
    server: Starting, cluster: ApiServer
) -> None:
    server.ready = 500
    server.answers = [(403, {"message": 'pods "shop" is forbidden: exceeded quota: few'})]

    with pytest.raises(AccessDenied, match="exceeded quota"):
        await cluster.dry_run(MANIFEST)

    assert len(server.asked) == 1


async def test_admission_that_is_not_ready_is_an_outage(server: Starting, cluster: ApiServer) -> None:
    said = 'deployments.apps "shop" is forbidden: not yet ready to handle request'
    server.answers = [(403, {"message": said})]

    with pytest.raises(UpstreamRateLimited):
        await cluster.apply(MANIFEST, intent=an_intent(), budget=5)
