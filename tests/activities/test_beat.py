"""An activity that goes on beats; one that is over at once leaves Temporal alone."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities import beat
from activities.beat import beating


async def test_activity_that_goes_on_beats_with_what_the_next_attempt_must_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beat, "EVERY", 0.0)
    beats: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.put_nowait(details)

    async def goes_on() -> None:
        async with beating() as pulse:
            pulse.details = ("kept",)
            assert await beats.get() == ("kept",)
            assert await beats.get() == ("kept",)

    await environment.run(goes_on)


@pytest.mark.parametrize(
    ("waited", "beaten"),
    [pytest.param(0.0, [], id="taken up at once"), pytest.param(2.0, [()], id="taken up late")],
)
async def test_activity_that_is_over_at_once_beats_only_if_it_began_late(
    waited: float, beaten: list[tuple[Any, ...]]
) -> None:
    beats: list[tuple[Any, ...]] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details)
    started = datetime.now(UTC) - timedelta(seconds=waited)
    environment.info = dataclasses.replace(environment.info, started_time=started)

    async def over() -> None:
        async with beating():
            await asyncio.sleep(0)

    await environment.run(over)

    assert beats == beaten
