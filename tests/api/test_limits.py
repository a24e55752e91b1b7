"""A body that is announced too large is refused before it arrives, and is read away where it does."""

import asyncio
from typing import Any

import pytest

from holdpoint.api import limits
from holdpoint.api.limits import LARGEST, BodyLimits

Messages = list[dict[str, Any]]


def a_request(**headers: str) -> dict[str, Any]:
    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/v1/changes", "headers": named}


async def never_asked(*_: Any) -> None:
    pytest.fail("the app was asked")


def whole(sent: Messages) -> bool:
    """Tell whether a client has everything: headers, and as many bytes as they say."""
    headers = dict(sent[0]["headers"]) if sent else {}
    got = sum(len(message["body"]) for message in sent[1:])
    return bool(sent) and sent[0]["status"] == 413 and got == int(headers[b"content-length"])


async def test_announced_body_that_never_comes_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: Messages = []
    waiting = asyncio.Event()
    monkeypatch.setattr(limits, "DRAIN_SECONDS", 0.05)

    async def receive() -> dict[str, Any]:
        assert whole(sent), "the body was waited for before it was refused"
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async with asyncio.timeout(5):
        await BodyLimits(never_asked)(a_request(**{"content-length": str(LARGEST + 1)}), receive, send)  # type: ignore[arg-type]  # plain dictionaries

    assert waiting.is_set()
    assert not sent[-1]["more_body"]


async def test_what_is_under_way_is_read_so_that_its_sender_sees_the_answer() -> None:
    sent: Messages = []
    left = [b"x" * LARGEST, b"x" * LARGEST]

    async def receive() -> dict[str, Any]:
        part = left.pop()
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await BodyLimits(never_asked)(a_request(**{"content-length": str(2 * LARGEST)}), receive, send)  # type: ignore[arg-type]  # plain dictionaries

    assert whole(sent)
    assert not left


async def test_sender_that_asks_before_it_sends_is_not_waited_for() -> None:
    sent: Messages = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = {"content-length": str(LARGEST + 1), "expect": "100-continue"}
    await BodyLimits(never_asked)(a_request(**headers), never_asked, send)  # type: ignore[arg-type]  # plain dictionaries

    assert whole(sent)
