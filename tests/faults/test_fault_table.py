"""Every row of the table, one after the other on one installation.

The ticket ends as it must, and the cluster's own log agrees with the record.

`make test-real` runs the quick rows, `make faults` (HOLDPOINT_FAULTS=all) all of them; HOLDPOINT_FAULTS may
also be a part of a row's name.
"""

import os
import time
from collections.abc import Iterator

import pytest

from tests.faults.fault_world import FaultWorld
from tests.faults.seen import Seen, keep
from tests.faults.table import ROWS, Row
from tests.real.installation import WORKERS, Installation

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def chosen(asked: str) -> list[Row]:
    """Return the rows to run."""
    if not asked:
        return [row for row in ROWS if row.quick]
    return [row for row in ROWS if asked == "all" or asked in row.id]


@pytest.fixture(scope="module")
def world(installation: Installation) -> Iterator[FaultWorld]:
    installation.bring_first_releases()
    made = FaultWorld(installation)
    yield made
    made.close()


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.id) for row in chosen(os.environ.get("HOLDPOINT_FAULTS", ""))]
)
def test_the_ticket_ends_as_it_must_and_the_record_agrees_with_the_cluster(
    world: FaultWorld, row: Row
) -> None:
    began, got, problems = time.monotonic(), "?", ["the fault could not be brought about"]
    try:
        try:
            change = row.strike(world)
        finally:
            world.mend()
        got = world.at.ends(change.ticket)["phase"]
        problems = world.problems(change, row.expected)
    finally:
        keep(Seen(row.fault, row.moment, row.expected, got, time.monotonic() - began, tuple(problems)))

    assert got == row.expected
    assert problems == []


def test_six_canaries_go_on_when_one_of_two_workers_is_killed_amid_them(world: FaultWorld) -> None:
    changes = [world.change(bake="6s") for _ in range(6)]
    for change in changes:
        world.in_canary(change)

    world.at.processes[WORKERS[0]].kill()
    ended = [world.at.ends(change.ticket)["phase"] for change in changes]
    world.mend()

    assert ended == ["Succeeded"] * len(changes)
    assert [world.problems(change, "Succeeded") for change in changes] == [[]] * len(changes)
