"""Tell Temporal that an activity is alive, also while one request takes long."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity

EVERY = 0.75
"""Seconds.

Three lost beats must fit into the workflow's heartbeat timeout. A cancellation arrives with the answer.
"""


LATE = timedelta(seconds=EVERY / 3)
"""Of the time in which three beats may be lost, what an activity may spend before it begins without one."""


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
        if _late():
            pulse.beat()
        while True:
            await asyncio.sleep(EVERY)
            pulse.beat()

    task = asyncio.create_task(go_on())
    try:
        yield pulse
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _late() -> bool:
    """Tell whether a busy worker took the activity up long after it was given it: Temporal counts from then.

    Otherwise the start is as good as a beat: most activities are over before their first, a request less.
    """
    if not activity.in_activity():
        return False
    return datetime.now(UTC) - activity.info().started_time > LATE


def attempt() -> int:
    """Return which attempt of the activity this is, from 1 on."""
    return activity.info().attempt if activity.in_activity() else 1


def left_behind() -> list[Any]:
    """Return what the last beat of the attempt before carried."""
    return list(activity.info().heartbeat_details) if activity.in_activity() else []
