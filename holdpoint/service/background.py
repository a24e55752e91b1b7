"""What the API process does besides answering: deliver, notice news, end freezes, finish fencing.

Each task runs until the process stops; one that breaks is written to the log and begun again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import freezes
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import HoldpointError
from holdpoint.service.freeze import finish_acknowledging
from holdpoint.service.outbox import Delivery
from holdpoint.service.takeover import fence_what_was_taken_over

log = structlog.get_logger()

AFTER_BREAKING = 1.0
"""Seconds until a task that broke begins again: short for people, long enough not to fill the log."""
CANCEL_EVERY = 0.5
"""Seconds between two cancellations of a task that is still there."""
EXPIRY_EVERY = 1.0
"""Seconds between two looks for freezes whose end has passed. They end by the database's clock anyway."""
FENCING_EVERY = 2.0
"""Seconds between two tries to fence what a freeze or a takeover had to leave in doubt."""

Task = Callable[[], Awaitable[None]]


@asynccontextmanager
async def running(**tasks: Task) -> AsyncIterator[None]:
    """Keep the named tasks running while the body does; they are cancelled and awaited at its end."""
    started = [asyncio.create_task(_kept(name, task), name=name) for name, task in tasks.items()]
    try:
        yield
    finally:
        # Again and again: what a task awaits may turn a cancellation into an error of its own.
        pending = set(started)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=CANCEL_EVERY)


async def _kept(name: str, task: Task) -> None:
    while True:
        try:
            await task()
        except HoldpointError as error:
            log.warning("background.interrupted", task=name, reason=error.message)
        except Exception:
            log.exception("background.broke", task=name)
        await asyncio.sleep(AFTER_BREAKING)


async def end_freezes(*, ledger: Ledger, delivery: Delivery) -> None:
    """End freezes whose time has passed, until cancelled."""
    while True:
        if await ledger.write(freezes.expire_freezes):
            delivery.nudge()
        await asyncio.sleep(EXPIRY_EVERY)


async def finish_fencing(*, ledger: Ledger, clusters: Clusters) -> None:
    """Complete the fencing of freezes and takeovers that had to leave something in doubt, until cancelled."""
    while True:
        for freeze in await ledger.read(freezes.list_freezes):
            if freeze.acknowledged_at is None:
                await finish_acknowledging(freeze, ledger=ledger, clusters=clusters)
        await fence_what_was_taken_over(ledger=ledger, clusters=clusters)
        await asyncio.sleep(FENCING_EVERY)
