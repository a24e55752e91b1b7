"""The worker's small HTTP listener: does it live, is it ready, its metrics. No token: supervisors ask.

Alive means that the event loop answers. Ready means that Temporal and the ledger answer and that it does not
drain.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from holdpoint.ledger import head
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import HoldpointError, SettingsError
from holdpoint.models.server_addresses import split_address
from holdpoint.telemetry.metrics import Metrics

log = structlog.get_logger()

PATIENCE = 3.0
"""Seconds for each question: a supervisor that asks gives up soon after."""
LARGEST = 16 * 1024

Answer = tuple[int, str, bytes]
Check = Callable[[], Awaitable[object]]


class Health:
    """What the worker can say of itself. `checks` are what it needs, by name; more come as it starts."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.checks: dict[str, Check] = {}
        self.state = "starting"

    async def ready(self) -> dict[str, str]:
        """Return what is not well, by name; nothing means ready."""
        found = {} if self.state == "ready" else {"worker": self.state}
        said = await asyncio.gather(*(_asked(check) for check in self.checks.values()))
        found |= {name: words for name, words in zip(self.checks, said, strict=True) if words}
        self.metrics.ready.labels(process="worker").set(not found)
        return found

    async def answer(self, path: str, accept: str) -> Answer:
        """Return status, media type and body for a GET of this path."""
        if path == "/metrics":
            await self.ready()
            body, media_type = self.metrics.exposed(accept)
            return 200, media_type, body
        if path == "/v1/health":
            return _json(200, {"status": "ok"})
        if path == "/v1/ready":
            missing = await self.ready()
            return _json(503, {"status": "not ready", **missing}) if missing else _json(200, {"status": "ok"})
        return _json(404, {"status": "there are /v1/health, /v1/ready and /metrics"})


def temporal_answers(client: Client) -> Check:
    """Return the check that Temporal answers."""

    async def check() -> object:
        try:
            return await client.service_client.check_health()
        except (RPCError, RuntimeError) as error:
            raise HoldpointError(f"Temporal does not answer: {error}") from error

    return check


def ledger_answers(ledger: Ledger) -> Check:
    """Return the check that the ledger answers."""
    return lambda: ledger.read(head.read)


@asynccontextmanager
async def listening(health: Health, address: str | None) -> AsyncIterator[None]:
    """Answer at this address while the body runs; without one, do not. Raises SettingsError."""
    if address is None:
        yield
        return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            closing(writer),
            suppress(
                OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError
            ),
        ):
            async with asyncio.timeout(4 * PATIENCE):
                await _serve(health, reader, writer)

    host, port = split_address(address)
    try:
        server = await asyncio.start_server(serve, host or None, port, limit=LARGEST)
    except OSError as error:
        raise SettingsError(
            f"health_address: cannot listen on {address}: {error.strerror or error}."
        ) from error
    try:
        yield
    finally:
        server.close()


async def _serve(health: Health, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request of HTTP/1.1 and close: nobody asks often."""
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    if method in ("GET", "HEAD"):
        status, media_type, body = await health.answer(target.partition("?")[0], headers.get("accept", ""))
    else:
        status, media_type, body = _json(405, {"status": "only GET and HEAD"})
    said = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}[status]
    writer.write(
        f"HTTP/1.1 {status} {said}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n".encode()
        + (body if method == "GET" else b"")
    )
    await writer.drain()


async def _asked(check: Check) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await check()
    except TimeoutError:
        return f"does not answer within {PATIENCE:g} s"
    except HoldpointError as error:
        return error.message
    return ""


def _json(status: int, document: dict[str, str]) -> Answer:
    return status, "application/json", json.dumps(document).encode()
