"""Memory of one worker while many tickets wait for an approval."""

import asyncio
import secrets
import time

from bench.cases import Case, bounded
from bench.installation import Installation, installed
from bench.processes import resident_mb
from bench.progress import say

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
    """Submit so many changes that need an approval, and return when all wait for it.

    Whether they do is looked at when all are submitted: looks in between would cost more than the tickets.
    """
    gate, run, began = asyncio.Semaphore(AT_ONCE), secrets.token_hex(4), time.monotonic()
    tickets: list[str] = []

    async def one(number: int) -> None:
        async with gate:
            service = SERVICES[number % len(SERVICES)]
            key = f"{run}/{number}"
            tickets.append(await stack.submit(service, key=key, environment="production", type="normal"))
        if len(tickets) % SAID_EVERY == 0:
            used, rate = await _worker_memory(stack), len(tickets) / (time.monotonic() - began)
            say(f"{len(tickets):,} of {count:,} submitted, {rate:.1f} a second; the worker has {used:.0f} MB")

    await asyncio.gather(*(one(number) for number in range(count)))
    await stack.all_until(tickets, "AwaitingApproval")


async def _worker_memory(stack: Installation) -> float:
    """Return the resident memory of the worker in MB, by the kernel's count."""
    return resident_mb(await stack.processes("worker"))
