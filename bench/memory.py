"""Memory of one worker while many tickets wait for an approval."""

import asyncio
import secrets
import time

from bench.cases import Case, bounded
from bench.installation import LOOK, Installation, installed
from bench.processes import resident_mb
from bench.progress import say
from holdpoint.models.phases import Phase

SIZES = (1000, 5000)
SERVICES = [f"svc-{number:02}" for number in range(20)]
MOST_MB = 400.0
AT_ONCE = 16
SAID_EVERY = 250


async def measure() -> list[Case]:
    """Let tickets gather before their approvers, and read the worker's memory."""
    cases, waiting = [], 0
    async with installed(SERVICES) as stack:
        say(f"without a ticket: {await _worker_memory(stack):.0f} MB")
        for size in SIZES:
            await _wait_for_approval(stack, size - waiting)
            waiting = size
            used = await _worker_memory(stack)
            cases.append(bounded(f"one worker, {size:,} tickets that wait", used, MOST_MB, unit="MB"))
            say(f"{size:,} tickets that wait: {used:.0f} MB")
    return cases


async def _wait_for_approval(stack: Installation, count: int) -> None:
    """Submit so many changes that need an approval, and return when all wait for it."""
    gate, run, began = asyncio.Semaphore(AT_ONCE), secrets.token_hex(4), time.monotonic()
    submitted = 0

    async def one(number: int) -> None:
        nonlocal submitted
        async with gate:
            service = SERVICES[number % len(SERVICES)]
            key = f"{run}/{number}"
            await stack.submit(service, key=key, environment="production", type="normal")
        submitted += 1
        if submitted % SAID_EVERY == 0:
            rate, used = submitted / (time.monotonic() - began), await _worker_memory(stack)
            say(f"{submitted:,} of {count:,} submitted, {rate:.1f} a second; the worker has {used:.0f} MB")

    await asyncio.gather(*(one(number) for number in range(count)))
    await _all_wait(stack)


async def _all_wait(stack: Installation) -> None:
    """Return when no ticket is evaluated any more. Raises RuntimeError if one does not wait then.

    Lists are asked for, not each ticket: looking at thousands would cost more than they do.
    """
    while True:
        if not await _some_in(stack, Phase.EVALUATING):
            break
        await asyncio.sleep(LOOK)
    for phase in Phase:
        if phase is not Phase.AWAITING_APPROVAL and await _some_in(stack, phase):
            raise RuntimeError(f"Some ticket is {phase.value}, and does not wait for an approval.")


async def _some_in(stack: Installation, phase: Phase) -> bool:
    path = f"/v1/changes?phase={phase.value}&limit=1"
    return bool((await stack.call("GET", path, by="ci"))["items"])


async def _worker_memory(stack: Installation) -> float:
    """Return the resident memory of the worker in MB, by the kernel's count."""
    return resident_mb(await stack.processes("worker"))
