"""One process of Holdpoint, or one server of the stack, to be killed, stopped and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from holdpoint.embedded.server import LEASH

READY_SECONDS = 90.0
POLL_SECONDS = 0.05
"""A process tells nobody that it has become ready; it answers when it is asked."""


class Process:
    """A process of ours: it dies with the test, and is ready when its readiness address says so."""

    def __init__(self, name: str, command: Sequence[str], *, ready: str, log: Path, env: Mapping[str, str]):
        self.name, self.log = name, log
        self._command, self._ready, self._env = list(command), ready, dict(env)
        self._process: subprocess.Popen[bytes] | None = None

    def set_environment(self, **values: str) -> None:
        """Set variables for the next start; an empty value takes one away."""
        self._env.update(values)
        self._env = {name: text for name, text in self._env.items() if text or name not in values}

    @property
    def pid(self) -> int:
        """Return the process ID of the one that was started last."""
        assert self._process is not None
        return self._process.pid

    def begin(self, command: Sequence[str] | None = None) -> None:
        """Start it, and do not wait."""
        self._command = list(command or self._command)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                process_group=0,
            )

    def start(self, command: Sequence[str] | None = None) -> None:
        """Start it and return when it is ready."""
        self.begin(command)
        self.until_ready()

    def until_ready(self) -> None:
        """Return when it says that it is ready."""
        end = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            assert self.alive, f"{self.name} ended: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < end, f"{self.name} is not ready: {self.log.read_text()[-2000:]}"
            time.sleep(POLL_SECONDS)  # a server tells of its readiness only when it is asked

    def is_ready(self) -> bool:
        """Tell whether it answers that it is ready."""
        try:
            return httpx.get(self._ready, timeout=5, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    @property
    def alive(self) -> bool:
        """Tell whether it runs, or is stopped."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it by SIGKILL, and return when it is gone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = 60.0) -> int:
        """Return its exit code when it has ended."""
        assert self._process is not None
        return self._process.wait(timeout=seconds)

    def stop(self) -> int | None:
        """Ask it to end, and return its exit code; kill it if it does not."""
        if not self.alive:
            return None
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            return None


class StackServer:
    """A server of the real stack, which the stack's supervisor starts again when it dies."""

    def __init__(self, folder: Path, name: str, *, supervisor: int) -> None:
        self.name, self._folder, self._supervisor = name, folder, supervisor

    @property
    def pid(self) -> int:
        """Return its process ID as the supervisor knows it."""
        return int(self._known()["pid"])

    def is_ready(self, *, other_than: int) -> bool:
        """Tell whether another process than this one is ready in its place."""
        known = self._known()
        return bool(known["state"] == "ready" and known["pid"] != other_than)

    def _known(self) -> dict[str, Any]:
        servers = json.loads((self._folder / "run" / "pids.json").read_text())["servers"]
        known: dict[str, Any] = servers[self.name]
        return known

    def kill(self) -> None:
        """End it by SIGKILL; the supervisor starts it again at once."""
        os.kill(self.pid, signal.SIGKILL)

    def keep_down(self, seconds: float) -> None:
        """End it by SIGKILL, and let nobody start it again for so long."""
        with self.unattended():
            self.kill()
            time.sleep(seconds)  # the outage itself: its length is what is tested

    @contextmanager
    def unattended(self) -> Iterator[None]:
        """Let nobody start a server again while this lasts: the supervisor stands still."""
        os.kill(self._supervisor, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._supervisor, signal.SIGCONT)
