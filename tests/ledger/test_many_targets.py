"""Many targets at once: all of them or none, and two changes that cross never wait for each other."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from holdpoint.ledger import linked, outbox, targets, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.supersede import supersede
from holdpoint.models.change import Change
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, LanePlace, Record
from tests.ledger.conftest import CHANGE

X, Y, Z = (f"{cluster}/default/shop" for cluster in ("eu-1", "eu-2", "eu-3"))
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
Submitted = Callable[..., Any]


def ask(ledger: Ledger, ticket: str, wanted: list[str], priority: int = 4) -> LanePlace:
    return ledger.write_now(targets.enter_lanes, ticket=ticket, targets=wanted, priority=priority)


def holders(ledger: Ledger) -> dict[str, str | None]:
    return {row.target: row.holder_ticket for row in ledger.read_now(targets.held_targets)}


def leave(ledger: Ledger, ticket: str) -> None:
    ledger.write_now(targets.leave_all, ticket=ticket)


def woken(ledger: Ledger) -> set[str]:
    return {row.ticket for row in ledger.write_now(outbox.take, limit=9, lease=9) if row.kind == "wake"}


def many(*keys: str) -> dict[str, Any]:
    """Return what makes a submitted ticket one of many targets."""
    document = CHANGE.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["spec"]["targets"] = {"clusters": [key.partition("/")[0] for key in keys]}
    del document["spec"]["target"]
    shown = [{"target": key, "wave": number} for number, key in enumerate(keys, 1)]
    return {
        "view": {"target": keys[0], "targets": shown},
        "change": Change.model_validate(document),
        "targets": list(keys),
    }


def test_all_targets_are_granted_or_none(ledger: Ledger) -> None:
    assert ask(ledger, "chg-1", [Y]).granted

    waits = ask(ledger, "chg-2", [X, Y, Z])

    assert (waits.granted, waits.target, waits.holder_ticket) == (False, Y, "chg-1")
    assert holders(ledger) == {Y: "chg-1"}
    leave(ledger, "chg-1")
    assert woken(ledger) == {"chg-2"}
    assert ask(ledger, "chg-2", [X, Y, Z]).granted
    assert holders(ledger) == dict.fromkeys((X, Y, Z), "chg-2")


def test_what_was_granted_stays_granted_when_asked_again(ledger: Ledger) -> None:
    ask(ledger, "chg-1", [X, Y])

    assert ask(ledger, "chg-1", [Y, X]).granted


def test_two_that_cross_are_granted_one_after_the_other(ledger: Ledger) -> None:
    assert ask(ledger, "chg-0", [X, Y]).granted
    assert not ask(ledger, "chg-1", [X, Y]).granted
    assert not ask(ledger, "chg-2", [Y, X]).granted
    leave(ledger, "chg-0")

    assert not ask(ledger, "chg-2", [Y, X]).granted
    assert ask(ledger, "chg-1", [X, Y]).granted
    leave(ledger, "chg-1")
    assert ask(ledger, "chg-2", [Y, X]).granted


def test_two_of_the_same_age_stand_in_the_same_order_in_every_lane(
    ledger: Ledger, submitted: Submitted
) -> None:
    """One of them had a place in one lane before, so that its place there is the older one."""
    for ticket in ("chg-1", "chg-2"):
        submitted(ticket, view={"created_at": MONDAY})
    ask(ledger, "chg-0", [X, Y])
    ask(ledger, "chg-1", [X])
    ask(ledger, "chg-2", [X, Y])
    ask(ledger, "chg-1", [X, Y])

    orders = [ledger.read_now(targets.waiting, target) for target in (X, Y)]

    assert orders == [["chg-1", "chg-2"]] * 2


@pytest.mark.parametrize("first", ["chg-1", "chg-2", "chg-3"])
def test_a_ring_of_three_comes_apart_whoever_asks_first(ledger: Ledger, first: str) -> None:
    wanted = {"chg-1": [X, Y], "chg-2": [Y, Z], "chg-3": [Z, X]}
    ask(ledger, "chg-0", [X, Y, Z])
    for ticket in wanted:
        ask(ledger, ticket, wanted[ticket])
    leave(ledger, "chg-0")
    left = [first, *(ticket for ticket in wanted if ticket != first)]

    done = []
    for _ in range(len(wanted)):
        granted = next(ticket for ticket in left if ask(ledger, ticket, wanted[ticket]).granted)
        leave(ledger, granted)
        left.remove(granted)
        done.append(granted)

    assert done[0] == "chg-1"  # it has waited for longest
    assert sorted(done) == sorted(wanted)


def test_the_more_urgent_of_two_that_cross_goes_first(ledger: Ledger) -> None:
    ask(ledger, "chg-0", [X])
    ask(ledger, "chg-1", [X, Y])
    ask(ledger, "chg-2", [Y, X], priority=1)
    leave(ledger, "chg-0")

    assert not ask(ledger, "chg-1", [X, Y]).granted
    assert ask(ledger, "chg-2", [Y, X], priority=1).granted


def test_who_waits_behind_one_of_many_targets_is_not_passed_for_ever(ledger: Ledger) -> None:
    """Changes of one target that come in a row do not starve the one that needs two."""
    ask(ledger, "chg-0", [Y])
    ask(ledger, "chg-1", [X, Y])

    assert not ask(ledger, "chg-2", [X]).granted


def test_many_that_cross_at_once_all_get_their_turn(ledger: Ledger) -> None:
    """Each as a thread of its own, as workers are processes of their own; every order of targets occurs."""
    orders = list(itertools.permutations((X, Y, Z), 2))
    turn = threading.Condition()

    def live(ticket: str, wanted: tuple[str, ...]) -> str:
        while not ask(ledger, ticket, list(wanted)).granted:
            with turn:
                turn.wait(0.05)  # the ledger's wake-ups go by the outbox, which this test has not
        assert sorted(key for key, holder in holders(ledger).items() if holder == ticket) == sorted(wanted)
        leave(ledger, ticket)
        with turn:
            turn.notify_all()
        return ticket

    named = [f"chg-{number}" for number in range(len(orders))]
    with ThreadPoolExecutor(len(orders)) as pool:
        granted = list(pool.map(live, named, orders, timeout=20))

    assert granted == named
    assert holders(ledger) == {}


def test_a_patch_of_one_target_leaves_the_others_and_its_hold_is_the_tickets(
    ledger: Ledger, submitted: Submitted
) -> None:
    submitted("chg-1", **many(X, Y))
    hold = {"code": "frozen", "message": "Frozen.", "by": "commander", "since": MONDAY, "lift": "lift it"}
    for number, key in enumerate((X, Y)):
        patch = {"targets": {key: {"phase": "Executing", "holds": [hold] if key == Y else []}}}
        draft = EntryDraft(key=f"e{number}", kind="target.entered", actor="holdpoint", at=MONDAY)
        tell = Record(ticket="chg-1", entries=[draft], patch=patch)
        ledger.write_now(tickets.patch_ticket, tell.ticket, tell.patch)

    view = ledger.read_now(tickets.get_ticket, "chg-1")

    assert [one.phase for one in view.targets] == [Phase.EXECUTING, Phase.EXECUTING]
    assert [(one.target, one.message) for one in view.holds] == [(Y, "eu-2: Frozen.")]
    assert view.hold == view.holds[0]
    ledger.write_now(tickets.patch_ticket, "chg-1", {"targets": {Y: {"holds": []}}})
    assert ledger.read_now(tickets.get_ticket, "chg-1").hold is None


def test_a_ticket_is_found_by_each_of_its_targets(ledger: Ledger, submitted: Submitted) -> None:
    submitted("chg-1", **many(X, Y))
    ledger.write_now(tickets.patch_ticket, "chg-1", {"phase": "Succeeded"})

    for key in (X, Y):
        standing = ledger.read_now(linked.standing, key)
        assert standing is not None
        assert standing.ticket == "chg-1"
        last = ledger.read_now(tickets.last_succeeded, key)
        assert last is not None
        assert last.change.spec.place.cluster == key.partition("/")[0]
    assert ledger.read_now(linked.standing, Z) is None


def test_a_newer_change_replaces_only_what_goes_to_no_other_target(
    ledger: Ledger, submitted: Submitted
) -> None:
    submitted("chg-1", **many(X, Z))
    submitted("chg-2", **many(X, Y))
    submitted("chg-3", view={"target": Y})
    submitted("chg-4", **many(X, Y))

    replaced = ledger.write_now(lambda db: supersede(db, tickets.get_ticket(db, "chg-4")))

    assert replaced == ["chg-2", "chg-3"]
