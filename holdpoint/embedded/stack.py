"""`holdpoint up`, `down` and `status`: the embedded stack on one data folder."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdpoint.embedded.detached import Detached, Report
from holdpoint.embedded.folder import DataFolder, folder_at, open_folder, read_document
from holdpoint.embedded.lock import StackLock
from holdpoint.embedded.server import clean_environment, python
from holdpoint.ledger.files import replace
from holdpoint.models.base import Model

DETACH_SECONDS = 900.0
"""Longest wait for a detached stack: building OPA on a slow machine takes minutes, once."""
DOWN_SECONDS = 40.0
"""Longest wait for a stack to stop by itself: a worker drains for 5 s, each server has 10 s."""


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
        command = python("holdpoint.embedded", "--data", str(folder.root))
        started = detached(folder).start(command, report, environment=clean_environment() | _kept())
        found = Addresses.model_validate(started)
        if on_ready:
            on_ready(found)
        return
    from holdpoint.embedded.running import run_stack  # slow to import; `down` and `status` need none of it

    asyncio.run(run_stack(folder, report, on_ready))


def down(data: Path, *, report: Report = lambda _: None) -> bool:
    """Stop the stack and leave no process behind; return whether one was up. Raises SettingsError."""
    return detached(folder_at(data)).stop(report)


def status(data: Path) -> Status:
    """Return how the stack on a data folder stands."""
    folder = folder_at(data)
    holder = StackLock(folder.run).holder() if folder.run.is_dir() else None
    if holder is None:
        return Status(up=False)
    servers = (read_document(folder.run / "pids.json") or {}).get("servers", {})
    return Status(up=True, pid=holder, servers=servers, addresses=addresses(folder))


def addresses(folder: DataFolder) -> Addresses | None:
    """Return the addresses of the running stack; None while it is not ready."""
    found = read_document(ready_file(folder))
    return Addresses.model_validate(found) if found else None


def ready_file(folder: DataFolder) -> Path:
    """Return the file that says where a stack's servers are; it is there only while all are ready."""
    return folder.run / "addresses.json"


def announce(folder: DataFolder, found: Addresses) -> None:
    """Let every command that is given the data folder find the stack."""
    replace(ready_file(folder), found.model_dump_json(indent=1).encode())


def detached(folder: DataFolder) -> Detached:
    """Return how the stack on a data folder is started and stopped from outside."""
    return Detached(folder, StackLock(folder.run), ready_file(folder), DETACH_SECONDS, DOWN_SECONDS)


def _kept() -> dict[str, str]:
    """Return the variables that the supervisor itself reads."""
    return {name: os.environ[name] for name in ("HOLDPOINT_OPA",) if name in os.environ}
