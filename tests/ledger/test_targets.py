"""Targets and their lanes: one holder, in order, and nothing new on a dirty one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdpoint.ledger import entries, head, intents, outbox, targets, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import Conflict
from holdpoint.models.record import EntryDraft, IntentRequest, LanePlace, Opened, Record, TargetRow

TARGET = "sandbox/default/shop"
SNAPSHOT, LATER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def enter(ledger: Ledger, ticket: str, priority: int = 4) -> LanePlace:
    return ledger.write_now(targets.enter_lane, ticket=ticket, target=TARGET, priority=priority)


def take(ledger: Ledger, ticket: str, run: str, mode: str = "forward") -> TargetRow:
    return ledger.write_now(
        targets.take_target, target=TARGET, ticket=ticket, run=run, rollout={"mode": mode}
    )


def release(ledger: Ledger, run: str, *, clean: bool) -> TargetRow:
    return ledger.write_now(targets.release_target, target=TARGET, run=run, clean=clean)


def row(ledger: Ledger) -> TargetRow:
    found = ledger.read_now(targets.get_target, TARGET)
    assert found is not None
    return found


@pytest.fixture
def dirty(held: Ledger, a_request: Callable[..., IntentRequest]) -> Ledger:
    held.write_now(targets.set_snapshot, target=TARGET, run="run-1", snapshot=SNAPSHOT)
    outcome = held.write_now(intents.open_intent, a_request())
    assert isinstance(outcome, Opened)
    held.write_now(intents.close_intent, outcome.intent.id, status="done", result={})
    return held


def test_the_first_in_a_free_lane_is_granted_and_stays_granted(ledger: Ledger) -> None:
    assert enter(ledger, "chg-1").granted
    assert enter(ledger, "chg-1").granted
    assert row(ledger).holder_ticket == "chg-1"


def test_who_comes_later_waits_by_priority_then_age(ledger: Ledger) -> None:
    enter(ledger, "chg-1")
    enter(ledger, "chg-2")
    enter(ledger, "chg-3")
    enter(ledger, "chg-4", priority=1)

    assert [enter(ledger, "chg-4", 1).position, enter(ledger, "chg-2").position] == [1, 2]
    waits = enter(ledger, "chg-3")
    assert (waits.granted, waits.position, waits.holder_ticket) == (False, 3, "chg-1")


def test_no_ticket_starves_behind_more_urgent_ones_that_come_in_a_row(
    ledger: Ledger, submitted: Callable[..., Any]
) -> None:
    """A standard change goes as a normal one after four hours, and then before every younger one."""
    now = datetime.now(UTC)
    enter(ledger, "chg-1")
    for ticket, hours in (("chg-2", 3.9), ("chg-3", 4.1), ("chg-4", 1), ("chg-5", 0)):
        submitted(ticket, view={"created_at": now - timedelta(hours=hours)})
    for ticket, priority in (("chg-4", 3), ("chg-2", 4), ("chg-3", 4), ("chg-5", 1)):
        enter(ledger, ticket, priority)

    assert ledger.read_now(targets.waiting, TARGET) == ["chg-5", "chg-3", "chg-4", "chg-2"]


def test_who_makes_way_comes_back_to_its_place_by_age(ledger: Ledger, submitted: Callable[..., Any]) -> None:
    enter(ledger, "chg-1")
    for ticket in ("chg-2", "chg-3"):
        submitted(ticket)
        enter(ledger, ticket)

    ledger.write_now(targets.leave_lane, ticket="chg-2", target=TARGET)

    assert enter(ledger, "chg-2").position == 1


def test_who_is_not_first_any_more_wakes_whoever_is(ledger: Ledger) -> None:
    enter(ledger, "chg-1")
    enter(ledger, "chg-2")
    enter(ledger, "chg-3", priority=1)
    ledger.write_now(targets.leave_lane, ticket="chg-1", target=TARGET)
    for woken in ledger.write_now(outbox.take, limit=9, lease=0.0):
        ledger.write_now(outbox.delivered, woken.id)

    assert not enter(ledger, "chg-2").granted

    assert [woken.ticket for woken in ledger.write_now(outbox.take, limit=9, lease=0.0)] == ["chg-3"]


def test_leaving_gives_back_a_grant_and_wakes_the_next(ledger: Ledger) -> None:
    enter(ledger, "chg-1")
    enter(ledger, "chg-2")

    ledger.write_now(targets.leave_lane, ticket="chg-1", target=TARGET)

    assert [message.ticket for message in ledger.write_now(outbox.take, limit=9, lease=9)] == ["chg-2"]
    assert enter(ledger, "chg-2").granted


def test_only_the_first_in_the_lane_is_granted_a_free_target(ledger: Ledger) -> None:
    enter(ledger, "chg-1")
    enter(ledger, "chg-2")
    enter(ledger, "chg-3", priority=1)
    ledger.write_now(targets.leave_lane, ticket="chg-1", target=TARGET)

    assert not enter(ledger, "chg-2").granted
    assert enter(ledger, "chg-3", 1).granted


def test_a_ticket_whose_life_is_over_keeps_nobody_waiting(
    ledger: Ledger, submitted: Callable[..., Any]
) -> None:
    submitted("chg-1")
    view, _ = submitted("chg-2")
    enter(ledger, "chg-1")
    enter(ledger, "chg-2")
    draft = EntryDraft(key="end", kind="phase.changed", actor="x", at=view.created_at)

    ledger.write_now(entries.append, Record(ticket="chg-1", entries=[draft], patch={"phase": "Aborted"}))

    assert ledger.read_now(tickets.get_ticket, "chg-1").closed_at is not None
    assert enter(ledger, "chg-2").granted


def test_a_target_held_by_another_ticket_is_not_taken(held: Ledger) -> None:
    with pytest.raises(Conflict):
        take(held, "chg-2", "run-2")
    with pytest.raises(Conflict):
        take(held, "chg-2", "run-2", mode="undo")


def test_taking_a_target_raises_the_epoch_once(held: Ledger) -> None:
    before = held.read_now(head.read).epoch

    take(held, "chg-1", "run-1")
    again = held.read_now(head.read).epoch
    take(held, "chg-1", "run-2")

    assert (again - before, held.read_now(head.read).epoch - before) == (0, 1)


def test_no_forward_run_starts_on_a_dirty_target(dirty: Ledger) -> None:
    with pytest.raises(Conflict):
        take(dirty, "chg-1", "run-2")


def test_an_undo_run_takes_over_with_the_snapshot(dirty: Ledger) -> None:
    taken = take(dirty, "chg-1", "run-2", mode="undo")

    assert (taken.holder_run, taken.dirty, taken.snapshot) == ("run-2", True, SNAPSHOT)


def test_the_snapshot_of_a_dirty_target_is_never_replaced(dirty: Ledger) -> None:
    kept = dirty.write_now(targets.set_snapshot, target=TARGET, run="run-1", snapshot=LATER)

    assert kept.snapshot == SNAPSHOT


def test_only_the_holder_sets_the_snapshot(held: Ledger) -> None:
    with pytest.raises(Conflict):
        held.write_now(targets.set_snapshot, target=TARGET, run="run-0", snapshot=SNAPSHOT)


def test_a_clean_release_frees_the_target_and_wakes_the_next(dirty: Ledger) -> None:
    enter(dirty, "chg-2")

    freed = release(dirty, "run-1", clean=True)

    assert freed == TargetRow(target=TARGET)
    assert [message.ticket for message in dirty.write_now(outbox.take, limit=9, lease=9)] == ["chg-2"]
    assert dirty.read_now(targets.held_targets) == []


def test_an_unclean_release_keeps_the_ticket_and_the_dirt(dirty: Ledger) -> None:
    left = release(dirty, "run-1", clean=False)

    assert (left.holder_ticket, left.holder_run, left.dirty) == ("chg-1", None, True)
    assert (left.snapshot, left.rollout) == (SNAPSHOT, {"mode": "forward"})
    assert [found.target for found in dirty.read_now(targets.held_targets)] == [TARGET]


def test_a_run_that_lost_the_target_releases_nothing(dirty: Ledger) -> None:
    take(dirty, "chg-1", "run-2", mode="undo")

    assert release(dirty, "run-1", clean=True).holder_run == "run-2"


def test_a_target_with_open_intents_is_not_clean(
    held: Ledger, a_request: Callable[..., IntentRequest]
) -> None:
    held.write_now(intents.open_intent, a_request())

    with pytest.raises(Conflict, match="open"):
        release(held, "run-1", clean=True)


def test_nothing_waits_in_a_lane_of_a_dirty_target_for_ever_unseen(dirty: Ledger) -> None:
    release(dirty, "run-1", clean=False)

    waits = enter(dirty, "chg-2")

    assert (waits.granted, waits.dirty, waits.holder_ticket) == (False, True, "chg-1")


def test_leaving_does_not_free_what_a_rollout_has_begun_on(dirty: Ledger) -> None:
    dirty.write_now(targets.leave_lane, ticket="chg-1", target=TARGET)

    assert row(dirty).holder_run == "run-1"
