"""A freeze over many changes in flight: time to its acknowledgement, and forward writes after it (none)."""

import asyncio
import secrets
import statistics
import time

from bench.cases import Case, bounded, none_of
from bench.installation import Installation, installed
from bench.request_log import writes

CHANGES, ROUNDS = 200, 10
SERVICES = [f"svc-{number:03}" for number in range(CHANGES)]
CANARY = "{{canary: {{deployment: {service}, weights: [20, 60], bake: {bake}}}}}"
MOST_MS = 1000.0
"""A commander who waits longer than a second looks whether the command hangs."""
BETWEEN = 1.0
"""Seconds that the changes run on between lifting and the next freeze, so that each freeze meets writes."""
AFTER = 1.0
"""Seconds after an acknowledgement in which no forward write may come: what must not be cannot be awaited."""


async def measure() -> list[Case]:
    """Freeze everything again and again while two hundred canaries run."""
    async with installed(SERVICES) as stack:
        run = secrets.token_hex(4)
        first = [await stack.submit(name, key=f"{run}/1/{name}") for name in SERVICES]
        await stack.all_until(first, "Succeeded", "Verifying")
        await stack.all_until(first, "Succeeded")
        submits = [_canary(stack, name, f"{run}/2/{name}") for name in SERVICES]
        tickets = await asyncio.gather(*submits)
        await stack.all_until(tickets, "Executing", "Verifying", "Succeeded")
        found = [await _freeze(stack) for _ in range(ROUNDS)]
        log = stack.data / "sandbox" / "audit.jsonl"
        forward = [write for write in writes(log) if write.user.endswith("forward")]
    late = sum(begin < write.answered <= end for begin, end, _ in found for write in forward)
    times = [ms for *_, ms in found]
    during = f"{CHANGES} changes in flight, {ROUNDS} freezes"
    return [
        bounded(f"acknowledgement, median; {during}", statistics.median(times), MOST_MS, unit="ms"),
        bounded(f"acknowledgement, slowest; {during}", max(times), MOST_MS, unit="ms"),
        none_of(f"forward writes after the acknowledgement; {during}", late, unit="writes"),
    ]


async def _canary(stack: Installation, service: str, key: str) -> str:
    step = CANARY.format(service=service, bake="20s")
    return await stack.submit(service, key=key, revision="next", step=step)


async def _freeze(stack: Installation) -> tuple[float, float, float]:
    """Freeze everything, then lift it; return from when until when it held, and the milliseconds it took."""
    order = {"scope": "all", "reason": "measured"}
    began = time.monotonic()
    freeze = await stack.call("POST", "/v1/freezes", by="commander", json=order)
    spent, acknowledged = time.monotonic() - began, time.time()
    await asyncio.sleep(AFTER)
    until = time.time()
    await stack.call("POST", f"/v1/freezes/{freeze['id']}/lift", by="commander", json={"reason": "measured"})
    await asyncio.sleep(BETWEEN)
    return acknowledged, until, spent * 1000
