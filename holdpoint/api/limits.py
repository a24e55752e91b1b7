"""What a request's body may be, checked before anything reads it: at most 300 KiB, and JSON."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdpoint.api.problems import problem

LARGEST = 300 * 1024
"""Bytes. A change file has at most 256 KiB; the rest is for JSON's quoting and the other fields."""
DRAINED = 16 * 1024 * 1024
"""Bytes of a body too large that are read and dropped, so that its sender gets the answer, not a broken
pipe."""
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


class BodyLimits:
    """Reads a request's body up to the limit and passes it on whole; answers 413 or 415 by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            detail = f"The request's body is larger than {LARGEST // 1024} KiB."
            await problem(413, "too_large", detail)(scope, receive, send)
        elif body and scope["method"] in BODY_METHODS and not _is_json(scope):
            detail = "The request's body must be sent as application/json."
            await problem(415, "unsupported_media_type", detail)(scope, receive, send)
        else:
            await self._app(scope, _replay(body, receive), send)


async def _read(receive: Receive) -> bytes | None:
    """Return the whole body, or None when it is too large."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= LARGEST:
            parts.append(part)
        elif size > DRAINED:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return b"".join(parts) if size <= LARGEST else None


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
