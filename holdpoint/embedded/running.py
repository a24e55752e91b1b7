"""One run of the stack: from the lock to the last server's end."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from holdpoint.embedded import first_up, ports
from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.lock import StackLock, end_leftovers
from holdpoint.embedded.opa_server import bundle_of, keep_bundle, obtain_opa, opa_server
from holdpoint.embedded.stack import Addresses, Report, announce
from holdpoint.embedded.stack_servers import PORTS, STOP_ORDER, addresses_of, servers_of
from holdpoint.embedded.supervisor import Supervisor
from holdpoint.embedded.temporal_server import prepare_namespace
from worker.temporal import connect

T = TypeVar("T")

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OnReady = Callable[[Addresses], None]


class Stopped(Exception):
    """A signal came before the stack was ready."""


async def run_stack(folder: DataFolder, report: Report, on_ready: OnReady | None) -> None:
    """Hold the data folder's lock, run the stack until a signal, and stop it in order."""
    os.umask(0o077)  # whatever the servers write is nobody else's
    lock = StackLock(folder.run)
    lock.take()
    stop = asyncio.Event()
    for number in STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        for name in end_leftovers(folder.run / "pids.json", folder.root):
            report(f"ended the {name} that an earlier stack had left behind")
        await _run(folder, report, on_ready, stop)
    except Stopped:
        report("stopped; nothing is left running")
    finally:
        (folder.run / "addresses.json").unlink(missing_ok=True)
        (folder.run / "pids.json").unlink(missing_ok=True)
        lock.release()


async def _run(folder: DataFolder, report: Report, on_ready: OnReady | None, stop: asyncio.Event) -> None:
    """Prepare the folder, start the servers, wait for a signal, stop the servers. Raises Stopped."""
    opa = await _or_stopped(obtain_opa(report), stop)
    await asyncio.to_thread(first_up.make_contents, folder)
    bundle = bundle_of(folder, opa)
    await asyncio.to_thread(bundle.refresh)
    chosen = ports.choose(PORTS, first_up.known_ports(folder))
    first_up.write_settings(folder, chosen)
    supervisor = Supervisor(folder, servers_of(folder, chosen, opa_server(bundle, chosen)), report)

    async def prepare_temporal() -> None:
        address = f"127.0.0.1:{chosen['temporal']}"
        await prepare_namespace(await connect(address, "default"))

    found = addresses_of(folder, chosen, os.getpid())
    keeper = asyncio.create_task(keep_bundle(bundle, report))
    try:
        await _or_stopped(supervisor.start({"temporal": prepare_temporal}), stop)
        announce(folder, found)
        if on_ready:
            on_ready(found)
        await _or_stopped(supervisor.watch(), stop)
    finally:
        report("stopping")
        keeper.cancel()
        (folder.run / "addresses.json").unlink(missing_ok=True)
        await supervisor.stop(*STOP_ORDER)


async def _or_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T:
    """Return what the work returns. Raises Stopped as soon as a signal asks us to stop."""
    doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise Stopped
    finally:
        stopping.cancel()
        doing.cancel()
        await asyncio.gather(doing, stopping, return_exceptions=True)
