"""The fifty canaries by us: two workers, and then with a SIGKILL of one of them."""

import asyncio
import secrets
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bench.control_plane import ControlPlane
from bench.installation import Installation, installed
from bench.request_log import Write
from bench.taken import PAUSE, REPLICAS, SERVICES, WEIGHTS, Taken, requests_of, taking
from holdpoint.embedded.demo import shop
from holdpoint.embedded.server import clean_environment, python
from holdpoint.embedded.stack_servers import EMBEDDED

NAMESPACE, CLUSTER = "ours", "real"
USERS = ("holdpoint-forward", "holdpoint-undo")
CANARY = "{{canary: {{deployment: {service}, weights: {weights}, bake: {bake}}}}}"
ALONE = shop.DEPLOYMENT.replace("replicas: 10", f"replicas: {REPLICAS}")
"""A Deployment without a Service, as Argo is given a Rollout alone. The Services are there already, for the
traffic that is judged."""
RPS = 2000.0
"""Requests a second of a service: a weight has the fifty that a verdict needs before its pause is over."""


@dataclass(frozen=True)
class Ours:
    """What it took. After a SIGKILL of a worker: seconds to the next write of any canary (`silent`), and by
    how much the slowest canary went on later than is usual (`late`)."""

    taken: Taken
    silent: float
    late: float
    findings: list[str]


async def run(plane: ControlPlane) -> Ours:
    """Make them twice, from one image to the other and back."""
    await plane.namespace(NAMESPACE)
    for user in USERS:
        subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        await plane.bind("cluster-admin", subject)
    await plane.expose(NAMESPACE, SERVICES)
    async with installed(SERVICES, clusters={CLUSTER: _settings(plane)}, manifest=ALONE) as stack:
        for tag in ("first", "next"):
            await asyncio.gather(*(plane.behave(shop.image(name, tag), RPS) for name in SERVICES))
        await stack.all_until(await _submit(stack, "first"), "Succeeded")
        async with second_worker(stack) as worker:
            processes = [*await stack.processes("api", "worker"), worker.pid]
            async with taking(plane, USERS, processes) as taken:
                await stack.all_until(await _submit(stack, "next", CANARY), "Succeeded")
            silent, late = await _killed(plane, stack, worker, taken)
        findings = await stack.reconcile(plane.audit_log, CLUSTER)
    return Ours(taken, silent, late, findings)


async def _submit(stack: Installation, tag: str, step: str = "{{apply: {{}}}}") -> list[str]:
    """Submit a change for each service, and return the tickets."""
    run = secrets.token_hex(4)
    submits = [
        stack.submit(
            name,
            key=f"{run}/{name}",
            revision=tag,
            cluster=CLUSTER,
            namespace=NAMESPACE,
            step=step.format(service=name, weights=list(WEIGHTS), bake=PAUSE),
        )
        for name in SERVICES
    ]
    return list(await asyncio.gather(*submits))


async def _killed(
    plane: ControlPlane, stack: Installation, worker: asyncio.subprocess.Process, before: Taken
) -> tuple[float, float]:
    """Kill a worker when half of the time that they took before is over."""
    began = time.time()
    tickets = await _submit(stack, "first", CANARY)
    await asyncio.sleep(max(0.0, began + before.seconds / 2 - time.time()))
    worker.kill()
    killed = time.time()
    await stack.all_until(tickets, "Succeeded")
    after = requests_of(plane, USERS, began)
    next_one = min(write.received for write in after if write.received > killed)
    return next_one - killed, lateness(after, killed, _longest_pauses(before.requests))


def lateness(requests: Iterable[Write], killed: float, usual: float) -> float:
    """Return by how much the pause of a canary that the kill fell into is longer than is usual."""
    pauses = [b - a for times in _times(requests) for a, b in pairwise(times) if a <= killed < b]
    return max(0.0, max(pauses) - usual)


def _longest_pauses(requests: Iterable[Write]) -> float:
    """Return the longest time between two requests of one canary: of all canaries the median."""
    return statistics.median(max(b - a for a, b in pairwise(times)) for times in _times(requests))


def _times(requests: Iterable[Write]) -> list[list[float]]:
    """Return the times of each service's requests, in order, those on its canary's Deployment too."""
    found: dict[str, list[float]] = defaultdict(list)
    for request in requests:
        found[request.object.partition("/")[2].removesuffix("-canary")].append(request.received)
    return list(found.values())


@asynccontextmanager
async def second_worker(stack: Installation) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker beside the installation's own, which takes tasks when this is entered."""
    command = python("holdpoint.cli", "worker", "--data", str(stack.data))
    process = await asyncio.create_subprocess_exec(
        *command,
        env=clean_environment() | EMBEDDED,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    reading = asyncio.create_task(_drained(process, started := asyncio.Event()))
    try:
        await started.wait()
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await reading


async def _drained(process: asyncio.subprocess.Process, started: asyncio.Event) -> None:
    """Read what a worker logs, so that it never waits for a reader."""
    assert process.stdout is not None
    async for line in process.stdout:
        if b"worker.started" in line:
            started.set()
    started.set()


def _settings(plane: ControlPlane) -> dict[str, Any]:
    found = plane.found
    return {
        "server": found["server"],
        "ca_file": found["ca_file"],
        "forward_token_file": found["forward_token_file"],
        "undo_token_file": found["undo_token_file"],
        "prometheus": plane.prometheus,
        "scrape_interval": 1,
    }
