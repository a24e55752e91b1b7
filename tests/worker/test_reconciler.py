from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from holdpoint.ledger import archives
from holdpoint.ledger.store import Ledger
from holdpoint.models.contracts import Named
from holdpoint.models.errors import Conflict
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft
from holdpoint.models.workflow_messages import CloseStart, TicketStart
from tests.worker.conftest import TARGET, OpenTicket, enter, take
from worker.executions import Standing
from worker.reconciler import ARCHIVE_LOOK, FIRST_PAUSE, SEEN_FOR, Reconciler

R = TypeVar("R")


class FakeTemporal:
    """Records the closings that were asked for."""

    def __init__(self) -> None:
        self.closings: list[CloseStart] = []
        self.already = False

    async def start_closing(self, start: CloseStart) -> None:
        if self.already:
            raise Conflict("runs already")
        self.closings.append(start)

    async def start_ticket(self, start: TicketStart) -> None:
        raise AssertionError("the reconciler starts no tickets")

    async def update(self, workflow: str, update: Named[Any, R], argument: Any, *, id: str) -> R:
        raise AssertionError("the reconciler speaks for no person")

    async def signal(self, workflow: str, name: str, argument: object) -> None:
        raise AssertionError("the reconciler signals nobody")


class FakeExecutions:
    """Workflows stand as they are set; what is not set is not known."""

    def __init__(self) -> None:
        self.stand: dict[str, Standing] = {}

    async def standing(self, workflow: str) -> Standing:
        return self.stand.get(workflow, Standing.NOT_FOUND)

    async def running_tickets(self) -> set[str]:
        return {
            name
            for name, standing in self.stand.items()
            if standing is Standing.RUNNING and name.startswith("change/")
        }


class World:
    """A reconciler over a real ledger, on a clock that the test turns."""

    def __init__(self, ledger: Ledger, archive: Path) -> None:
        self.temporal, self.executions, self.now = FakeTemporal(), FakeExecutions(), 1000.0
        self.archive, self.ledger = archive, ledger
        clock: Callable[[], float] = lambda: self.now  # noqa: E731 - the clock is read at every call
        self.reconciler = Reconciler(
            ledger=ledger,
            temporal=self.temporal,
            executions=self.executions,  # type: ignore[arg-type]  # stands in by its methods
            archive=archive,
            clock=clock,
        )

    async def two_rounds(self) -> list[str]:
        await self.reconciler.round()
        self.now += SEEN_FOR
        return await self.reconciler.round()


@pytest.fixture
def world(ledger: Ledger, tmp_path: Path) -> World:
    return World(ledger, tmp_path / "archive")


async def test_a_ticket_whose_workflow_runs_is_left_alone(world: World, open_ticket: OpenTicket) -> None:
    open_ticket("chg-1")
    world.executions.stand["change/chg-1"] = Standing.RUNNING

    assert await world.two_rounds() == []


@pytest.mark.parametrize(
    "standing", [Standing.TERMINATED, Standing.FAILED, Standing.COMPLETED, Standing.NOT_FOUND]
)
async def test_an_open_ticket_whose_workflow_is_gone_is_closed(
    world: World, open_ticket: OpenTicket, standing: Standing
) -> None:
    open_ticket("chg-1")
    world.executions.stand["change/chg-1"] = standing

    assert await world.two_rounds() == ["chg-1"]
    assert world.temporal.closings[0].reason.code == f"workflow_{standing.value}"


async def test_what_looks_abandoned_for_a_moment_is_not_touched(
    world: World, open_ticket: OpenTicket
) -> None:
    open_ticket("chg-1")
    world.executions.stand["change/chg-1"] = Standing.TERMINATED
    assert await world.reconciler.round() == []
    world.executions.stand["change/chg-1"] = Standing.RUNNING
    world.now += SEEN_FOR
    assert await world.reconciler.round() == []
    world.executions.stand["change/chg-1"] = Standing.TERMINATED

    assert await world.reconciler.round() == []


async def test_a_ticket_that_has_just_been_submitted_is_not_missed_a_workflow(
    world: World, open_ticket: OpenTicket
) -> None:
    open_ticket("chg-1", age=1.0)

    assert await world.two_rounds() == []


async def test_a_rollout_that_undoes_itself_is_waited_for(
    world: World, ledger: Ledger, open_ticket: OpenTicket
) -> None:
    open_ticket("chg-1")
    take(ledger, "chg-1")
    world.executions.stand = {
        "change/chg-1": Standing.TERMINATED,
        f"rollout/{TARGET}": Standing.RUNNING,
    }
    assert await world.two_rounds() == []

    world.executions.stand[f"rollout/{TARGET}"] = Standing.COMPLETED

    assert await world.two_rounds() == ["chg-1"]


async def test_the_rollout_of_another_ticket_keeps_nobody_waiting(
    world: World, ledger: Ledger, open_ticket: OpenTicket
) -> None:
    open_ticket("chg-1")
    open_ticket("chg-2", phase=Phase.SCHEDULED)
    take(ledger, "chg-1")
    world.executions.stand = {
        "change/chg-1": Standing.RUNNING,
        "change/chg-2": Standing.TERMINATED,
        f"rollout/{TARGET}": Standing.RUNNING,
    }

    assert await world.two_rounds() == ["chg-2"]


async def test_a_closed_ticket_that_still_holds_its_target_is_ended(
    world: World, ledger: Ledger, open_ticket: OpenTicket
) -> None:
    open_ticket("chg-1")
    take(ledger, "chg-1")
    enter(ledger, "chg-1", Phase.ERRORED)
    world.executions.stand["change/chg-1"] = Standing.COMPLETED

    assert await world.two_rounds() == ["chg-1"]


async def test_a_failed_rollback_is_a_persons_to_try_again(
    world: World, ledger: Ledger, open_ticket: OpenTicket
) -> None:
    open_ticket("chg-1")
    take(ledger, "chg-1")
    enter(ledger, "chg-1", Phase.ROLLBACK_FAILED)
    world.executions.stand["change/chg-1"] = Standing.COMPLETED
    world.now += ARCHIVE_LOOK

    assert await world.two_rounds() == []


async def test_a_closing_is_not_started_again_at_once(world: World, open_ticket: OpenTicket) -> None:
    open_ticket("chg-1")
    world.executions.stand["change/chg-1"] = Standing.TERMINATED
    await world.two_rounds()
    assert await world.two_rounds() == []

    world.now += FIRST_PAUSE

    assert await world.reconciler.round() == ["chg-1"]


async def test_two_workers_that_find_the_same_ticket_close_it_once(
    world: World, open_ticket: OpenTicket
) -> None:
    open_ticket("chg-1")
    world.executions.stand["change/chg-1"] = Standing.TERMINATED
    world.temporal.already = True

    assert await world.two_rounds() == []


async def test_a_closed_ticket_without_evidence_is_archived(world: World, open_ticket: OpenTicket) -> None:
    for ticket in ("chg-1", "chg-2", "chg-3"):
        open_ticket(ticket, phase=Phase.REJECTED)
        world.executions.stand[f"change/{ticket}"] = Standing.COMPLETED
    world.archive.mkdir()
    (world.archive / "chg-2.json").write_text("{}")
    draft = EntryDraft(key="archived", kind="ticket.archived", actor="x", at=datetime.now(UTC))
    world.ledger.write_now(archives.keep, "chg-3", b"{}", draft)
    assert await world.two_rounds() == []

    world.now += ARCHIVE_LOOK

    assert await world.two_rounds() == ["chg-1"]
