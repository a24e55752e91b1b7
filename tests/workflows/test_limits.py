"""A limit is also how long a ticket stands still when the worker that had its activity is killed."""

from datetime import timedelta

import pytest

from activities.beat import EVERY
from worker.temporal import HEARTBEAT_THROTTLE, STICKY, WORKFLOW_TASKS
from workflows.limits import IN_ROLLOUT, LIMITS

STANDSTILL = timedelta(seconds=20)
LOST_BEATS = 3
"""One beat may be late on a loaded machine, and two; three in a row are a death."""


@pytest.mark.parametrize("name", LIMITS)
def test_a_killed_worker_is_soon_replaced_whatever_it_did(name: str) -> None:
    limit = LIMITS[name]

    assert (limit.heartbeat or limit.attempt) <= STANDSTILL


@pytest.mark.parametrize("name", [name for name, limit in LIMITS.items() if limit.heartbeat])
def test_three_lost_beats_and_not_fewer_take_a_worker_for_dead(name: str) -> None:
    heartbeat = LIMITS[name].heartbeat

    assert heartbeat is not None
    assert heartbeat > LOST_BEATS * timedelta(seconds=EVERY)
    assert timedelta(seconds=EVERY) > HEARTBEAT_THROTTLE


@pytest.mark.parametrize("name", ["begin_rollout", "apply_step", "judge", "postcheck", "undo", "compare"])
def test_a_rollout_goes_on_soon_after_its_worker_was_killed(name: str) -> None:
    limit = LIMITS[name]

    assert limit.heartbeat is not None
    assert limit.heartbeat + limit.retry.initial_interval <= timedelta(seconds=3)
    assert timedelta(seconds=1) >= STICKY


def test_a_burst_of_workflows_leaves_an_activity_its_beats() -> None:
    sandbox, slower = timedelta(milliseconds=15), 10

    assert WORKFLOW_TASKS * sandbox * slower < IN_ROLLOUT - timedelta(seconds=EVERY)
