"""Ways from one process of ours to one server: a way can stall, and hold a request as long as a test wants.

`Line` passes bytes on. `ApiServerLine` knows requests: it takes plain HTTP on this machine and speaks TLS to
the API server, so that one write can be held before it is sent on, or its answer after it was carried out.
"""

import asyncio
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

T = TypeVar("T")
OneLine = TypeVar("OneLine", bound="AnyLine")
Moment = Literal["before", "after"]
HOP_BY_HOP = {"connection", "host", "transfer-encoding", "content-length", "content-encoding", "keep-alive"}


class Lines:
    """The thread in which all lines of an installation run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lines", daemon=True)
        self._thread.start()
        self._closing: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def to(self, address: str) -> "Line":
        """Return a new line to host:port."""
        return self._opened(Line(address, self))

    def to_api_server(self, server: str, authority: Path) -> "ApiServerLine":
        """Return a new line to an API server."""
        return self._opened(ApiServerLine(server, authority, self))

    def _opened(self, line: OneLine) -> OneLine:
        line.port = self.run(line.open())
        self._closing.append(line.close)
        return line

    def held(self, matches: Callable[["Sent"], bool], moment: Moment) -> "Held":
        """Return what the next request that matches will be held by, on each line that is told."""
        return Held(matches, moment, self)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the lines' thread and return what it came to."""
        done: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(30)

    def soon(self, work: Callable[[], object]) -> None:
        """Do something in the lines' thread."""
        self._loop.call_soon_threadsafe(work)

    def close(self) -> None:
        """Cut every line and end the thread."""
        for close in self._closing:
            self.run(close())
        self.run(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _cancel_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class AnyLine(ABC):
    """What passes on while it is open; stalled, it takes connections and requests and passes nothing on."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._open = asyncio.Event()
        self._open.set()
        self.port = 0

    def stall(self) -> None:
        """Pass nothing on from now on, and refuse nothing."""
        self._lines.soon(self._open.clear)

    def resume(self) -> None:
        """Pass on again, also what came meanwhile."""
        self._lines.soon(self._open.set)

    @abstractmethod
    async def open(self) -> int:
        """Listen; return the port."""

    @abstractmethod
    async def close(self) -> None:
        """Listen no more."""


class Line(AnyLine):
    """Bytes in both directions."""

    def __init__(self, address: str, lines: Lines) -> None:
        super().__init__(lines)
        self._host, _, port = address.rpartition(":")
        self._server_port = int(port)

    @property
    def address(self) -> str:
        """Return where the line begins."""
        return f"127.0.0.1:{self.port}"

    async def open(self) -> int:
        """Listen; return the port."""
        self._listener = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._open.wait()
            there, back = await asyncio.open_connection(self._host, self._server_port)
        except OSError:
            writer.close()
            return
        try:
            pumps = [self._pump(reader, back), self._pump(there, writer)]
            await asyncio.wait(map(asyncio.ensure_future, pumps), return_when=asyncio.FIRST_COMPLETED)
        finally:
            writer.close()
            back.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            return


@dataclass
class Sent:
    """A request on its way."""

    method: str
    path: str
    query: dict[str, str]
    audit_id: str | None

    @property
    def writes(self) -> bool:
        """Tell whether it changes something; a dry run does not."""
        return self.method in ("PATCH", "DELETE", "POST", "PUT") and "dryRun" not in self.query


@dataclass
class Held:
    """One request that a line holds: before it is sent on, or its answer after it was carried out."""

    matches: Callable[[Sent], bool]
    moment: Moment
    lines: Lines
    caught: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    status: int | None = None
    sent: Sent | None = None
    _go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def let_go(self) -> None:
        """Send it, or its answer, on."""
        self.lines.soon(self._go_on.set)

    async def wait(self) -> None:
        """Stand still until it is let go."""
        await self._go_on.wait()


class ApiServerLine(AnyLine):
    """Requests to an API server, each passed on as it is unless it is to be held."""

    def __init__(self, server: str, authority: Path, lines: Lines) -> None:
        super().__init__(lines)
        self._server = server
        self._trusted = ssl.create_default_context(cafile=str(authority))
        self._holding: list[Held] = []

    @property
    def address(self) -> str:
        """Return where the line begins."""
        return f"http://127.0.0.1:{self.port}"

    def hold(self, held: Held) -> None:
        """Hold the next request that matches, unless another line has held one for it."""
        self._holding = [one for one in self._holding if not one.caught.is_set()]
        self._holding.append(held)

    def let_go(self) -> None:
        """Hold nothing any more."""
        for held in self._holding:
            held.caught.set()
            held.let_go()
        self._holding = []

    async def open(self) -> int:
        """Listen; return the port."""
        self._http = aiohttp.ClientSession(auto_decompress=False)
        application = web.Application(client_max_size=1 << 26)
        application.router.add_route("*", "/{path:.*}", self._carry)
        # A client that gives up does not end its request: that is what a late request is.
        self._runner = web.AppRunner(application, handler_cancellation=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def close(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()
        await self._http.close()

    async def _carry(self, request: web.Request) -> web.Response:
        body = await request.read()
        sent = Sent(request.method, request.path, dict(request.query), request.headers.get("Audit-ID"))
        await self._open.wait()
        held = next((one for one in self._holding if not one.caught.is_set() and one.matches(sent)), None)
        if held:
            held.sent = sent
            held.caught.set()
            if held.moment == "before":
                await held.wait()
        answer = await self._forward(request, body)
        if held:
            held.status = answer.status
            held.answered.set()
            if held.moment == "after":
                await held.wait()
        await self._open.wait()
        return answer

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: text for name, text in request.headers.items() if name.lower() not in HOP_BY_HOP}
        try:
            async with self._http.request(
                request.method,
                URL(self._server + request.raw_path, encoded=True),
                data=body,
                headers=headers,
                ssl=self._trusted,
            ) as answer:
                content = await answer.read()
                kept = {n: text for n, text in answer.headers.items() if n.lower() not in HOP_BY_HOP}
                if encoding := answer.headers.get("Content-Encoding"):
                    kept["Content-Encoding"] = encoding
                return web.Response(status=answer.status, body=content, headers=kept)
        except aiohttp.ClientError:
            # Nobody listens there: the client's connection breaks, as it would without us.
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)


class ProcessLines:
    """The lines of one process of ours to the servers of the stack, as `stack.json` describes it."""

    def __init__(self, lines: Lines, stack: dict[str, Any]) -> None:
        kubernetes, database = stack["kubernetes"], urlsplit(stack["postgres"]["url"])
        self.cluster = lines.to_api_server(kubernetes["server"], Path(kubernetes["ca_file"]))
        self.prometheus = lines.to(urlsplit(stack["prometheus"]["url"]).netloc)
        self.policy = lines.to(urlsplit(stack["opa"]["url"]).netloc)
        self.temporal = lines.to(stack["temporal"]["address"])
        self.ledger = lines.to(f"{database.hostname}:{database.port}")

    def all(self) -> dict[str, Line | ApiServerLine]:
        """Return them by the name of their server."""
        return {
            "apiserver": self.cluster,
            "prometheus": self.prometheus,
            "opa": self.policy,
            "temporal": self.temporal,
            "postgres": self.ledger,
        }
