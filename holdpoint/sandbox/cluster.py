"""Everything that the sandbox is made of, put together: state, controllers, traffic."""

import asyncio
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from holdpoint.sandbox.audit import AuditLog
from holdpoint.sandbox.behaviour import Behaviours
from holdpoint.sandbox.clock import seconds_text
from holdpoint.sandbox.controllers.loop import Controllers
from holdpoint.sandbox.faults import Faults
from holdpoint.sandbox.identity import load_tokens
from holdpoint.sandbox.kube.kinds import NAMESPACES
from holdpoint.sandbox.prom.evaluate import Evaluator
from holdpoint.sandbox.prom.series import Database
from holdpoint.sandbox.prom.traffic import Traffic
from holdpoint.sandbox.store import Store, new_uid

SAMPLE_SECONDS = 1.0
LONGEST_GAP = 5.0
"""Seconds of traffic that one sample may stand for: a stopped process makes up no hour's requests at once."""


LOCK_SECONDS = 5.0
"""How long a killed predecessor may take to be gone."""


class Occupied(Exception):
    """Another sandbox runs on the folder: each would overlook what the other stores."""


class Cluster:
    """A cluster and its metrics in one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(folder / "lock")
        self.tokens = load_tokens(folder / "tokens")
        self.store = Store(folder / "state.db")
        self.audit = AuditLog(folder / "audit.jsonl", self.store.last_event())
        self.faults = Faults()
        self.behaviours = Behaviours({b.image: b for b in self.store.behaviours()})
        self.controllers = Controllers(self.store, self.behaviours)
        self.database = Database()
        self.evaluator = Evaluator(self.database)
        self._traffic = Traffic(self.store, self.behaviours, self.controllers.kubelet, self.database)
        self._tasks: list[asyncio.Task[None]] = []
        for name in ("default", "kube-system"):
            self._ensure_namespace(name)

    def start(self) -> None:
        """Start the controllers and the sampling."""
        self._tasks = [asyncio.create_task(self.controllers.run()), asyncio.create_task(self._sample())]

    async def stop(self) -> None:
        """Stop both and close the files."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self.store.close()
        self.audit.close()
        os.close(self._lock)

    async def _sample(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(SAMPLE_SECONDS - time.time() % SAMPLE_SECONDS)
            now = time.monotonic()
            self._traffic.tick(time.time(), min(now - before, LONGEST_GAP))
            before = now

    def _ensure_namespace(self, name: str) -> None:
        if self.store.get(NAMESPACES, "", name) is not None:
            return
        metadata = {
            "name": name,
            "uid": new_uid(),
            "creationTimestamp": seconds_text(time.time()),
            "labels": {"kubernetes.io/metadata.name": name},
        }
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": metadata,
            "spec": {"finalizers": ["kubernetes"]},
        }
        self.store.put(NAMESPACES, {**body, "status": {"phase": "Active"}})


def _locked(path: Path) -> int:
    """Return a descriptor that holds the folder's lock; raises Occupied when another process keeps it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(handle)
                raise Occupied(
                    f"Another sandbox runs on {path.parent}. Stop it, or use another data folder."
                ) from None
            time.sleep(0.05)  # a blocking flock has no time limit
        else:
            return handle
