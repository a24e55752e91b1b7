"""A newer change takes the place of older ones that wait for the same target, and never of what has begun."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.schedule import ask
from holdpoint.ledger import entries, outbox, targets, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.supersede import supersede, superseded
from holdpoint.models.activity_calls import ScheduleCall, Scheduled
from holdpoint.models.contracts import STANDARD
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import TicketView
from tests.ledger.conftest import CHANGE, TARGET

OLD, NEW, NEEDY = (f"chg-{letter * 10}" for letter in "zab")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Submit = Callable[..., Any]


@pytest.fixture
def opened(ledger: Ledger, submitted: Submit) -> Callable[..., TicketView]:
    """Open a ticket so many minutes after noon, in a phase."""

    def open_ticket(id: str, minutes: int, phase: Phase = Phase.SCHEDULED, **options: Any) -> TicketView:
        at = NOON + timedelta(minutes=minutes)
        view = {"created_at": at, **options.pop("view", {})}
        submitted(id, view=view, **options)
        draft = EntryDraft(key=f"{phase}", kind="phase.entered", actor="holdpoint", at=at)
        ledger.write_now(entries.append, Record(ticket=id, entries=[draft], patch={"phase": phase.value}))
        return ledger.read_now(tickets.get_ticket, id)

    return open_ticket


def takes_its_place(ledger: Ledger, newer: str = NEW) -> list[str]:
    view = ledger.read_now(tickets.get_ticket, newer)
    return ledger.write_now(supersede, view)


@pytest.mark.parametrize("phase", [Phase.EVALUATING, Phase.AWAITING_APPROVAL, Phase.SCHEDULED])
def test_what_waits_is_replaced_recorded_and_ended(ledger: Ledger, opened: Submit, phase: Phase) -> None:
    opened(OLD, 0, phase)
    opened(NEW, 1)

    assert takes_its_place(ledger) == [OLD]

    old, new = (ledger.read_now(tickets.get_ticket, id) for id in (OLD, NEW))
    assert (old.superseded_by, new.supersedes) == (NEW, [OLD])
    reason = superseded(old)
    assert reason is not None
    assert (reason.code, NEW in reason.message) == ("superseded", True)
    assert ledger.read_now(entries.entries_of, OLD)[-1].kind == "ticket.superseded"
    [row] = [row for row in ledger.write_now(outbox.take, limit=9, lease=9) if row.kind == "update"]
    assert (row.ticket, row.body["update"], row.body["argument"]["code"]) == (OLD, "abort", "superseded")


def test_it_is_replaced_once(ledger: Ledger, opened: Submit) -> None:
    opened(OLD, 0)
    opened(NEW, 1)

    takes_its_place(ledger)

    assert takes_its_place(ledger) == []


@pytest.mark.parametrize(
    "phase", [Phase.PRECHECKING, Phase.EXECUTING, Phase.VERIFYING, Phase.ROLLING_BACK, Phase.ABORTED]
)
def test_what_has_begun_or_is_over_stays(ledger: Ledger, opened: Submit, phase: Phase) -> None:
    opened(OLD, 0, phase)
    opened(NEW, 1)

    assert takes_its_place(ledger) == []


def test_what_was_granted_stays_although_its_phase_is_not_recorded_yet(
    ledger: Ledger, opened: Submit
) -> None:
    opened(OLD, 0)
    opened(NEW, 1)
    ledger.write_now(targets.enter_lane, ticket=OLD, target=TARGET, priority=4)

    assert takes_its_place(ledger) == []


def test_an_older_ticket_never_replaces_a_newer_one(ledger: Ledger, opened: Submit) -> None:
    opened(OLD, 0)
    opened(NEW, 1)

    assert takes_its_place(ledger, OLD) == []


@pytest.mark.parametrize(
    ("older", "newer", "replaced"),
    [
        ("standard", "standard", True),
        ("standard", "normal", True),
        ("normal", "standard", False),
        ("emergency", "standard", False),
        ("emergency", "emergency", True),
    ],
)
def test_what_is_more_urgent_is_not_replaced(
    ledger: Ledger, opened: Submit, older: str, newer: str, replaced: bool
) -> None:
    opened(OLD, 0, view={"type": older})
    opened(NEW, 1, view={"type": newer})

    assert bool(takes_its_place(ledger)) is replaced


@pytest.mark.parametrize(
    "view",
    [
        pytest.param({"target": "sandbox/default/till", "service": "till"}, id="another target"),
        pytest.param({"rolls_back": "chg-cccccccccc"}, id="a rollback after success"),
    ],
)
def test_this_one_stays(ledger: Ledger, opened: Submit, view: dict[str, Any]) -> None:
    opened(OLD, 0, view=view)
    opened(NEW, 1)

    assert takes_its_place(ledger) == []


def test_what_another_ticket_depends_on_stays(ledger: Ledger, opened: Submit) -> None:
    opened(OLD, 0)
    spec = CHANGE.spec.model_copy(update={"dependsOn": [OLD]})
    opened(NEEDY, 0, change=CHANGE.model_copy(update={"spec": spec}), view={"target": "sandbox/default/till"})
    opened(NEW, 1)

    assert takes_its_place(ledger) == []


@pytest.mark.parametrize("turn", range(5))
async def test_two_that_ask_at_once_are_never_both_let_through(
    ledger: Ledger, opened: Submit, turn: int
) -> None:
    """The older is granted and stays, or it is replaced and never granted, on each kind of database."""
    opened(OLD, 0)
    opened(NEW, 1)

    def asks(ticket: str) -> Scheduled:
        call = ScheduleCall(ticket=ticket, target=TARGET, priority=STANDARD, window=False, supersede=True)
        return ledger.write_now(ask, call, [], NOON)

    order = (OLD, NEW) if turn % 2 else (NEW, OLD)
    said = await asyncio.gather(*(asyncio.to_thread(asks, ticket) for ticket in order))
    answers = dict(zip(order, said, strict=True))

    assert answers[OLD].granted != answers[NEW].granted
    assert answers[NEW].granted == (answers[OLD].ended is not None)
    assert answers[NEW].ended is None
