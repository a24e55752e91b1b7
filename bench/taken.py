"""What fifty canaries took, counted in the same way for both who made them."""

import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.control_plane import ControlPlane
from bench.processes import cpu_seconds, resident_mb
from bench.request_log import Write, mutating

CANARIES = 50
SERVICES = [f"svc-{number:02}" for number in range(CANARIES)]
REPLICAS, WEIGHTS, PAUSE = 5, (20, 60), "2s"
BEATS = "leases/"
"""Written by the clock, not for a canary."""


@dataclass
class Taken:
    """Seconds, the mutating requests that were answered in them, CPU seconds, and MB at their end."""

    seconds: float = 0.0
    requests: list[Write] = field(default_factory=list)
    cpu: float = 0.0
    memory: float = 0.0

    @property
    def per_canary(self) -> float:
        """Return the mutating requests of one canary: dry runs and refused ones count, events do not."""
        return len(self.requests) / CANARIES - self.events

    @property
    def events(self) -> float:
        """Return the Events that were written for one canary."""
        return sum(request.object.startswith("events/") for request in self.requests) / CANARIES


@asynccontextmanager
async def taking(
    plane: ControlPlane, users: Collection[str], processes: Collection[int]
) -> AsyncIterator[Taken]:
    """Measure what happens inside: what these users asked the API server, what these processes cost."""
    taken, spent = Taken(), cpu_seconds(processes)
    since, began = time.time(), time.monotonic()
    yield taken
    taken.seconds = time.monotonic() - began
    taken.cpu, taken.memory = cpu_seconds(processes) - spent, resident_mb(processes)
    taken.requests = requests_of(plane, users, since)


def requests_of(plane: ControlPlane, users: Collection[str], since: float) -> list[Write]:
    """Return the mutating requests of these users since a moment, in the order of their arrival."""
    found = (one for one in mutating(plane.audit_log, since=since) if one.user in users)
    return sorted((one for one in found if not one.object.startswith(BEATS)), key=lambda one: one.received)
