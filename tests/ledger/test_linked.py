"""Whose version stands on a target, also after rollbacks, and what the ticket that was undone is told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from holdpoint.ledger import entries, linked, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.models.change import Plan, Step
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import RollsBack, TicketView
from holdpoint.models.timed_steps import WaitConfig
from tests.ledger.conftest import CHANGE, TARGET

BEGUN = datetime(2026, 3, 1, 12, tzinfo=UTC)
Succeeds = Callable[..., None]


@pytest.fixture
def succeeds(ledger: Ledger, submit: Callable[..., Any]) -> Succeeds:
    """Have a ticket end in a phase, each a minute after the one before; perhaps a rollback of another."""
    minutes = count()

    def end(
        id: str, phase: str = "Succeeded", back: tuple[str, str] | None = None, **submission: Any
    ) -> None:
        links = RollsBack(ticket=back[0], to=back[1]) if back else None
        shown = {"rolls_back": back[0], "restores": back[1]} if back else {}
        if tickets_of(ledger).get(id) is None:
            submit(ledger, id, view=shown, rolls_back=links, **submission)
        closed = BEGUN + timedelta(minutes=next(minutes))
        patch = {"phase": phase, "closed_at": closed.isoformat()}
        draft = EntryDraft(key=f"{id}/{phase}", kind="phase.entered", actor="holdpoint", at=closed)
        ledger.write_now(entries.append, Record(ticket=id, entries=[draft], patch=patch))

    return end


def tickets_of(ledger: Ledger) -> dict[str, TicketView]:
    return {view.id: view for view in ledger.read_now(tickets.list_tickets)}


def stands(ledger: Ledger) -> tuple[str, str] | None:
    found = ledger.read_now(linked.standing, TARGET)
    return None if found is None else (found.ticket, found.brought_by)


def before(ledger: Ledger, id: str) -> str | None:
    view = ledger.read_now(tickets.get_ticket, id)
    found = ledger.read_now(linked.stood_before, view, TARGET)
    return None if found is None else found.ticket


def test_nothing_stands_where_nothing_succeeded(ledger: Ledger, succeeds: Succeeds) -> None:
    succeeds("chg-1", "RolledBack")

    assert stands(ledger) is None


def test_what_succeeded_last_stands_and_before_it_what_succeeded_then(
    ledger: Ledger, succeeds: Succeeds
) -> None:
    for id, phase in (("chg-1", "Succeeded"), ("chg-2", "RolledBack"), ("chg-3", "Succeeded")):
        succeeds(id, phase)

    assert stands(ledger) == ("chg-3", "chg-3")
    assert (before(ledger, "chg-3"), before(ledger, "chg-1")) == ("chg-1", None)


def test_what_only_waited_does_not_stand(ledger: Ledger, succeeds: Succeeds) -> None:
    waits = Plan(steps=[Step(wait=WaitConfig.model_validate({"for": "1m"}))])
    waited = CHANGE.model_copy(update={"spec": CHANGE.spec.model_copy(update={"plan": waits})})
    succeeds("chg-1")
    succeeds("chg-2", change=waited)
    assert stands(ledger) == ("chg-1", "chg-1")

    succeeds("chg-3")

    assert before(ledger, "chg-3") == "chg-1"


def test_after_a_rollback_the_earlier_ticket_stands_again(ledger: Ledger, succeeds: Succeeds) -> None:
    succeeds("chg-1")
    succeeds("chg-2")
    succeeds("chg-3", back=("chg-2", "chg-1"))

    assert stands(ledger) == ("chg-1", "chg-3")


def test_going_back_twice_goes_two_steps_back_and_not_in_a_circle(ledger: Ledger, succeeds: Succeeds) -> None:
    for id in ("chg-1", "chg-2", "chg-3"):
        succeeds(id)
    succeeds("chg-4", back=("chg-3", "chg-2"))

    assert stands(ledger) == ("chg-2", "chg-4")
    assert before(ledger, "chg-2") == "chg-1"


def test_what_comes_after_a_rollback_has_the_restored_ticket_before_it(
    ledger: Ledger, succeeds: Succeeds
) -> None:
    succeeds("chg-1")
    succeeds("chg-2")
    succeeds("chg-3", back=("chg-2", "chg-1"))
    succeeds("chg-4")

    assert before(ledger, "chg-4") == "chg-1"


@pytest.mark.parametrize(
    ("phase", "named"), [("Succeeded", "chg-3"), ("Rejected", None), ("RolledBack", None)]
)
def test_the_end_of_a_rollback_is_told_to_what_it_rolls_back(
    ledger: Ledger, succeeds: Succeeds, phase: str, named: str | None
) -> None:
    succeeds("chg-1")
    succeeds("chg-2")
    succeeds("chg-3", phase, back=("chg-2", "chg-1"))

    told = [one for one in ledger.read_now(entries.entries_of, "chg-2") if one.kind == "rollback.ended"]
    assert [one.body for one in told] == [{"ticket": "chg-3", "phase": phase}]
    undone = tickets_of(ledger)["chg-2"]
    assert (undone.phase.value, undone.rolled_back_by) == ("Succeeded", named)


def test_a_ticket_whose_rollout_has_just_ended_is_seen_by_who_holds_the_target(
    ledger: Ledger, succeeds: Succeeds
) -> None:
    succeeds("chg-1")
    succeeds("chg-2", "Verifying")
    succeeds("chg-3", "Scheduled")

    ending = ledger.read_now(linked.giving_back, "chg-3", TARGET)
    succeeds("chg-2")

    assert (ending, ledger.read_now(linked.giving_back, "chg-3", TARGET)) == ("chg-2", None)
