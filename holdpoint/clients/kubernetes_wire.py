"""One request to an API server and its answer, over the official client's transport (`kubernetes.aio`).

Nothing is sent a second time here: a write that is repeated after its budget could land under a freeze.
"""

import json
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.rest import RESTClientObject

from holdpoint.clients.access import Access, Transport
from holdpoint.clients.kubernetes_errors import NO_RIGHT, STARTING_PAUSE, error_of
from holdpoint.models.errors import AccessDenied, HoldpointError, UpstreamRateLimited, UpstreamUnavailable

READ_BUDGET = 10.0
"""Seconds for a read or a dry run: an API server that is slower is treated as down, and asked again later."""

READY_BUDGET = 3.0
"""Seconds for the question whether a server is ready: one that starts says at once that it is not."""

RETIRED = 2
"""Pairs of clients that are kept when a certificate rotates: requests may be under way on the last one."""


class _FreshConnections(RESTClientObject):
    """One connection per request.

    On a reused one aiohttp sends a PUT or DELETE again when the server hangs up.
    """

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(ssl=self.ssl_context, force_close=True)


class Wire:
    """The connections to one API server as one identity; `read` shares them, `write` does not."""

    def __init__(self, name: str, access: Access) -> None:
        self._name, self._access = name, access
        self._transport: Transport | None = None
        self._clients: list[tuple[ApiClient, ApiClient]] = []

    async def close(self) -> None:
        """Close the connections."""
        while self._clients:
            await _close(self._clients.pop())

    async def read(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        content: str = "application/json",
        missing_is_none: bool = False,
    ) -> tuple[int, dict[str, Any]]:
        """Send what changes nothing; return status and body. What is no yes is raised as ours."""
        asked: dict[str, Any] = {"query": query, "body": body, "content": content}
        try:
            return await self._send(method, path, **asked, missing_is_none=missing_is_none)
        except AccessDenied as denial:
            if denial.detail.get("reason") != NO_RIGHT:
                raise
            # It may have become ready between the denial and the question whether it is.
            return await self._send(method, path, **asked, missing_is_none=missing_is_none)

    async def write(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str],
        body: dict[str, Any],
        content: str,
        headers: dict[str, str],
        budget: float,
    ) -> dict[str, Any]:
        """Send one write on a connection of its own, for at most `budget` seconds; return the answer."""
        _, answer = await self._send(
            method,
            path,
            query=query,
            body=body,
            content=content,
            headers=headers,
            budget=budget,
            fresh=True,
        )
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None,
        body: dict[str, Any] | None,
        content: str,
        headers: dict[str, str] | None = None,
        budget: float = READ_BUDGET,
        missing_is_none: bool = False,
        fresh: bool = False,
    ) -> tuple[int, dict[str, Any]]:
        started = time.monotonic()
        client, authorization = await self._client(fresh=fresh)
        url = client.configuration.host + path + ("?" + urlencode(query) if query else "")
        sent = {"Accept": "application/json", "Content-Type": content, **authorization, **(headers or {})}
        left = max(0.001, budget - (time.monotonic() - started))
        try:
            response = await client.call_api(
                method, url, sent, body, _request_timeout=aiohttp.ClientTimeout(total=left)
            )
            data = await response.read()  # type: ignore[no-untyped-call]  # the client has no types
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            spent = time.monotonic() - started
            raise UpstreamUnavailable(
                f"Cluster {self._name} gave no answer to {method} {path} in {spent:.1f} s: {error!r}."
            ) from error
        if response.status == 404 and missing_is_none:
            return 404, {}
        answer = _parsed(data)
        if response.status >= 300 or answer is None:
            no = error_of(self._name, method, path, response.status, answer or {}, response.headers)
            raise await self._unless_starting(no, authorization)
        return response.status, answer

    async def _unless_starting(self, error: HoldpointError, authorization: dict[str, str]) -> HoldpointError:
        """Return the error; an outage in place of a denial by a server that has not read all rights yet.

        While it starts, an API server denies what it will allow a second later, `/readyz` included: every
        authenticated user may read that, once the server knows it (the role system:public-info-viewer).
        """
        if error.detail.get("reason") != NO_RIGHT:
            return error
        client, _ = self._clients[-1]
        url, limit = client.configuration.host + "/readyz", aiohttp.ClientTimeout(total=READY_BUDGET)
        try:
            response = await client.call_api("GET", url, authorization, None, _request_timeout=limit)
            await response.read()  # type: ignore[no-untyped-call]  # the client has no types
            if response.status not in (401, 403) and response.status < 500:
                return error
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass  # it is away again; in any case it does not say that it is ready
        # Surely not carried out, so that a write of it may be tried again.
        return UpstreamRateLimited(
            f"Cluster {self._name} is starting and does not know all rights yet. {error.message}",
            retry_after=STARTING_PAUSE,
            status=403,
        )

    async def _client(self, *, fresh: bool) -> tuple[ApiClient, dict[str, str]]:
        """Return the client as the files have it now, and what says who we are."""
        now = await self._access.now()
        if now.transport != self._transport:
            self._clients.append(_clients(self._name, now.transport))
            self._transport = now.transport
            if len(self._clients) > RETIRED:
                await _close(self._clients.pop(0))
        reads, writes = self._clients[-1]
        return writes if fresh else reads, {"Authorization": now.authorization} if now.authorization else {}


def _clients(name: str, transport: Transport) -> tuple[ApiClient, ApiClient]:
    """Return a client with a pool, for reads, and one without, for writes."""
    # The environment's proxies are not ours to trust with a write identity.
    config = Configuration(host=transport.host, client_session_kwargs={"trust_env": False})
    config.ssl_ca_cert, config.retries = transport.ca_file, None
    config.cert_file, config.key_file = transport.cert_file, transport.key_file
    config.tls_server_name, config.proxy = transport.server_name, transport.proxy
    try:
        reads, writes = ApiClient(config), ApiClient(config)
        writes.rest_client = _FreshConnections(config)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; it names no content
        raise UpstreamUnavailable(
            f"The CA or the certificate of cluster {name} cannot be used: {error}."
        ) from error
    return reads, writes


async def _close(clients: tuple[ApiClient, ApiClient]) -> None:
    for client in clients:
        await client.close()  # type: ignore[no-untyped-call]  # the client has no types


def _parsed(data: bytes) -> dict[str, Any] | None:
    """Return the body as a mapping, or None when it is not JSON (a proxy's page, or cut short)."""
    try:
        body = json.loads(data)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
