"""A body that does not arrive holds no connection: the answer is 408, as a raw socket sees it."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from holdpoint.api import limits
from holdpoint.api.app import create_app
from holdpoint.api.dependencies import Parts

LIMIT = 0.5
HEAD = (
    b"POST /v1/changes HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
)
CHUNKED = (
    b"POST /v1/changes HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
)


@pytest.fixture
async def port(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Serve the API as the process does; return its port."""
    monkeypatch.setattr(limits, "BODY_SECONDS", LIMIT)
    monkeypatch.setattr(limits, "DRAIN_SECONDS", 0.1)
    server = uvicorn.Server(uvicorn.Config(create_app(parts), log_config=None, lifespan="on"))
    monkeypatch.setattr(server, "capture_signals", contextlib.nullcontext)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving


async def answered(port: int, *sent: bytes) -> tuple[str, dict[str, str], bytes]:
    """Send the parts, each when half of the time is over, until the server closes; return what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(20):

        async def send() -> None:
            for part in sent:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(LIMIT / 2)  # a slow sender is what is tested

        sending = asyncio.create_task(send())
        said = await reader.readuntil(b"\r\n\r\n")
        sending.cancel()
        said += await reader.read()
        writer.close()
    head, _, body = said.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param((HEAD,), id="nothing of it"),
        pytest.param((HEAD + b"{",), id="its beginning"),
        pytest.param((HEAD, *[b" "] * 20), id="a byte now and then"),
        pytest.param((CHUNKED,), id="of no announced length"),
    ],
)
async def test_a_body_that_does_not_arrive_is_a_408_and_the_connection_is_closed(
    port: int, sent: tuple[bytes, ...]
) -> None:
    status, headers, body = await answered(port, *sent)

    problem = json.loads(body)
    assert status.startswith("HTTP/1.1 408")
    assert headers["content-type"] == "application/problem+json"
    assert (problem["status"], problem["code"]) == (408, "request_timeout")
    assert "did not arrive within 0.5 s" in problem["detail"]


async def test_a_body_in_two_parts_that_arrives_in_time_is_taken(port: int) -> None:
    body = b"{" + b" " * 98 + b"}"

    status, _, _ = await answered(
        port, HEAD.replace(b"Host", b"Connection: close\r\nHost") + body[:50], body[50:]
    )

    assert status.startswith("HTTP/1.1 401")  # it was read, and has no token
