"""A server that a test asks over real HTTP: it answers what it is told to, and keeps what it was asked."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; names of headers in small letters."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


@dataclass(frozen=True)
class Reply:
    """An answer; `hangs` keeps the connection open without any more, `drops` closes it without an answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    drops: bool = False


class Server:
    """Answers `replies` in turn, and the last of them for ever. `asked` is what it was sent, in order."""

    def __init__(self) -> None:
        self.replies: list[Reply] = [Reply()]
        self.asked: list[Asked] = []
        self.meets: Callable[[Asked], None] = lambda asked: None
        self.arrived = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def keys(self) -> list[str]:
        """Return the idempotency keys, in order."""
        return [one.key for one in self.asked]

    def next(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (ConnectionError, h11.RemoteProtocolError):
            pass  # the client has closed the connection
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection, body = h11.Connection(h11.SERVER), b""
        head: h11.Request | None = None
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                break
            else:
                return
        headers = {name.decode(): value.decode() for name, value in head.headers}
        asked = Asked(head.method.decode(), head.target.decode(), headers, body)
        self.asked.append(asked)
        self.arrived.set()
        self.meets(asked)
        reply = self.next()
        if reply.hangs:
            await reader.read()  # until the client gives up
        if reply.hangs or reply.drops:
            return
        names = {"Content-Length": str(len(reply.body)), **reply.headers}
        answer = h11.Response(status_code=reply.status, headers=list(names.items()))
        writer.write((connection.send(answer) or b"") + reply.body)
        await writer.drain()


@asynccontextmanager
async def a_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run a server on a free port of this machine."""
    made = Server()
    running = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = running.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        running.close()
