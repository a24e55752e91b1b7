"""One run of the stack: from the lock to the last server's end.

Lock and supervisor are those of `holdpoint up`: servers on a leash, ready before those that need them start,
started again on the same ports when they die, and named with the end of their log when they do not come up.
"""

import asyncio
import os
from collections.abc import Sequence

from holdpoint.embedded import ports
from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.go_build import Say
from holdpoint.embedded.supervised import Run, supervised
from holdpoint.embedded.supervisor import Supervisor
from tools.stack import pieces
from tools.stack.detached import lock_of, ready_file
from tools.stack.place import Piece, Place, write_json


async def run_stack(folder: DataFolder, names: Sequence[str], say: Say) -> None:
    """Hold the folder's lock, run the parts until a signal, and stop them. Raises HoldpointError."""
    async with supervised(folder, lock_of(folder), ready_file(folder), say) as run:
        await _serve(run, folder, names, say)


async def _serve(run: Run, folder: DataFolder, names: Sequence[str], say: Say) -> None:
    chosen = ports.choose(pieces.ports_of(names), known := ports.remembered(folder.ports))
    ports.remember(folder.ports, known | chosen)
    made = await asyncio.to_thread(pieces.make, names, Place(folder, chosen))
    servers = [server for piece in made for server in piece.servers]
    found = {key: value for piece in made for key, value in piece.addresses.items()}
    await run.serve(
        Supervisor(folder, servers, say),
        when_ready={name: done for piece in made for name, done in piece.prepare.items()},
        announce=lambda: write_json(ready_file(folder), {"pid": os.getpid(), **found}),
        stop_order=stop_order(made),
    )


def stop_order(made: Sequence[Piece]) -> list[list[str]]:
    """Return the servers in groups that stop together, those first that need others."""
    servers = {server.name: server for piece in made for server in piece.servers}
    groups = []
    while servers:
        needed = {name for server in servers.values() for name in server.after}
        group = [name for name in servers if name not in needed]
        groups.append(group)
        for name in group:
            del servers[name]
    return groups
