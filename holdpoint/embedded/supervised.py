"""What every supervised stack goes through: the folder's lock, a signal that ends it, nothing left behind."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.lock import StackLock, end_leftovers
from holdpoint.embedded.supervisor import Report, Supervisor

T = TypeVar("T")

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """A signal asked the stack to stop."""


class Run:
    """One run of a stack, from the lock to the last server's end."""

    def __init__(self, ready: Path, report: Report) -> None:
        self._ready, self._report = ready, report
        self._asked_to_stop = asyncio.Event()
        for number in STOPPING:
            asyncio.get_running_loop().add_signal_handler(number, self._asked_to_stop.set)

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work returns. Raises Stopped as soon as a signal asks us to stop."""
        doing = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._asked_to_stop.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            raise Stopped
        finally:
            stopping.cancel()
            doing.cancel()
            await asyncio.gather(doing, stopping, return_exceptions=True)

    async def serve(
        self,
        supervisor: Supervisor,
        *,
        when_ready: Mapping[str, Callable[[], Awaitable[None]]],
        announce: Callable[[], object],
        stop_order: Sequence[Sequence[str]],
    ) -> None:
        """Start the servers, announce them once all are ready, watch over them, and stop them in order.

        `when_ready` is the supervisor's. Raises Stopped after a signal, and what `start` and `watch` raise.
        """
        try:
            await self.unless_stopped(supervisor.start(dict(when_ready)))
            announce()
            await self.unless_stopped(supervisor.watch())
        finally:
            self._report("stopping")
            self._ready.unlink(missing_ok=True)
            await supervisor.stop(*stop_order)


@asynccontextmanager
async def supervised(folder: DataFolder, lock: StackLock, ready: Path, report: Report) -> AsyncIterator[Run]:
    """Hold the folder's lock for one run, which a signal ends. Raises Conflict if another process holds it.

    `ready` is the file that says where the servers are; it is there only while all are.
    """
    os.umask(0o077)  # whatever the servers write is nobody else's
    lock.take()
    run = Run(ready, report)
    pids = folder.run / "pids.json"
    try:
        for name in end_leftovers(pids, folder.root):
            report(f"ended the {name} that an earlier stack had left behind")
        yield run
    except Stopped:
        report("stopped; nothing is left running")
    finally:
        for left in (ready, pids):
            left.unlink(missing_ok=True)
        lock.release()
