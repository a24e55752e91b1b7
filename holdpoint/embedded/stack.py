"""`holdpoint up`, `down` and `status`: the embedded stack on one data folder."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdpoint.embedded.folder import DataFolder, open_folder, replace
from holdpoint.embedded.lock import StackLock, command_line, end_leftovers
from holdpoint.embedded.server import clean_environment, python
from holdpoint.models.base import Model
from holdpoint.models.errors import Conflict, HoldpointError, PolicyBundle, SettingsError, UpstreamUnavailable

Report = Callable[[str], None]

DETACH_SECONDS = 900.0
"""Longest wait for a detached stack: building OPA on a slow machine takes minutes, once."""
DOWN_SECONDS = 40.0
"""Longest wait for a stack to stop by itself: a worker drains for 5 s, each server has 10 s."""
LAST_SECONDS = 5.0
"""What a supervisor that has stopped its servers may take to end itself."""
POLL_SECONDS = 0.05


class Addresses(Model):
    """Where the parts of a stack are reached: `temporal` takes gRPC, `temporal_ui` is its own page."""

    api: str
    temporal: str
    temporal_ui: str
    temporal_namespace: str
    sandbox: str
    opa: str
    data: str
    pid: int


class Status(Model):
    """How the stack on a data folder stands."""

    up: bool
    pid: int | None = None
    servers: dict[str, Any] = {}
    addresses: Addresses | None = None


def up(
    data: Path, *, detach: bool, report: Report, on_ready: Callable[[Addresses], None] | None = None
) -> None:
    """Start the stack. Attached: run it until Ctrl-C or `down`; detached: return when it is ready.

    `on_ready` is told the addresses once, as soon as all servers are ready. Raises SettingsError if the data
    folder cannot be used, Conflict if a stack is up on it, UpstreamUnavailable if a server does not start.
    """
    folder = open_folder(data)
    if detach:
        found = _detached(folder, report)
        if on_ready:
            on_ready(found)
        return
    from holdpoint.embedded.running import run_stack  # slow to import; `down` and `status` need none of it

    asyncio.run(run_stack(folder, report, on_ready))


def down(data: Path, *, report: Report = lambda _: None) -> bool:
    """Stop the stack and leave no process behind; return whether one was up. Raises UpstreamUnavailable."""
    folder = DataFolder(data.expanduser().absolute())
    if not folder.run.is_dir():
        return False
    lock = StackLock(folder.run)
    holder = lock.holder()
    if holder is None:
        # Nobody supervises; what a killed supervisor may have left is ended, under the lock so that no
        # `up` begins.
        lock.take()
        left = end_leftovers(folder.run / "pids.json", folder.root)
        (folder.run / "addresses.json").unlink(missing_ok=True)
        lock.release()
        return bool(left)
    report(f"stopping the stack on {folder.root} (process {holder})")
    _stop(lock, holder)
    return True


def status(data: Path) -> Status:
    """Return how the stack on a data folder stands."""
    folder = DataFolder(data.expanduser().absolute())
    holder = StackLock(folder.run).holder() if folder.run.is_dir() else None
    if holder is None:
        return Status(up=False)
    servers = (_json(folder.run / "pids.json") or {}).get("servers", {})
    return Status(up=True, pid=holder, servers=servers, addresses=addresses(folder))


def addresses(folder: DataFolder) -> Addresses | None:
    """Return the addresses of the running stack; None while it is not ready."""
    found = _json(folder.run / "addresses.json")
    return Addresses.model_validate(found) if found else None


def announce(folder: DataFolder, found: Addresses) -> None:
    """Let every command that is given the data folder find the stack."""
    replace(folder.run / "addresses.json", found.model_dump_json(indent=1).encode())


def _detached(folder: DataFolder, report: Report) -> Addresses:
    """Start the supervisor in a session of its own and wait until it is ready."""
    holder = StackLock(folder.run).holder()
    if holder is not None:
        raise Conflict(
            f"A stack is up already on {folder.root} (process {holder}). "
            f"Stop it: holdpoint down --data {shlex.quote(str(folder.root))}"
        )
    for stale in ("addresses.json", "failure.json"):
        (folder.run / stale).unlink(missing_ok=True)
    log = folder.logs / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own module
            python("holdpoint.embedded", "--data", str(folder.root)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=clean_environment() | _kept(),
            start_new_session=True,
            close_fds=True,
        )
    try:
        return _await_ready(folder, process, log, report)
    except BaseException:
        process.terminate()  # also on Ctrl-C: nothing half-started stays
        process.wait()
        raise


def _kept() -> dict[str, str]:
    """Return the variables that the supervisor itself reads."""
    return {name: os.environ[name] for name in ("HOLDPOINT_OPA",) if name in os.environ}


def _await_ready(
    folder: DataFolder, process: "subprocess.Popen[bytes]", log: Path, report: Report
) -> Addresses:
    deadline = time.monotonic() + DETACH_SECONDS
    with log.open(errors="replace") as lines:
        while time.monotonic() < deadline:
            ended = process.poll() is not None
            for line in lines:
                report(line.rstrip("\n"))
            found = addresses(folder)
            if found is not None and found.pid == process.pid and not ended:
                return found
            if ended:
                raise _failure(folder, log)
            # Two things are waited for at once, its death and its file, and its log is followed meanwhile.
            time.sleep(POLL_SECONDS)
    raise UpstreamUnavailable(f"The stack is not ready after {DETACH_SECONDS:.0f} s. See {log}.")


def leave_failure(data: Path, error: HoldpointError) -> None:
    """Tell the command that started us detached why the stack did not start."""
    told = {"code": error.code, "message": error.message}
    replace(DataFolder(data).run / "failure.json", json.dumps(told).encode())


def _failure(folder: DataFolder, log: Path) -> HoldpointError:
    """Return the error that ended the supervisor, as it left it."""
    told = _json(folder.run / "failure.json") or {}
    kinds = {kind.code: kind for kind in (SettingsError, Conflict, PolicyBundle)}
    message = told.get("message") or f"The stack did not start. See {log}."
    return kinds.get(told.get("code", ""), UpstreamUnavailable)(message)


def _stop(lock: StackLock, holder: int) -> None:
    deadline = time.monotonic() + DOWN_SECONDS
    _signal(holder, signal.SIGTERM)
    while lock.holder() == holder:
        if time.monotonic() > deadline:
            _signal(holder, signal.SIGKILL)  # its servers are on a leash and go with it
            deadline += DOWN_SECONDS
        # The supervisor is no child of ours: nothing tells us of its end.
        time.sleep(POLL_SECONDS)
    # The lock is given back a moment before the process has ended.
    deadline = time.monotonic() + LAST_SECONDS
    while command_line(holder) and time.monotonic() < deadline:
        # As above.
        time.sleep(POLL_SECONDS)


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise SettingsError(
            f"Process {process} is another user's; the stack is stopped by its owner."
        ) from error


def _json(file: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
