"""A probe passes when status, body and time are as expected; it asks nobody whom the settings do not name."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest

from activities.checks.kind import Found, Means
from holdpoint.clients.http_peers import Peers
from holdpoint.models.http_settings import HttpAllowed
from tests.activities.checks.scene import a_scene, looked

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nBasket"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (3 * 1024 * 1024)


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answer each request with these bytes; give the origin and what was asked."""
    asked: list[bytes] = []
    served: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(cast("asyncio.Task[None]", asyncio.current_task()))
        with suppress(ConnectionError):  # the other side may have had enough
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    await asyncio.gather(*served)


async def probed(answer: bytes, **probe: Any) -> Found:
    async with serving(answer) as (origin, _):
        return await asked_of(origin, origin, **probe)


async def asked_of(origin: str, allowed: str, *, patience: str = "5s", **probe: Any) -> Found:
    scene = dataclasses.replace(a_scene(), means=Means(peers=Peers([HttpAllowed(url=allowed, private=True)])))
    return await looked(scene, probe={"url": f"{origin}/healthz?a=b", **probe}, timeout=patience)


@pytest.mark.parametrize(
    ("answer", "probe", "said"),
    [
        pytest.param(OK, {"contains": "Bask", "within": "5s"}, None, id="as expected"),
        pytest.param(OK, {"contains": "Cart"}, "does not hold 'Cart'", id="another body"),
        pytest.param(OK, {"status": 204}, "Status 200, expected is 204", id="another status"),
        pytest.param(OK, {"within": "1ms"}, "allowed are 1ms", id="too slow"),
        pytest.param(MOVED, {}, "Status 302, expected is 200", id="redirect is not followed"),
        pytest.param(MOVED, {"status": 302}, None, id="redirect that is expected"),
        pytest.param(ENDLESS, {}, None, id="a body that is cut"),
        pytest.param(b"nonsense\r\n\r\n", {}, "No answer: RemoteProtocolError", id="no HTTP"),
        pytest.param(b"", {}, "No answer: RemoteProtocolError", id="nothing"),
    ],
)
async def test_answer_is_held_to_what_is_expected(
    answer: bytes, probe: dict[str, Any], said: str | None
) -> None:
    found = await probed(answer, **probe)

    assert found.passed is (said is None), found.message
    assert said is None or said in found.message


async def test_body_is_evidence_as_a_digest_and_never_as_text() -> None:
    found = await probed(OK)

    assert found.answer["bytes"] == 6
    assert found.answer["body"].startswith("sha256:")
    assert "Basket" not in str(found)


async def test_service_that_does_not_answer_in_time_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(address: str, peers: Peers) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("activities.checks.probe.get", hang)
    found = await asked_of("http://127.0.0.1:1", "http://127.0.0.1:1", patience="20ms")

    assert (found.passed, found.message) == (False, "There was no answer within 20ms.")


async def test_nobody_is_asked_whom_the_settings_do_not_name() -> None:
    async with serving(OK) as (origin, asked):
        found = await asked_of(origin, "http://127.0.0.1:1")

    assert found.passed is False
    assert "no entry of http_allow" in found.message
    assert asked == []


async def test_name_that_leads_inside_is_not_asked_unless_the_entry_says_so() -> None:
    async with serving(OK) as (origin, asked):
        means = Means(peers=Peers([HttpAllowed(url=origin)]))
        scene = dataclasses.replace(a_scene(), means=means)
        found = await looked(scene, probe={"url": f"{origin}/"})

    assert found.passed is False
    assert "private: true" in found.message
    assert asked == []
