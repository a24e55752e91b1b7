"""Tickets that need others: bound when they open, woken or ended when what they need does."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from holdpoint.ledger import dependencies, entries, outbox, tickets
from holdpoint.ledger.dependencies import Outcome
from holdpoint.ledger.outbox import OutboxRow
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import InvalidChange
from holdpoint.models.phases import TERMINAL, Phase
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import RollsBack, TicketView
from tests.ledger.conftest import CHANGE

FIRST, SECOND, BACK, AGAIN, NEEDY = (f"chg-{letter * 10}" for letter in "abcde")
Submit = Callable[..., Any]


@pytest.fixture
def opened(submitted: Submit) -> Callable[..., TicketView]:
    """Open a ticket that depends on others."""

    def open_ticket(id: str, *needs: str, **options: Any) -> TicketView:
        spec = CHANGE.spec.model_copy(update={"dependsOn": list(needs)})
        view: TicketView = submitted(id, change=CHANGE.model_copy(update={"spec": spec}), **options)[0]
        return view

    return open_ticket


def ends(ledger: Ledger, ticket: str, phase: Phase, **patch: Any) -> None:
    draft = EntryDraft(key=f"{phase}", kind="phase.entered", actor="holdpoint", at=datetime.now(UTC))
    ledger.write_now(
        entries.append, Record(ticket=ticket, entries=[draft], patch={"phase": phase.value, **patch})
    )


def told(ledger: Ledger, ticket: str = NEEDY) -> list[OutboxRow]:
    """Return what was ordered for a ticket, but its start; each once."""
    rows = ledger.write_now(outbox.take, limit=100, lease=0.0)
    for row in rows:
        ledger.write_now(outbox.delivered, row.id)
    return [row for row in rows if row.ticket == ticket and row.kind != "start"]


def outcome(ledger: Ledger, ticket: str) -> Outcome:
    [known] = ledger.read_now(dependencies.look, [ticket])
    return known.outcome


def is_rolled_back(ledger: Ledger, opened: Callable[..., TicketView], ticket: str) -> None:
    """Open the rollback of a ticket that succeeded, as its door does."""
    opened(BACK, view={"rolls_back": ticket}, rolls_back=RollsBack(ticket=ticket, to=SECOND))
    ledger.write_now(tickets.patch_ticket, ticket, {"rolled_back_by": BACK})


def test_success_wakes_whoever_waits_for_it(ledger: Ledger, opened: Submit) -> None:
    opened(FIRST)
    assert opened(NEEDY, FIRST).depends_on == [FIRST]

    ends(ledger, FIRST, Phase.SUCCEEDED)

    assert [row.kind for row in told(ledger)] == ["wake"]


@pytest.mark.parametrize("phase", sorted(TERMINAL - {Phase.SUCCEEDED}))
def test_any_other_end_ends_whoever_waits_for_it(ledger: Ledger, opened: Submit, phase: Phase) -> None:
    opened(FIRST)
    opened(NEEDY, FIRST)

    ends(ledger, FIRST, phase)

    [row] = told(ledger)
    word = row.body["argument"]
    assert (row.body["update"], word["code"], word["by"]) == ("abort", "dependency_failed", FIRST)
    assert f"{FIRST} (shop 2) ended {phase}" in word["reason"]


def test_a_ticket_that_is_closed_is_told_nothing_more(ledger: Ledger, opened: Submit) -> None:
    opened(FIRST)
    opened(NEEDY, FIRST)
    ends(ledger, NEEDY, Phase.ABORTED)

    ends(ledger, FIRST, Phase.SUCCEEDED)

    assert told(ledger) == []


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.ROLLED_BACK])
def test_what_cannot_succeed_any_more_is_refused_with_its_field(
    ledger: Ledger, opened: Submit, phase: Phase
) -> None:
    opened(FIRST)
    opened(SECOND)
    ends(ledger, SECOND, phase)

    with pytest.raises(InvalidChange) as caught:
        opened(NEEDY, FIRST, SECOND, AGAIN)

    failed, unknown = caught.value.detail["mistakes"]
    assert (failed["field"], failed["found"]) == ("spec.dependsOn[1]", SECOND)
    assert f"ended {phase}. First: holdpoint retry {SECOND}" in failed["message"]
    assert (unknown["field"], unknown["found"]) == ("spec.dependsOn[2]", AGAIN)
    assert [row.id for row in ledger.read_now(tickets.list_rows, limit=9)] == [SECOND, FIRST]


def test_a_ticket_cannot_name_itself(opened: Submit) -> None:
    with pytest.raises(InvalidChange, match="no such ticket"):
        opened(NEEDY, NEEDY)


def test_a_ticket_that_was_run_again_stands_for_its_last_retry(ledger: Ledger, opened: Submit) -> None:
    opened(FIRST)
    ends(ledger, FIRST, Phase.FAILED)
    opened(AGAIN)
    ledger.write_now(tickets.patch_ticket, FIRST, {"retried_by": AGAIN})

    assert opened(NEEDY, FIRST, AGAIN).depends_on == [AGAIN]
    told(ledger)
    ends(ledger, AGAIN, Phase.SUCCEEDED)

    assert [row.kind for row in told(ledger)] == ["wake"]


def test_no_cycle_arises_by_retries(ledger: Ledger, opened: Submit) -> None:
    """FIRST, which NEEDY needs, is run again: that needs what FIRST needed, never what came later."""
    opened(SECOND)
    opened(FIRST, SECOND)
    opened(NEEDY, FIRST)
    ends(ledger, FIRST, Phase.FAILED)
    ends(ledger, NEEDY, Phase.ABORTED)
    ledger.write_now(tickets.patch_ticket, NEEDY, {"retried_by": BACK})

    again = opened(AGAIN, SECOND)
    ledger.write_now(tickets.patch_ticket, FIRST, {"retried_by": AGAIN})

    assert again.depends_on == [SECOND]
    assert opened(BACK, FIRST).depends_on == [AGAIN]


def test_a_success_that_is_being_rolled_back_is_waited_for(ledger: Ledger, opened: Submit) -> None:
    opened(FIRST)
    ends(ledger, FIRST, Phase.SUCCEEDED)

    is_rolled_back(ledger, opened, FIRST)

    assert outcome(ledger, FIRST) is Outcome.PENDING


def test_a_success_that_was_rolled_back_ends_whoever_needs_it(ledger: Ledger, opened: Submit) -> None:
    opened(FIRST)
    opened(NEEDY, FIRST)
    ends(ledger, FIRST, Phase.SUCCEEDED)
    told(ledger)
    is_rolled_back(ledger, opened, FIRST)

    ends(ledger, BACK, Phase.SUCCEEDED)

    assert outcome(ledger, FIRST) is Outcome.FAILED
    [row] = [row for row in told(ledger) if row.kind == "update"]
    assert f"was rolled back by {BACK}" in row.body["argument"]["reason"]


def test_a_rollback_that_came_to_nothing_leaves_the_success(ledger: Ledger, opened: Submit) -> None:
    opened(FIRST)
    opened(NEEDY, FIRST)
    ends(ledger, FIRST, Phase.SUCCEEDED)
    is_rolled_back(ledger, opened, FIRST)
    told(ledger)

    ends(ledger, BACK, Phase.REJECTED)

    assert outcome(ledger, FIRST) is Outcome.SUCCEEDED
    assert [row.kind for row in told(ledger)] == ["wake"]
