"""Connections to OPA, kept between two questions: a new one for each costs more than the decision."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from opa_client.opa import OpaClient

DEFAULT_PORTS = {"http": 80, "https": 443}


class Connections:
    """Clients of one OPA, each used by one thread at a time.

    A client takes its token at construction, so one that has another token is closed, not used.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or DEFAULT_PORTS.get(parts.scheme, 80)
        self._tls, self._timeout = parts.scheme == "https", timeout
        self._idle: list[tuple[str, OpaClient]] = []
        weakref.finalize(self, _close, self._idle)

    @contextmanager
    def client(self, token: str) -> Iterator[OpaClient]:
        """Give a client for one question. It is closed if that fails, and else kept for the next one."""
        client = self._kept(token) or self._made(token)
        try:
            yield client
        except BaseException:
            client.close_connection()
            raise
        self._idle.append((token, client))

    def _kept(self, token: str) -> OpaClient | None:
        with suppress(IndexError):  # another thread may have taken the last one
            while self._idle:
                made_for, client = self._idle.pop()
                if made_for == token:
                    return client
                client.close_connection()
        return None

    def _made(self, token: str) -> OpaClient:
        client = OpaClient(
            host=self.host, port=self.port, ssl=self._tls, token=token, retries=0, timeout=self._timeout
        )
        client._session.trust_env = False
        return client


def _close(idle: list[tuple[str, OpaClient]]) -> None:
    for _, client in idle:
        client.close_connection()
