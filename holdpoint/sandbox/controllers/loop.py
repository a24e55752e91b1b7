"""Runs the controllers when something changed or is due, never otherwise: idling costs nothing."""

import asyncio
import logging
import time
from contextlib import suppress

from holdpoint.sandbox.behaviour import Behaviours
from holdpoint.sandbox.controllers import garbage
from holdpoint.sandbox.controllers.deployments import Deployments
from holdpoint.sandbox.controllers.jobs import Jobs
from holdpoint.sandbox.controllers.pods import Kubelet
from holdpoint.sandbox.controllers.replica_sets import ReplicaSets
from holdpoint.sandbox.controllers.stateful_sets import StatefulSets
from holdpoint.sandbox.kube import quotas
from holdpoint.sandbox.store import Store

log = logging.getLogger("holdpoint.sandbox.controllers")

MAX_ROUNDS = 50
"""A pass that does not settle in as many rounds goes on in the next one, so that requests get their turn."""


class Controllers:
    """All controllers over one store."""

    def __init__(self, store: Store, behaviours: Behaviours) -> None:
        self._store = store
        self.kubelet = Kubelet(store, behaviours)
        self._replica_sets = ReplicaSets(store, self.kubelet)
        self._stateful_sets = StatefulSets(store)
        self._jobs = Jobs(store, behaviours)
        self._deployments = Deployments(store)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Have the controllers look at once."""
        self._woken.set()

    def settle(self) -> float | None:
        """Reconcile until nothing changes by itself; return when something is due (Unix seconds)."""
        due: list[float | None] = []
        for _ in range(MAX_ROUNDS):
            self._store.changed = False
            with self._store.transaction():
                garbage.collect(self._store)
                due = [
                    self._deployments.reconcile(),
                    self._replica_sets.reconcile(),
                    self._stateful_sets.reconcile(),
                    self._jobs.reconcile(),
                    self.kubelet.reconcile(),
                ]
                quotas.observe(self._store)
            if not self._store.changed:
                return min((moment for moment in due if moment is not None), default=None)
        return time.time()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                due = self.settle()
            except Exception:
                log.exception("controllers.failed")
                due = time.time() + 1
            wait = None if due is None else max(0.005, due - time.time())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait)
            self._woken.clear()
