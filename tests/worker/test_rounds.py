"""What is done again and again is done again whatever a round raised, and ends when the worker stops."""

import asyncio

import pytest

from holdpoint.models.errors import UpstreamUnavailable
from worker.rounds import repeat


@pytest.mark.parametrize("error", [UpstreamUnavailable("the ledger is away"), ValueError("a bug of ours")])
async def test_a_round_that_fails_is_not_the_last(error: Exception) -> None:
    stop, rounds = asyncio.Event(), 0

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise error
        stop.set()

    async with asyncio.timeout(10):
        await repeat(work, stop, every=0.01, failed="test.failed")

    assert rounds == 2


async def test_the_pause_between_two_rounds_ends_with_the_worker() -> None:
    stop, began = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(repeat(work, stop, every=3600, failed="test.failed"))
        await began.wait()
        stop.set()
