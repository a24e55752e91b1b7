"""Memory of one worker while many tickets wait for an approval."""

import asyncio
import secrets

from bench.cases import Case, bounded
from bench.installation import Installation, installed
from bench.processes import resident_mb

SIZES = (1000, 5000)
SERVICES = [f"svc-{number:02}" for number in range(20)]
MOST_MB = 400.0
AT_ONCE = 16


async def measure() -> list[Case]:
    """Let tickets gather before their approvers, and read the worker's memory."""
    cases, waiting = [], 0
    async with installed(SERVICES) as stack:
        for size in SIZES:
            await _wait_for_approval(stack, size - waiting)
            waiting = size
            used = await _worker_memory(stack)
            cases.append(bounded(f"one worker, {size:,} tickets that wait", used, MOST_MB, unit="MB"))
    return cases


async def _wait_for_approval(stack: Installation, count: int) -> None:
    """Submit so many changes that need an approval, and return when all wait for it."""
    gate, run = asyncio.Semaphore(AT_ONCE), secrets.token_hex(4)

    async def one(number: int) -> None:
        async with gate:
            service = SERVICES[number % len(SERVICES)]
            key = f"{run}/{number}"
            ticket = await stack.submit(service, key=key, environment="production", type="normal")
            await stack.until(ticket, "AwaitingApproval")

    await asyncio.gather(*(one(number) for number in range(count)))


async def _worker_memory(stack: Installation) -> float:
    """Return the resident memory of the worker in MB, by the kernel's count."""
    return resident_mb(await stack.processes("worker"))
