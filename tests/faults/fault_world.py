"""An installation that faults befall one after the other, each in the middle of a change of its own."""

import asyncio
import itertools
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client

from holdpoint.embedded.server import python
from holdpoint.ledger.verify import verify_file
from tests.real import shop
from tests.real.installation import WORKERS, Installation
from tests.real.lines import Held, Sent
from tests.real.processes import Process

Json = dict[str, Any]
BAD = 0.3
"""Share of failed requests of a release that shall be rolled back."""
CAUGHT = 60.0
TELLS = 0.05
"""Seconds between two looks for a file that a worker takes away: that tells nobody."""


@dataclass(frozen=True)
class Change:
    """A change on its way: the ticket, what it brings, and what ran before."""

    ticket: str
    service: str
    release: int
    before: list[str]


class FaultWorld:
    """The installation, its workers ready to be struck, and what has become of it."""

    def __init__(self, installation: Installation) -> None:
        self.at = installation
        self.orders = installation.folder / "orders"
        self.orders.mkdir()
        self._releases = itertools.count(10)
        self._services = itertools.cycle(shop.SERVICES)
        for name in WORKERS:
            self.restart(name)

    def close(self) -> None:
        """Have plain workers again."""
        for name in WORKERS:
            process = self.at.processes[name]
            process.stop()
            process.start(
                python("holdpoint.cli", "worker", "--settings", str(self.at.folder / f"{name}.yaml"))
            )

    # Changes.

    def change(self, *, bad: bool = False, bake: str = "2s", canary: bool = True) -> Change:
        """Submit a new release of the next service: by a canary, or applied at once and not judged."""
        service, release = next(self._services), next(self._releases)
        self.at.behave(service, release, error_rate=BAD if bad else 0.0, rps=shop.REQUESTS_A_SECOND)
        before = self.at.outside.images(service)
        plan = {"steps": shop.canary(service, bake)} if canary else {"judged": False}
        ticket = self.at.submit(service, release, **plan)
        return Change(ticket, service, release, before)

    def in_canary(self, change: Change) -> Json:
        """Return the ticket once its canary stands at a weight."""
        return self.at.until(change.ticket, lambda view: any(step["weight"] for step in view["steps"]))

    # Processes.

    def restart(self, name: str, skew: float = 0.0) -> None:
        """Stop a worker if it runs, and start it so that it comes past the orders."""
        process = self.at.processes[name]
        process.stop()
        process.set_environment(FAULT_ORDERS=str(self.orders), FAULT_SKEW=str(skew) if skew else "")
        settings = str(self.at.folder / f"{name}.yaml")
        process.start(python("tests.faults.stricken_worker", "worker", "--settings", settings))

    def mend(self) -> None:
        """Undo what a fault may have left: orders, held requests, stalled lines, dead processes."""
        for left in self.orders.iterdir():
            left.unlink()
        self.at.pass_everything()
        for process in self.at.processes.values():
            if not process.alive:
                process.begin()
        for process in self.at.processes.values():
            process.until_ready()

    def order(self, moment: str, number: signal.Signals) -> None:
        """Have the first worker that comes to the moment struck."""
        waiting = self.orders / "writing"
        waiting.write_text(number.name)
        waiting.rename(self.orders / moment)

    def struck(self, moment: str) -> Process:
        """Return the worker that came to the moment."""
        end = time.monotonic() + CAUGHT
        while not (taken := sorted(self.orders.glob(f"{moment}.taken-by-*"))):
            assert time.monotonic() < end, f"no worker came to {moment}"
            time.sleep(TELLS)  # the worker is another process, and a renamed file tells nobody
        process = int(taken[-1].name.rpartition("-")[2])
        for one in taken:
            one.unlink()
        return next(one for one in self.at.processes.values() if one.pid == process)

    def hold_write(self, change_of: str, moment: str) -> Held:
        """Hold the next forward write to the existing Deployment of a service."""

        def matches(sent: Sent) -> bool:
            return sent.writes and sent.path.endswith(f"/deployments/{change_of}")

        return self.at.hold(matches, "before" if moment == "before" else "after")

    def next_service(self) -> str:
        """Return the service that the next change is of."""
        found = next(self._services)
        self._services = itertools.chain([found], self._services)  # type: ignore[assignment]  # still endless
        return found

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Let no process of PostgreSQL write beyond the first 64 KiB of any file, and nobody mend that."""
        server = self.at.server("postgres")
        with server.unattended():
            group = [server.pid, *_children(server.pid)]
            for process in group:
                _limit(process, 1 << 16)
            yield

    # What a person does.

    async def _terminate(self, workflow: str) -> None:
        temporal = self.at.stack["temporal"]
        client = await Client.connect(temporal["address"], namespace=temporal["namespace"])
        await client.get_workflow_handle(workflow).terminate("pressed the wrong button")

    def terminate(self, workflow: str) -> None:
        """Terminate a workflow, as somebody on Temporal's page would."""
        asyncio.run(self._terminate(workflow))

    def freeze(self, service: str) -> Json:
        """Freeze a service; return the acknowledgement."""
        order = {"scope": f"service={service}", "reason": "a fault"}
        found: Json = self.at.call("POST", "/freezes", by="commander", json=order)
        return found

    def lift(self, freeze: Json) -> None:
        """Lift a freeze."""
        self.at.call("POST", f"/freezes/{freeze['id']}/lift", by="commander", json={"reason": "over"})

    def control(self, change: Change, verb: str) -> None:
        """Abort, pause or resume."""
        self.at.call("POST", f"/changes/{change.ticket}/{verb}", by="sre", json={"reason": "a fault"})

    # What must hold afterwards.

    def problems(self, change: Change, phase: str) -> list[str]:
        """Return what is not as it must be after a fault; nothing, if all is well."""
        wanted = [shop.image(change.service, change.release)] if phase == "Succeeded" else change.before
        evidence = self.at.outside.get(f"/changes/{change.ticket}/evidence")
        found = verify_file(evidence, self.at.outside.public_key.read_bytes())
        if (view := self.at.view(change.ticket))["phase"] != phase:
            found.append(f"{view['phase']}: {view['reason']}")
        if (images := self.at.outside.images(change.service)) != wanted:
            found.append(f"the cluster runs {images}, not {wanted}")
        if self.at.view(change.ticket)["target"] in self.at.outside.dirty_targets():
            found.append("the target is dirty")
        reconciled = self.at.outside.reconciled()
        found += [f"{one.code}: {one.message}" for one in reconciled.findings]
        return found


def _children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    found = [int(one) for one in listed]
    return found + [below for one in found for below in _children(one)]


def _limit(process: int, size: int) -> None:
    try:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    except ProcessLookupError:
        return
