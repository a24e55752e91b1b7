"""Connections that can be cut without an answer, as those of a server that is down."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol


class Dropped(Exception):
    """The request gets no answer: its connection is reset."""


_OPEN: dict[tuple[str, int], asyncio.Transport] = {}


class CuttableProtocol(H11Protocol):
    """An HTTP connection that is known by its client's address."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Remember the connection."""
        super().connection_made(transport)
        if self.client:
            _OPEN[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        if self.client:
            _OPEN.pop(self.client, None)


class CutsDropped:
    """Wraps an application: where it raises Dropped, the connection is reset."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self._app(scope, receive, send)
        except Dropped:
            client: Any = scope.get("client")
            transport = _OPEN.get(tuple(client)) if client else None
            if transport is not None:
                transport.abort()
                await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the server has noticed, so that it does not take the silence for a failure of ours."""
    while (await receive())["type"] != "http.disconnect":
        pass
