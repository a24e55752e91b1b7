"""One run of the embedded stack: what is made first, and which servers are then kept running."""

import asyncio
import os
from collections.abc import Callable

from holdpoint.embedded import first_up, ports
from holdpoint.embedded.detached import Report
from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.lock import StackLock
from holdpoint.embedded.opa_server import bundle_of, keep_bundle, obtain_opa, opa_server
from holdpoint.embedded.stack import Addresses, announce, ready_file
from holdpoint.embedded.stack_servers import PORTS, STOP_ORDER, addresses_of, servers_of
from holdpoint.embedded.supervised import Run, supervised
from holdpoint.embedded.supervisor import Supervisor
from holdpoint.embedded.temporal_server import prepare_namespace
from worker.temporal import connect

OnReady = Callable[[Addresses], None]


async def run_stack(folder: DataFolder, report: Report, on_ready: OnReady | None) -> None:
    """Hold the data folder's lock, run the stack until a signal, and stop it in order."""
    async with supervised(folder, StackLock(folder.run), ready_file(folder), report) as run:
        await _serve(run, folder, report, on_ready)


async def _serve(run: Run, folder: DataFolder, report: Report, on_ready: OnReady | None) -> None:
    """Prepare the folder, start the servers, wait for a signal, stop the servers. Raises Stopped."""
    opa = await run.unless_stopped(obtain_opa(report))
    await asyncio.to_thread(first_up.make_contents, folder)
    bundle = bundle_of(folder, opa)
    await asyncio.to_thread(bundle.refresh)
    chosen = ports.choose(PORTS, ports.remembered(folder.ports))
    ports.remember(folder.ports, chosen)
    first_up.write_settings(folder, chosen)
    found = addresses_of(folder, chosen, os.getpid())

    async def prepare_temporal() -> None:
        await prepare_namespace(await connect(found.temporal, "default"))

    def tell() -> None:
        announce(folder, found)
        if on_ready:
            on_ready(found)

    keeper = asyncio.create_task(keep_bundle(bundle, report))
    try:
        await run.serve(
            Supervisor(folder, servers_of(folder, chosen, opa_server(bundle, chosen)), report),
            when_ready={"temporal": prepare_temporal},
            announce=tell,
            stop_order=STOP_ORDER,
        )
    finally:
        keeper.cancel()
