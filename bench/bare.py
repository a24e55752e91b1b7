"""The baseline: a workflow that does nothing, as often as ours does something, in a worker of its own.

`python -m bench.bare ADDRESS NAMESPACE` is that worker. It has the product's own options (sandbox, data
converter), so that only the product's work makes the difference.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

QUEUE = "bench-bare"
READY = "polling"


@activity.defn
async def nothing() -> None:
    """Do nothing."""


@workflow.defn
class Bare:
    """So many activities, one after the other, and timers of a millisecond."""

    @workflow.run
    async def run(self, activities: int, timers: int) -> None:
        """Do nothing, so often."""
        for _ in range(timers):
            await workflow.sleep(timedelta(milliseconds=1))
        for _ in range(activities):
            await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=10))


@workflow.defn
class Waiting:
    """Waits until it is terminated, and answers updates meanwhile."""

    def __init__(self) -> None:
        self._pokes = 0

    @workflow.run
    async def run(self) -> None:
        """Wait."""
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def poke(self) -> int:
        """Answer at once."""
        self._pokes += 1
        return self._pokes

    @poke.validator
    def _no_objection(self) -> None:
        """Accept every poke: the product's updates have validators, too."""


@asynccontextmanager
async def bare_worker(address: str, namespace: str) -> AsyncIterator[Client]:
    """Give a client while a worker process of bare workflows runs beside it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bare", address, namespace, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        if (await process.stdout.readline()).decode().strip() != READY:
            raise RuntimeError("The worker of bare workflows did not start.")
        yield await Client.connect(address, namespace=namespace, data_converter=pydantic_data_converter)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _serve(address: str, namespace: str) -> None:
    client = await Client.connect(address, namespace=namespace, data_converter=pydantic_data_converter)
    worker = Worker(client, task_queue=QUEUE, workflows=[Bare, Waiting], activities=[nothing])
    async with worker:
        sys.stdout.write(READY + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:3]))
