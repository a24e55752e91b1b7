"""A supervisor in a session of its own: started, awaited until all is ready, stopped without leftovers."""

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdpoint.embedded.folder import DataFolder, read_document
from holdpoint.embedded.lock import StackLock, await_end, end_leftovers
from holdpoint.ledger.files import replace
from holdpoint.models.errors import Conflict, HoldpointError, PolicyBundle, SettingsError, UpstreamUnavailable

Report = Callable[[str], None]

POLL_SECONDS = 0.05
LOG_LINES = 15
"""How much of the supervisor's log says why it ended, where it left no word itself."""


@dataclass(frozen=True)
class Detached:
    """How a stack on a folder is started and stopped by a command that does not stay.

    `ready` is the file that the supervisor writes when every server is ready, with its own `pid` in it.
    `ready_seconds` and `down_seconds` are the longest waits for that file and for the end.
    """

    folder: DataFolder
    lock: StackLock
    ready: Path
    ready_seconds: float
    down_seconds: float

    def start(
        self,
        command: Sequence[str],
        report: Report,
        *,
        environment: Mapping[str, str],
        cwd: Path | None = None,
    ) -> dict[str, Any]:
        """Start the supervisor and return what its file says as soon as all is ready.

        Raises Conflict if a stack is up already, and the error that ended the supervisor.
        """
        holder = self.lock.holder()
        if holder is not None:
            raise self.lock.taken_by(holder)
        for stale in (self.ready, _failure_file(self.folder)):
            stale.unlink(missing_ok=True)
        log = self.folder.logs / "up.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own module, the caller names it
                list(command),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                start_new_session=True,
                close_fds=True,
            )
        try:
            return self._await_ready(process, log, report)
        except BaseException:
            process.terminate()  # also on Ctrl-C: nothing half-started stays
            process.wait()
            raise

    def stop(self, report: Report) -> bool:
        """Stop the stack and leave no process behind; return whether one was up. Raises SettingsError."""
        if not self.folder.run.is_dir():
            return False
        holder = self.lock.holder()
        if holder is None:
            return self._end_what_a_killed_one_left()
        report(f"stopping the stack on {self.folder.root} (process {holder})")
        self._end(holder)
        return True

    def _end_what_a_killed_one_left(self) -> bool:
        """End the servers that nobody supervises, under the lock so that no `up` begins."""
        self.lock.take()
        left = end_leftovers(self.folder.run / "pids.json", self.folder.root)
        self.ready.unlink(missing_ok=True)
        self.lock.release()
        return bool(left)

    def _await_ready(self, process: "subprocess.Popen[bytes]", log: Path, report: Report) -> dict[str, Any]:
        deadline = time.monotonic() + self.ready_seconds
        with log.open(errors="replace") as lines:
            while time.monotonic() < deadline:
                ended = process.poll() is not None
                for line in lines:
                    report(line.rstrip("\n"))
                found = read_document(self.ready)
                if found is not None and found.get("pid") == process.pid and not ended:
                    return found
                if ended:
                    raise _failure(self.folder, log)
                time.sleep(POLL_SECONDS)  # two things are waited for at once: its death and its file
        raise UpstreamUnavailable(f"The stack is not ready after {self.ready_seconds:.0f} s. See {log}.")

    def _end(self, holder: int) -> None:
        deadline = time.monotonic() + self.down_seconds
        _signal(holder, signal.SIGTERM)
        while self.lock.holder() == holder:
            if time.monotonic() > deadline:
                _signal(holder, signal.SIGKILL)  # its servers are on a leash and go with it
                deadline += self.down_seconds
            time.sleep(POLL_SECONDS)  # it is no child of ours: nothing tells us that it gave the lock back
        await_end(holder)  # which comes a moment after the lock


def leave_failure(folder: DataFolder, error: HoldpointError) -> None:
    """Tell the command that started this supervisor why the stack did not come up."""
    told = {"code": error.code, "message": error.message}
    replace(_failure_file(folder), json.dumps(told).encode())


def _failure(folder: DataFolder, log: Path) -> HoldpointError:
    """Return the error that ended the supervisor, as it left it."""
    told = read_document(_failure_file(folder)) or {}
    kinds = {kind.code: kind for kind in (SettingsError, Conflict, PolicyBundle)}
    kind = kinds.get(str(told.get("code")), UpstreamUnavailable)
    if told.get("message"):
        return kind(str(told["message"]))
    last = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
    return kind(f"The stack did not start. The end of {shlex.quote(str(log))}:\n{last}")


def _failure_file(folder: DataFolder) -> Path:
    return folder.run / "failure.json"


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise SettingsError(
            f"Process {process} is another user's; the stack is stopped by its owner."
        ) from error
