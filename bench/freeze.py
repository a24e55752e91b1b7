"""A freeze over many changes in flight: time to its acknowledgement, and forward writes after it (none)."""

import asyncio
import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
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
    late = sum(one.answered < write.answered <= one.lifted for one in found for write in forward)
    held, told = [one.held_ms for one in found], [one.told_ms for one in found]
    say(f"{flying[1]} in flight after them; {len(forward):,} forward writes in all")
    during = f"{min(flying)} changes in flight, {ROUNDS} freezes"
    return [
        bounded(f"until a freeze holds, median; {during}", statistics.median(held), MOST_MS, unit="ms"),
        bounded(f"until a freeze holds, slowest; {during}", max(held), MOST_MS, unit="ms"),
        bounded(f"until its answer, median; {during}", statistics.median(told), MOST_MS, unit="ms"),
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


@dataclass(frozen=True)
class Frozen:
    """One freeze: milliseconds until it held by its own word, and until it was answered, which says also what
    is in flight and what still settles; and between which moments (Unix seconds) nothing may be written."""

    held_ms: float
    told_ms: float
    answered: float
    lifted: float


async def _freeze(stack: Installation) -> Frozen:
    """Freeze everything, then lift it."""
    order = {"scope": "all", "reason": "measured"}
    began = time.monotonic()
    freeze = await stack.call("POST", "/v1/freezes", by="commander", json=order)
    spent, answered = (time.monotonic() - began) * 1000, time.time()
    doubt = len(freeze["in_doubt"])
    say(f"held after {freeze['ack_ms']} ms, answered after {spent:.0f} ms; in doubt: {doubt}")
    await asyncio.sleep(AFTER)
    lifted = time.time()
    await stack.call("POST", f"/v1/freezes/{freeze['id']}/lift", by="commander", json={"reason": "measured"})
    await asyncio.sleep(BETWEEN)
    return Frozen(freeze["ack_ms"], spent, answered, lifted)
