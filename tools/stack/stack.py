"""One run of the stack: from the lock to the last server's end.

The supervisor is the one of `holdpoint up`: servers on a leash, ready before those that need them start,
started again on the same ports when they die, and named with the end of their log when they do not come up.
"""

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdpoint.embedded import ports
from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.go_build import Say
from holdpoint.embedded.lock import StackLock, end_leftovers
from holdpoint.embedded.supervisor import Supervisor
from tools.stack import pieces
from tools.stack.place import Piece, Place, write_json

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def folder_of(directory: Path) -> DataFolder:
    """Return the folder of a stack, made 0700 if it was not there."""
    folder = DataFolder(directory.expanduser().absolute())
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in (folder.run, folder.logs):
        path.mkdir(mode=0o700, exist_ok=True)
    return folder


def document(folder: DataFolder) -> dict[str, Any] | None:
    """Return what `stack.json` says; None while no stack is ready."""
    try:
        found = json.loads((folder.root / "stack.json").read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


async def run_stack(folder: DataFolder, names: Sequence[str], say: Say) -> None:
    """Hold the folder's lock, run the parts until a signal, and stop them. Raises HoldpointError."""
    os.umask(0o077)  # whatever the servers write is nobody else's
    lock = StackLock(folder.run)
    lock.take()
    stop = asyncio.Event()
    for number in STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        for name in end_leftovers(folder.run / "pids.json", folder.root):
            say(f"ended the {name} that an earlier stack had left behind")
        await _run(folder, names, say, stop)
    finally:
        for left in (folder.root / "stack.json", folder.run / "pids.json"):
            left.unlink(missing_ok=True)
        lock.release()


async def _run(folder: DataFolder, names: Sequence[str], say: Say, stop: asyncio.Event) -> None:
    place = Place(folder, _ports(folder, names))
    made = await asyncio.to_thread(pieces.make, names, place)
    servers = [server for piece in made for server in piece.servers]
    supervisor = Supervisor(folder, servers, say)
    prepare = {name: done for piece in made for name, done in piece.prepare.items()}
    running = asyncio.create_task(_serve(supervisor, folder, made, prepare))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        (folder.root / "stack.json").unlink(missing_ok=True)
        for task in (running, stopping):
            task.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)
        await _stop(supervisor, made)


async def _serve(
    supervisor: Supervisor, folder: DataFolder, made: Sequence[Piece], prepare: dict[str, Any]
) -> None:
    """Start everything, say where it is, and watch over it."""
    await supervisor.start(prepare)
    found = {key: value for piece in made for key, value in piece.addresses.items()}
    write_json(folder.root / "stack.json", {"pid": os.getpid(), **found})
    await supervisor.watch()


async def _stop(supervisor: Supervisor, made: Sequence[Piece]) -> None:
    """Stop the servers, those first that need others."""
    servers = {server.name: server for piece in made for server in piece.servers}
    while servers:
        needed = {name for server in servers.values() for name in server.after}
        group = [name for name in servers if name not in needed]
        await supervisor.stop(group)
        for name in group:
            del servers[name]


def _ports(folder: DataFolder, names: Sequence[str]) -> dict[str, int]:
    """Return a free port per server, that of the last run where it is still free."""
    file = folder.run / "ports.json"
    try:
        known = {name: int(port) for name, port in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        known = {}
    found = ports.choose(pieces.ports_of(names), known)
    write_json(file, known | found)
    return found
