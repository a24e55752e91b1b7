"""What a request's body may be, checked before anything reads it: at most 300 KiB, there in time, and JSON.

Temporal's page sends a whole page of payloads to be decrypted, so `/codec/` takes more.
"""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdpoint.api.problems import problem

LARGEST = 300 * 1024
"""Bytes. A change file has at most 256 KiB; the rest is for JSON's quoting and the other fields."""
DRAINED = 16 * 1024 * 1024
"""Bytes of a body too large that are read and dropped, so that its sender gets the answer, not a broken
pipe."""
DRAIN_SECONDS = 5.0
"""How long that may take; by then the answer, which is sent before, has long arrived."""
BODY_SECONDS = 30.0
"""How long a whole body may take to arrive, however it is dripped in: 10 KiB a second suffice."""
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
LARGEST_PAYLOADS = 8 * 1024 * 1024
"""Bytes on `/codec/`: twice what one gRPC answer of Temporal may have, for base64 and JSON."""
CODEC = "/codec/"


class BodyLimits:
    """Reads a request's body up to the limit and passes it on whole; answers 408, 413 or 415 by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced, largest = _announced(scope), _largest(scope)
        if announced is not None and announced > largest:
            await _refuse_unread(scope, receive, send, 413, "too_large", _too_large(largest))
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive, largest)
        except TimeoutError:
            late = f"The request's body did not arrive within {BODY_SECONDS:g} s."
            await _refuse_unread(scope, receive, send, 408, "request_timeout", late)
            return
        if body is None:
            await problem(413, "too_large", _too_large(largest))(scope, receive, send)
        elif body and scope["method"] in BODY_METHODS and not _is_json(scope):
            detail = "The request's body must be sent as application/json."
            await problem(415, "unsupported_media_type", detail)(scope, receive, send)
        else:
            await self._app(scope, _replay(body, receive), send)


def _largest(scope: Scope) -> int:
    return LARGEST_PAYLOADS if scope["path"].startswith(CODEC) else LARGEST


def _too_large(largest: int) -> str:
    return f"The request's body is larger than {largest // 1024} KiB."


def _announced(scope: Scope) -> int | None:
    """Return the body's length in bytes as its header says it; None where none is said."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:18])  # the server lets no other form in; this many digits are too many already
    return None


async def _refuse_unread(
    scope: Scope, receive: Receive, send: Send, status: int, code: str, detail: str
) -> None:
    """Answer before the whole body has arrived, read away what is under way, and close.

    The answer is whole but left open meanwhile: once it is closed a server hands on nothing more to read, and
    a sender in the middle of its body would find the connection broken instead of the answer.
    """

    async def send_open(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    refusal = problem(status, code, detail, headers={"Connection": "close"})
    await refusal(scope, receive, send_open)
    waits = any(name == b"expect" for name, _ in scope["headers"])  # asked whether it may send: it may not
    if not waits:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await _read(receive, _largest(scope))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _read(receive: Receive, largest: int) -> bytes | None:
    """Return the whole body, or None when it is too large."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= largest:
            parts.append(part)
        elif size > DRAINED:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return b"".join(parts) if size <= largest else None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once, and then what the connection says (that it closed)."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _is_json(scope: Scope) -> bool:
    types = [value for name, value in scope["headers"] if name == b"content-type"]
    kind = types[-1].split(b";")[0].strip().lower() if types else b""
    return kind == b"application/json" or (kind.startswith(b"application/") and kind.endswith(b"+json"))
