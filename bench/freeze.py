"""A freeze over many changes in flight: time to its acknowledgement, and forward writes after it (none)."""

import asyncio
import secrets
import statistics
import time
from collections.abc import Callable
from functools import partial

from bench.cases import Case, bounded, none_of
from bench.installation import EXPOSED, Installation, installed
from bench.progress import say
from bench.request_log import writes

CHANGES, ROUNDS, AT_ONCE = 200, 10, 40
SERVICES = [f"svc-{number:03}" for number in range(CHANGES)]
CANARY = "{{canary: {{deployment: {service}, weights: {weights}, bake: {bake}}}}}"
WEIGHTS, BAKE = [34, 67], "90s"
"""So long that the first canary is still at one of them when the last has begun, and with so many canaries
some one wants to write at nearly any moment."""
FEW = EXPOSED.replace("replicas: 10", "replicas: 3")
"""The sandbox has room for a thousand pods."""
MOST_MS = 1000.0
"""A commander who waits longer than a second looks whether the command hangs."""
BETWEEN = 1.0
"""Seconds that the changes run on between lifting and the next freeze, so that each freeze meets writes."""
AFTER = 1.0
"""Seconds after an acknowledgement in which no forward write may come: what must not be cannot be awaited."""

Step = Callable[..., str]


async def measure() -> list[Case]:
    """Freeze everything again and again while two hundred canaries run."""
    async with installed(SERVICES, manifest=FEW) as stack:
        say(f"deploying {CHANGES} services")
        await stack.all_until(await _submitted(stack, revision="first"), "Succeeded")
        say(f"starting {CHANGES} canaries")
        step = partial(CANARY.format, weights=WEIGHTS, bake=BAKE)
        tickets = await _submitted(stack, revision="next", step=step)
        await stack.all_until(tickets, "Executing", "Verifying", "Succeeded")
        flying = [await _in_flight(stack)]
        say(f"{flying[0]} in flight: {ROUNDS} freezes")
        found = [await _freeze(stack) for _ in range(ROUNDS)]
        flying.append(await _in_flight(stack))
        log = stack.data / "sandbox" / "audit.jsonl"
        forward = [write for write in writes(log) if write.user.endswith("forward")]
    late = sum(begin < write.answered <= end for begin, end, _ in found for write in forward)
    times = [ms for *_, ms in found]
    say(f"{flying[1]} in flight after them; {len(forward):,} forward writes in all")
    during = f"{min(flying)} changes in flight, {ROUNDS} freezes"
    return [
        bounded(f"acknowledgement, median; {during}", statistics.median(times), MOST_MS, unit="ms"),
        bounded(f"acknowledgement, slowest; {during}", max(times), MOST_MS, unit="ms"),
        none_of(f"forward writes after the acknowledgement; {during}", late, unit="writes"),
    ]


async def _submitted(stack: Installation, *, revision: str, step: Step | None = None) -> list[str]:
    """Submit a change of each service, and return the tickets."""
    gate, run = asyncio.Semaphore(AT_ONCE), secrets.token_hex(4)

    async def one(name: str) -> str:
        values = {} if step is None else {"step": step(service=name)}
        async with gate:
            return await stack.submit(name, key=f"{run}/{name}", revision=revision, **values)

    return list(await asyncio.gather(*(one(name) for name in SERVICES)))


async def _in_flight(stack: Installation) -> int:
    """Return how many canaries are at one of their weights."""
    path = "/v1/changes?phase=Executing&limit=500"
    return len((await stack.call("GET", path, by="ci"))["items"])


async def _freeze(stack: Installation) -> tuple[float, float, float]:
    """Freeze everything, then lift it; return from when until when it held, and the milliseconds it took."""
    order = {"scope": "all", "reason": "measured"}
    began = time.monotonic()
    freeze = await stack.call("POST", "/v1/freezes", by="commander", json=order)
    spent, acknowledged = time.monotonic() - began, time.time()
    say(f"acknowledged after {spent * 1000:.0f} ms; in doubt: {len(freeze['in_doubt'])}")
    await asyncio.sleep(AFTER)
    until = time.time()
    await stack.call("POST", f"/v1/freezes/{freeze['id']}/lift", by="commander", json={"reason": "measured"})
    await asyncio.sleep(BETWEEN)
    return acknowledged, until, spent * 1000
