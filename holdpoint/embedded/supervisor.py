"""The supervisor: starts the servers, starts again what dies on the same ports, stops all in order."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.server import Server, end, spawn
from holdpoint.ledger.files import replace
from holdpoint.models.errors import UpstreamUnavailable

READY_SECONDS = 120.0
"""Longest time until a server is ready; all are ready in 15 s on 2 cores, so that this is a server that
hangs."""
POLL_SECONDS = 0.1
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
"""Seconds before a server that died is started again: at once the first time, then doubling."""
STEADY_SECONDS = 30.0
"""A server that ran so long begins again with the first pause."""
STARTS_BEFORE_READY = 3
"""A server that dies so often before it was ever ready will not become so: `up` gives up and shows its
log."""
LARGEST_LOG = 20 * 1024 * 1024
"""A log larger than this is put aside at the next start; one older log is kept."""

Report = Callable[[str], None]


@dataclass
class Running:
    """How one server stands."""

    pid: int | None = None
    state: str = "waiting"
    restarts: int = -1


class Supervisor:
    """Keeps the servers of one data folder running."""

    def __init__(self, folder: DataFolder, servers: Sequence[Server], report: Report) -> None:
        self._folder, self._servers, self._report = folder, servers, report
        self._running = {server.name: Running() for server in servers}
        self._ready = {server.name: asyncio.Event() for server in servers}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._began = time.monotonic()

    async def start(self, when_ready: dict[str, Callable[[], Awaitable[None]]]) -> None:
        """Start every server and return when all are ready.

        `when_ready` is done after a server's first readiness and before those that need it are started.
        Raises UpstreamUnavailable with the end of the log of the server that did not come up.
        """
        for server in self._servers:
            task = asyncio.create_task(self._keep(server, when_ready.get(server.name)), name=server.name)
            self._keepers[server.name] = task
        ready, failed = asyncio.create_task(self._all_ready()), asyncio.create_task(self.watch())
        try:
            await asyncio.wait({ready, failed}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                failed.result()
            if not ready.done():
                slow = [name for name, event in self._ready.items() if not event.is_set()]
                raise UpstreamUnavailable(f"Not ready in {READY_SECONDS:.0f} s: {', '.join(slow)}.")
        finally:
            ready.cancel()
            failed.cancel()

    async def watch(self) -> None:
        """Wait until the supervisor gives a server up, and raise why."""
        done, _ = await asyncio.wait(self._keepers.values(), return_when=asyncio.FIRST_COMPLETED)
        for keeper in done:
            keeper.result()

    async def _all_ready(self) -> None:
        for event in self._ready.values():
            await event.wait()

    async def stop(self, *groups: Sequence[str]) -> None:
        """Stop the servers, one group after the other."""
        for group in groups:
            await asyncio.gather(*(self._stop(server) for server in self._servers if server.name in group))

    async def _stop(self, server: Server) -> None:
        keeper = self._keepers.pop(server.name, None)
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        process = self._processes.pop(server.name, None)
        if process is not None:
            await end(process, server.grace)
        self._note(server.name, pid=None, state="stopped")

    async def _keep(self, server: Server, when_ready: Callable[[], Awaitable[None]] | None) -> None:
        """Start the server whenever it is not running, until cancelled."""
        for name in server.after:
            await self._ready[name].wait()
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            process = await self._spawn(server)
            await self._until_ready(server, process, when_ready)
            await process.wait()
            self._note(server.name, pid=None, state="died")
            self._refuse_a_hopeless_one(server)
            if time.monotonic() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE
            self._report(
                f"{server.name} died ({_how(process.returncode)}); starting it again in {pause:.1f} s"
            )
            await asyncio.sleep(pause)  # the pause itself: what dies at once is not started without end
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _spawn(self, server: Server) -> asyncio.subprocess.Process:
        log = self.log_of(server.name)
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
        process = await spawn(server, log)
        self._processes[server.name] = process
        restarts = self._running[server.name].restarts + 1
        self._note(server.name, pid=process.pid, state="starting", restarts=restarts)
        return process

    async def _until_ready(
        self,
        server: Server,
        process: asyncio.subprocess.Process,
        when_ready: Callable[[], Awaitable[None]] | None,
    ) -> None:
        while not await server.ready(process.pid):
            if process.returncode is not None:
                return
            await asyncio.sleep(POLL_SECONDS)  # readiness is answered when asked for; nobody announces it
        first = not self._ready[server.name].is_set()
        if first and when_ready is not None:
            await when_ready()
        self._ready[server.name].set()
        self._note(server.name, state="ready")
        again = "" if first else " again"
        self._report(f"{server.name} is ready{again} ({time.monotonic() - self._began:.1f} s)")

    def log_of(self, name: str) -> Path:
        """Return where a server's output goes."""
        return self._folder.logs / f"{name}.log"

    def _refuse_a_hopeless_one(self, server: Server) -> None:
        if self._ready[server.name].is_set() or self._running[server.name].restarts + 1 < STARTS_BEFORE_READY:
            return
        log = self.log_of(server.name)
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise UpstreamUnavailable(f"{server.name} does not start. The end of {log}:\n{last}")

    def _note(self, name: str, **changes: object) -> None:
        """Keep `run/pids.json` true, so that `status` and a later `up` can read it."""
        running = self._running[name]
        for field, value in changes.items():
            setattr(running, field, value)
        servers = {server: asdict(state) for server, state in self._running.items()}
        replace(self._folder.run / "pids.json", json.dumps({"servers": servers}, indent=1).encode())


def _how(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
