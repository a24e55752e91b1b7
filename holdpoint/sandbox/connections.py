"""Connections that can be cut without an answer, as those of a server that is down."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
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


class NoAnswer(Response):
    """What is sent where nothing is: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reset the connection, and wait until the server knows, lest it takes the silence for a failure."""
        transport = _OPEN.get(tuple(scope["client"]))
        if transport is not None:
            transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass


async def cut(_: Request, __: Exception) -> Response:
    """Answer a Dropped, as Starlette's exception handlers do."""
    return NoAnswer()
