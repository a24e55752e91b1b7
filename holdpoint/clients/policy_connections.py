"""Connections to OPA, kept between two questions: a new one for each costs more than the decision."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from opa_client.opa_async import AsyncOpaClient

DEFAULT_PORTS = {"http": 80, "https": 443}


class Refused(Exception):
    """OPA answered with an error status; its own words are in the body, which may be anything."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"OPA answered {status}.")
        self.status, self.body = status, body


@dataclass
class _Open:
    """A client, the token that it sends, and the questions that it carries now."""

    token: str
    client: AsyncOpaClient
    questions: int = 0


class Connections:
    """The client of one OPA. Use from one event loop, and close at the end.

    A client takes its token at construction. Another token takes another client; the one before is closed
    when its last question is answered.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or DEFAULT_PORTS.get(parts.scheme, 80)
        self._tls, self._timeout = parts.scheme == "https", timeout
        self._kept: _Open | None = None

    async def query(self, token: str, *question: Any) -> Any:
        """Return what `query_rule` of the client that sends this token returns. Raises Refused."""
        before = self._kept
        used = before if before is not None and before.token == token else _Open(token, self._made(token))
        self._kept = used
        used.questions += 1
        try:
            if before is not None and before is not used:
                await self._close_unused(before)
            return await used.client.query_rule(*question)
        finally:
            used.questions -= 1
            if used is not self._kept:
                await self._close_unused(used)

    async def close(self) -> None:
        """Close the connections. A question after it opens new ones."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.client.close_connection()

    async def _close_unused(self, opened: _Open) -> None:
        if not opened.questions:
            await opened.client.close_connection()

    def _made(self, token: str) -> AsyncOpaClient:
        client = AsyncOpaClient(
            host=self.host, port=self.port, ssl=self._tls, token=token, retries=0, timeout=self._timeout
        )
        # A session of ours reads an error's body before it raises; that of the library loses it.
        client._session = aiohttp.ClientSession(
            headers=client.headers,
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            raise_for_status=_refuse,
        )
        return client


async def _refuse(answer: aiohttp.ClientResponse) -> None:
    if answer.ok:
        return
    try:
        body = await answer.json(content_type=None)
    except ValueError:
        body = None
    raise Refused(answer.status, body)
