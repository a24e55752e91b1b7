"""Tell Temporal that an activity is alive, also while one request takes long."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from temporalio import activity

EVERY = 0.75
"""Seconds.

Three lost beats must fit into the workflow's heartbeat timeout. A cancellation arrives with the answer.
"""


class Pulse:
    """What goes with each beat, so that the next attempt finds it: at first what the one before left."""

    def __init__(self, details: Iterable[Any] = ()) -> None:
        self.details = tuple(details)

    def beat(self) -> None:
        """Send one beat now; outside an activity there is nobody to tell."""
        if activity.in_activity():
            activity.heartbeat(*self.details)


@asynccontextmanager
async def beating() -> AsyncIterator[Pulse]:
    """Beat as long as the block runs.

    Every wait inside must have its own bound: a stuck one would beat on.
    """
    pulse = Pulse(left_behind())

    async def go_on() -> None:
        while True:
            # The start is as good as a beat, and most activities are over before the first: a request less.
            await asyncio.sleep(EVERY)
            pulse.beat()

    task = asyncio.create_task(go_on())
    try:
        yield pulse
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def attempt() -> int:
    """Return which attempt of the activity this is, from 1 on."""
    return activity.info().attempt if activity.in_activity() else 1


def left_behind() -> list[Any]:
    """Return what the last beat of the attempt before carried."""
    return list(activity.info().heartbeat_details) if activity.in_activity() else []
