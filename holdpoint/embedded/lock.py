"""One stack per data folder: a lock that the kernel gives back however its holder dies."""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

from holdpoint.ledger.files import locked
from holdpoint.models.errors import Conflict

LAST_SECONDS = 5.0
"""Who was sent SIGKILL, or has nothing left to do, is gone in milliseconds; this is for a disk that hangs."""
LOOKING_SECONDS = 0.2
"""A `status` that looks at the same moment holds the lock for microseconds."""


class StackLock:
    """The lock of one data folder, held from `take` to the end of the process.

    `down` is the command that stops its holder, which the error for everybody else names.
    """

    def __init__(self, run: Path, down: str = "holdpoint down --data") -> None:
        self._path, self._down = run / "lock", down
        self._file: int | None = None

    def take(self) -> None:
        """Hold the lock and write our process ID into it. Raises Conflict if another process holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not locked(descriptor, LOOKING_SECONDS):
            os.close(descriptor)
            raise self.taken_by(self.holder())
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._file = descriptor

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def taken_by(self, holder: int | None) -> Conflict:
        """Return the error for who finds the lock held: by which process, and how that is stopped."""
        data = self._path.parent.parent
        return Conflict(
            f"A stack is up already on {data} (process {holder}). "
            f"Stop it: {self._down} {shlex.quote(str(data))}"
        )

    def holder(self) -> int | None:
        """Return the process that holds the lock; None if nobody does."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.read(descriptor, 32) or b"0") or None
        finally:
            os.close(descriptor)
        return None


def end_leftovers(pids: Path, data: Path) -> list[str]:
    """Kill what an earlier stack left running on this data folder; return the names.

    Only a process that was recorded and whose command line still names the folder is ours: IDs are given
    again.
    """
    ended = []
    for name, process in _recorded(pids).items():
        if str(data) in command_line(process):
            _kill(process)
            ended.append(name)
    pids.unlink(missing_ok=True)
    return ended


def command_line(process: int) -> str:
    """Return a process's command line; empty if there is no such process."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        if Path("/proc/self/cmdline").exists():
            return ""
    found = subprocess.run(  # noqa: S603 - a system without /proc; the argument is a number
        ["ps", "-ww", "-o", "command=", "-p", str(process)],  # noqa: S607 - the system's own
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()


def await_end(process: int) -> None:
    """Wait until a process that is about to end is gone, for five seconds at most."""
    deadline = time.monotonic() + LAST_SECONDS
    while command_line(process) and time.monotonic() < deadline:
        time.sleep(0.02)  # the process is no child of ours: nothing tells us of its end


def _recorded(pids: Path) -> dict[str, int]:
    try:
        servers = json.loads(pids.read_text())["servers"]
        return {name: int(server["pid"]) for name, server in servers.items() if server["pid"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
    await_end(process)
