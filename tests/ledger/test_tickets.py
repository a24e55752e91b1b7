"""Tickets: opened once for each key, listed, and counted for the policy."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from holdpoint.ledger import entries, outbox, schema, tickets
from holdpoint.ledger.keys import LIFE_MS
from holdpoint.ledger.store import Ledger
from holdpoint.models.change import Change
from holdpoint.models.errors import Conflict, NotFound
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from tests.ledger.conftest import CHANGE

TARGET = "sandbox/default/shop"
Submit = Callable[..., Any]


def patch(ledger: Ledger, ticket: str, **changes: Any) -> None:
    draft = EntryDraft(key=repr(changes), kind="phase.changed", actor="holdpoint", at=datetime.now(UTC))
    ledger.write_now(entries.append, Record(ticket=ticket, entries=[draft], patch=changes))


def test_opening_writes_ticket_entry_and_start_together(ledger: Ledger, submitted: Submit) -> None:
    view, created = submitted("chg-1")

    [entry] = ledger.read_now(entries.entries_of, "chg-1")
    [start] = ledger.write_now(outbox.take, limit=9, lease=9)
    assert created
    assert ledger.read_now(tickets.get_ticket, "chg-1") == view
    assert entry.kind == "ticket.submitted"
    assert (start.kind, start.ticket, start.body["verify"]) == ("start", "chg-1", 5.0)


def test_the_same_key_opens_no_second_ticket(ledger: Ledger, submitted: Submit) -> None:
    first, _ = submitted("chg-1", key="k")
    second, created = submitted("chg-2", key="k")

    assert (second.id, created) == (first.id, False)
    assert len(ledger.read_now(tickets.list_tickets)) == 1


async def test_fifty_submits_of_one_key_at_once_open_one_ticket(ledger: Ledger, submitted: Submit) -> None:
    answers = await asyncio.gather(*(asyncio.to_thread(submitted, f"chg-{i}", key="k") for i in range(50)))

    assert len({view.id for view, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1


def test_the_same_key_with_other_content_is_a_conflict(submitted: Submit) -> None:
    submitted("chg-1", key="k", content="one")

    with pytest.raises(Conflict, match="chg-1"):
        submitted("chg-2", key="k", content="two")


def test_an_explicit_key_joins_a_closed_ticket_too(ledger: Ledger, submitted: Submit) -> None:
    submitted("chg-1", key="k")
    patch(ledger, "chg-1", phase="Rejected")

    view, created = submitted("chg-2", key="k")

    assert (view.id, created) == ("chg-1", False)


def test_a_content_key_joins_only_an_open_ticket_and_names_the_old(ledger: Ledger, submitted: Submit) -> None:
    submitted("chg-1", key="k", scope_open_only=True)
    joined, _ = submitted("chg-2", key="k", scope_open_only=True)
    patch(ledger, "chg-1", phase="Rejected")

    view, created = submitted("chg-3", key="k", scope_open_only=True)
    again, _ = submitted("chg-4", key="k", scope_open_only=True)

    assert joined.id == "chg-1"
    assert (view.id, view.previous, created) == ("chg-3", "chg-1", True)
    assert again.id == "chg-3"


def test_a_key_is_forgotten_after_thirty_days(ledger: Ledger, submitted: Submit) -> None:
    submitted("chg-1", key="k", content="one")
    created_at = schema.idempotency_keys.c.created_at
    age = update(schema.idempotency_keys).values(created_at=created_at - LIFE_MS - 1)
    ledger.write_now(lambda db: db.execute(age))

    assert submitted("chg-2", key="k", content="two")[1]


def test_lists_are_filtered_newest_first_and_bounded(ledger: Ledger, submitted: Submit) -> None:
    for number in range(3):
        view = {
            "created_at": datetime(2026, 1, 1 + number, tzinfo=UTC),
            "environment": ("staging", "production")[number % 2],
        }
        submitted(f"chg-{number}", view=view)
    patch(ledger, "chg-2", phase="Rejected")

    def listed(**filters: Any) -> list[str]:
        return [view.id for view in ledger.read_now(tickets.list_tickets, **filters)]

    assert listed() == ["chg-2", "chg-1", "chg-0"]
    assert listed(limit=1) == listed(phase="Rejected") == ["chg-2"]
    assert listed(environment="production") == ["chg-1"]
    assert listed(open_only=True) == ["chg-1", "chg-0"]
    assert listed(service="pay") == []


def test_rows_are_what_the_columns_say_newest_first(ledger: Ledger, submitted: Submit) -> None:
    for number in range(3):
        submitted(f"chg-{number}", view={"created_at": datetime(2026, 1, 1 + number, tzinfo=UTC)})
    patch(ledger, "chg-2", phase="Rejected")
    view = ledger.read_now(tickets.get_ticket, "chg-2")

    def listed(**filters: Any) -> list[str]:
        return [row.id for row in ledger.read_now(tickets.list_rows, **{"limit": 10, **filters})]

    assert listed() == ["chg-2", "chg-1", "chg-0"]
    assert listed(open_only=True) == ["chg-1", "chg-0"]
    assert listed(ids={"chg-2", "chg-9"}) == listed(limit=1) == ["chg-2"]
    assert ledger.read_now(tickets.list_rows, limit=1) == [
        ("chg-2", view.target, Phase.REJECTED, view.created_at)
    ]


def test_the_most_severe_hold_is_the_one_shown(ledger: Ledger, submitted: Submit) -> None:
    submitted("chg-1")
    since = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    holds = [
        {"code": code, "message": code, "by": "x", "since": since, "lift": "x"}
        for code in ("lane", "frozen", "window")
    ]

    patch(ledger, "chg-1", holds=holds)
    shown = ledger.read_now(tickets.get_ticket, "chg-1")
    patch(ledger, "chg-1", holds=[])

    assert shown.hold is not None
    assert (shown.hold.code, len(shown.holds)) == ("frozen", 3)
    assert ledger.read_now(tickets.get_ticket, "chg-1").hold is None


def test_a_rollback_tried_again_opens_the_ticket_again(ledger: Ledger, submitted: Submit) -> None:
    submitted("chg-1")
    patch(ledger, "chg-1", phase="RollbackFailed")
    closed = ledger.read_now(tickets.get_ticket, "chg-1").closed_at
    patch(ledger, "chg-1", phase="RollingBack")

    assert closed is not None
    assert ledger.read_now(tickets.get_ticket, "chg-1").closed_at is None


def test_what_policy_asks_is_answered_from_closed_tickets(ledger: Ledger, submitted: Submit) -> None:
    scope = {"service": "shop", "environment": "staging"}
    for number, phase in enumerate(["Succeeded", "RolledBack", "Rejected"]):
        submitted(f"chg-{number}")
        patch(ledger, f"chg-{number}", phase=phase, plan_shape=f"shape-{number}")

    def succeeded(shape: str) -> bool:
        return ledger.read_now(tickets.shape_succeeded, **scope, shape=shape)

    assert ledger.read_now(tickets.recent_failures, **scope, within=60) == 1
    assert ledger.read_now(tickets.recent_failures, service="pay", environment="staging", within=60) == 0
    assert (succeeded("shape-0"), succeeded("shape-1")) == (True, False)
    last = ledger.read_now(tickets.last_succeeded, TARGET)
    assert last is not None
    assert last.ticket == "chg-0"
    assert ledger.read_now(tickets.last_succeeded, "elsewhere") is None


def test_what_wrote_nothing_is_not_what_succeeded_last(ledger: Ledger, submitted: Submit) -> None:
    waited = CHANGE.model_dump(mode="json", exclude_none=True)
    waited["spec"]["plan"] = {"steps": [{"wait": {"for": "1m"}}]}
    for number, change in enumerate([CHANGE, Change.model_validate(waited)]):
        submitted(f"chg-{number}", change=change)
        at = datetime(2027, 1, 1 + number, tzinfo=UTC).isoformat()
        patch(ledger, f"chg-{number}", phase="Succeeded", closed_at=at)

    last = ledger.read_now(tickets.last_succeeded, TARGET)

    assert last is not None
    assert last.ticket == "chg-0"


def test_a_change_comes_back_as_it_was_submitted(ledger: Ledger, submitted: Submit) -> None:
    submitted("chg-1")

    stored = ledger.read_now(tickets.change_of, "chg-1")

    assert stored.change.spec.plan.steps[0].canary is not None
    assert stored.change.verify_seconds == 5.0


def test_an_unknown_ticket_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        ledger.read_now(tickets.get_ticket, "chg-0")
    with pytest.raises(NotFound):
        ledger.read_now(tickets.change_of, "chg-0")
