"""The word on a manual step: the first one stands, each step and each ticket has its own."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from holdpoint.ledger import confirmations, entries
from holdpoint.ledger.store import Ledger
from holdpoint.models.activity_calls import Confirmation
from holdpoint.models.record import EntryDraft

DONE = Confirmation(done=True, by="anna", reason="The replica is primary.")
FAILED = Confirmation(done=False, by="sre", reason="It hangs.")
AT = datetime(2027, 1, 1, tzinfo=UTC)


def says(ledger: Ledger, word: Confirmation, *, step: int = 1, ticket: str = "chg-1") -> int:
    return ledger.write_now(
        confirmations.give_word, ticket, step, word, name="fail over", roles=["sre"], at=AT
    )


def on(ledger: Ledger, step: int, ticket: str = "chg-1") -> Confirmation | None:
    return ledger.read_now(confirmations.word_on, ticket, step)


def test_each_step_and_each_ticket_has_a_word_of_its_own(
    ledger: Ledger, submitted: Callable[..., Any]
) -> None:
    for ticket in ("chg-1", "chg-2"):
        submitted(ticket)
    says(ledger, DONE, step=1)
    says(ledger, FAILED, step=3)

    assert (on(ledger, 1), on(ledger, 2), on(ledger, 3)) == (DONE, None, FAILED)
    assert on(ledger, 1, "chg-2") is None


def test_the_first_word_stands(ledger: Ledger, submitted: Callable[..., Any]) -> None:
    submitted("chg-1")

    assert says(ledger, DONE) == says(ledger, FAILED)
    assert on(ledger, 1) == DONE


def test_an_entry_in_the_name_of_another_is_no_word(ledger: Ledger, submitted: Callable[..., Any]) -> None:
    submitted("chg-1")
    body = {"step": 1, "by": "anna", "reason": "x"}
    forged = EntryDraft(key="x", kind=confirmations.CONFIRMED, actor="mallory", at=AT, body=body)
    ledger.write_now(entries.append_entry, forged, "chg-1")

    assert on(ledger, 1) is None
