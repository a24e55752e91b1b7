"""A limit is also how long a ticket stands still when the worker that had its activity is killed."""

from datetime import timedelta

import pytest

from workflows.limits import LIMITS

STANDSTILL = timedelta(seconds=20)


@pytest.mark.parametrize("name", LIMITS)
def test_a_killed_worker_is_soon_replaced_whatever_it_did(name: str) -> None:
    limit = LIMITS[name]

    assert (limit.heartbeat or limit.attempt) <= STANDSTILL
