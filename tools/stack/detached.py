"""Start the stack in a session of its own and wait for it; stop it and leave nothing behind."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.go_build import Say
from holdpoint.embedded.lock import StackLock, command_line, end_leftovers
from holdpoint.models.errors import Conflict, UpstreamUnavailable
from tools.stack.place import write_json
from tools.stack.stack import document, folder_of

CHECKOUT = Path(__file__).parents[2]
READY_SECONDS = 180.0
"""All parts are ready in 20 s on two idle cores; a loaded machine takes longer."""
DOWN_SECONDS = 60.0
"""Longest wait for a stack to stop by itself: each server has 10 s, in at most five groups."""
POLL_SECONDS = 0.05
"""How often lock and file are looked at: neither tells that it changed."""


def up(directory: Path, names: Sequence[str], say: Say) -> dict[str, Any]:
    """Start the stack and return its `stack.json`. Raises Conflict when it is up, UpstreamUnavailable."""
    folder = folder_of(directory)
    holder = StackLock(folder.run).holder()
    if holder is not None:
        raise Conflict(
            f"A stack is up already in {folder.root} (process {holder}). "
            f"Stop it: python -m tools.stack down --dir {shlex.quote(str(folder.root))}"
        )
    (folder.run / "failure.json").unlink(missing_ok=True)
    log = folder.logs / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [
                sys.executable,
                "-m",
                "tools.stack",
                "run",
                "--dir",
                str(folder.root),
                f"--only={','.join(names)}",
            ],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            close_fds=True,
        )
    try:
        return _await_ready(folder, process, log, say)
    except BaseException:
        process.terminate()  # also on Ctrl-C: nothing half-started stays
        process.wait()
        raise


def leave_failure(directory: Path, message: str) -> None:
    """Tell the command that started us why the stack did not come up."""
    write_json(folder_of(directory).run / "failure.json", {"message": message})


def down(directory: Path, say: Say) -> bool:
    """Stop the stack and leave no process behind; return whether one was up."""
    folder = DataFolder(directory.expanduser().absolute())
    if not folder.run.is_dir():
        return False
    lock = StackLock(folder.run)
    holder = lock.holder()
    if holder is None:
        lock.take()
        left = end_leftovers(folder.run / "pids.json", folder.root)
        (folder.root / "stack.json").unlink(missing_ok=True)
        lock.release()
        return bool(left)
    say(f"stopping the stack in {folder.root} (process {holder})")
    _stop(lock, holder)
    return True


def _await_ready(
    folder: DataFolder, process: "subprocess.Popen[bytes]", log: Path, say: Say
) -> dict[str, Any]:
    deadline = time.monotonic() + READY_SECONDS
    with log.open(errors="replace") as lines:
        while time.monotonic() < deadline:
            ended = process.poll() is not None
            for line in lines:
                say(line.rstrip("\n"))
            found = document(folder)
            if found is not None and found.get("pid") == process.pid and not ended:
                return found
            if ended:
                raise UpstreamUnavailable(_failure(folder, log))
            time.sleep(POLL_SECONDS)
    raise UpstreamUnavailable(f"The stack is not ready after {READY_SECONDS:.0f} s. See {folder.logs}.")


def _failure(folder: DataFolder, log: Path) -> str:
    try:
        return str(json.loads((folder.run / "failure.json").read_text())["message"])
    except (OSError, ValueError, KeyError, TypeError):
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        return f"The stack did not start. The end of {log}:\n{last}"


def _stop(lock: StackLock, holder: int) -> None:
    deadline = time.monotonic() + DOWN_SECONDS
    _signal(holder, signal.SIGTERM)
    while lock.holder() == holder or command_line(holder):
        if time.monotonic() > deadline:
            _signal(holder, signal.SIGKILL)  # its servers are on a leash and go with it
            deadline += DOWN_SECONDS
        time.sleep(POLL_SECONDS)


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return
