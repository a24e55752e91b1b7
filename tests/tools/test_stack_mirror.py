"""The workload's view of the cluster stays true when a watch expires and when the API server is away."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from holdpoint.embedded import ports
from holdpoint.sandbox.kube.kinds import PODS
from tools.stack.mirror import Mirror

GONE = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


class ApiServer:
    """Lists and watches pods as kube-apiserver does; what a watch told is forgotten at will."""

    def __init__(self) -> None:
        self.port = ports.choose(["api"], {})["api"]
        self.pods: dict[str, dict[str, Any]] = {}
        self.version = 1
        self.lists = 0
        self.expired_as = ""
        self._events: list[tuple[int, dict[str, Any]]] = []
        self._changed = asyncio.Event()

    def add(self, name: str) -> None:
        self._change("ADDED", name)

    def delete(self, name: str) -> None:
        self._change("DELETED", name)

    def compact(self) -> None:
        """Forget what was before, as etcd does after some minutes."""
        self._events = []

    def _change(self, kind: str, name: str) -> None:
        self.version += 1
        meta = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": str(self.version)}
        body = {"metadata": meta, "status": {}}
        if kind == "DELETED":
            del self.pods[name]
        else:
            self.pods[name] = body
        self._events.append((self.version, {"type": kind, "object": body}))
        self._changed.set()
        self._changed = asyncio.Event()

    async def _pods(self, request: Request) -> Response:
        if "watch" not in request.query_params:
            self.lists += 1
            items = list(self.pods.values())
            return JSONResponse({"items": items, "metadata": {"resourceVersion": str(self.version)}})
        since = int(request.query_params["resourceVersion"])
        known = since == self.version or any(version == since + 1 for version, _ in self._events)
        if not known and self.expired_as == "status":
            return JSONResponse(GONE, 410)
        return StreamingResponse(self._lines(since, known))

    async def _lines(self, since: int, known: bool) -> AsyncIterator[str]:
        if not known:
            yield json.dumps({"type": "ERROR", "object": GONE}) + "\n"
            return
        while True:
            for version, event in self._events:
                if version > since:
                    since = version
                    yield json.dumps(event) + "\n"
            await self._changed.wait()

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Serve, and cut every connection at the end."""
        routes = [Route("/api/v1/pods", self._pods), Route("/{path:path}", nothing)]
        config = uvicorn.Config(
            Starlette(routes=routes), port=self.port, log_level="critical", timeout_graceful_shutdown=0
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        try:
            yield
        finally:
            server.should_exit = True
            await serving


async def nothing(request: Request) -> Response:
    """Answer for the other kinds: there are none, and their watches tell nothing."""
    if "watch" in request.query_params:
        await asyncio.Event().wait()
    return JSONResponse({"items": [], "metadata": {"resourceVersion": "1"}})


@pytest.fixture
def api() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def mirror(api: ApiServer) -> AsyncIterator[Mirror]:
    """A mirror of that API server, which follows it."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{api.port}", trust_env=False) as http:
        made = Mirror(http)
        following = asyncio.create_task(made.follow())
        yield made
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - a mirror tells nobody that it changed
            await asyncio.sleep(0.01)  # it is looked at


def names(mirror: Mirror) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in mirror.all(PODS))


@pytest.mark.parametrize("expired_as", ["status", "event"])
async def test_a_watch_that_has_expired_is_begun_anew_with_a_whole_list(
    api: ApiServer, mirror: Mirror, expired_as: str
) -> None:
    api.expired_as = expired_as
    api.add("gone")
    async with api.up():
        await until(lambda: names(mirror) == ["gone"])
    api.delete("gone")
    api.add("here")
    api.compact()

    async with api.up():
        await until(lambda: names(mirror) == ["here"])
        api.add("later")
        await until(lambda: names(mirror) == ["here", "later"])

    assert api.lists == 2


async def test_an_api_server_that_was_away_is_watched_from_where_it_stood(
    api: ApiServer, mirror: Mirror
) -> None:
    async with api.up():
        await until(lambda: api.lists == 1)
        api.add("before")
        await until(lambda: names(mirror) == ["before"])
    api.add("meanwhile")

    async with api.up():
        await until(lambda: names(mirror) == ["before", "meanwhile"])

    assert api.lists == 1
