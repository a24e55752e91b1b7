"""Freezes: what they cover, how they end, and whom they wake."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, update

from holdpoint.ledger import entries, freezes, head, intents, keys, outbox, schema
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import Conflict, NotFound
from holdpoint.models.record import Freeze, IntentRequest, Opened, Scope

_LOCKS = "FOR UPDATE"


def create(ledger: Ledger, **options: Any) -> Freeze:
    asked = {"scope": Scope(service="shop"), "reason": "INC-7", "by": "commander"}
    return ledger.write_now(freezes.create_freeze, **{**asked, "until": None, "except_types": [], **options})


def let_pass(ledger: Ledger, freeze: Freeze) -> None:
    """Move the end of a freeze into the past, so that no test waits for it."""
    column = schema.freezes.c
    past = update(schema.freezes).where(column.id == freeze.id).values(until=column.created_at - 1)
    ledger.write_now(lambda db: db.execute(past))


def covering(ledger: Ledger, **changes: str) -> list[str]:
    asked = {"service": "shop", "environment": "staging", "change_type": "standard", **changes}
    return [freeze.id for freeze in ledger.read_now(freezes.covering, **asked)]


def test_a_freeze_and_its_end_raise_the_epoch(ledger: Ledger) -> None:
    epochs = [ledger.read_now(head.read).epoch]
    freeze = create(ledger)
    epochs.append(ledger.read_now(head.read).epoch)
    ledger.write_now(freezes.lift_freeze, freeze.id, by="commander", reason="over")
    epochs.append(ledger.read_now(head.read).epoch)

    assert epochs == [0, 1, 2]


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        pytest.param({"everything": True}, True, id="everything"),
        pytest.param({"service": "shop"}, True, id="the service"),
        pytest.param({"environment": "staging"}, True, id="the environment"),
        pytest.param({"service": "shop", "environment": "production"}, False, id="another environment"),
        pytest.param({"service": "pay"}, False, id="another service"),
    ],
)
def test_a_freeze_covers_its_scope_only(ledger: Ledger, scope: dict[str, Any], covered: bool) -> None:
    freeze = create(ledger, scope=Scope.model_validate(scope))

    assert covering(ledger) == ([freeze.id] if covered else [])


def test_an_excepted_type_is_not_covered(ledger: Ledger) -> None:
    freeze = create(ledger, except_types=["emergency"])

    assert covering(ledger, change_type="emergency") == []
    assert covering(ledger) == [freeze.id]


def test_a_freeze_that_would_end_before_it_begins_is_a_conflict(ledger: Ledger) -> None:
    with pytest.raises(Conflict):
        create(ledger, until=datetime.now(UTC) - timedelta(seconds=5))


def test_a_freeze_ends_by_the_databases_clock_and_its_end_is_recorded(ledger: Ledger) -> None:
    freeze = create(ledger, until=datetime.now(UTC) + timedelta(hours=1))
    assert ledger.write_now(freezes.expire_freezes) == []

    let_pass(ledger, freeze)

    assert covering(ledger) == []
    assert ledger.read_now(freezes.list_freezes) == []
    assert [ended.id for ended in ledger.write_now(freezes.expire_freezes)] == [freeze.id]
    assert ledger.write_now(freezes.expire_freezes) == []
    assert ledger.read_now(entries.entries_after, 0)[-1].kind == "freeze.expired"


def test_two_that_end_freezes_at_once_do_not_break_each_other(ledger: Ledger) -> None:
    freeze = create(ledger, until=datetime.now(UTC) + timedelta(hours=1))
    let_pass(ledger, freeze)
    begun, asked = threading.Event(), threading.Event()

    def first(db: Connection) -> list[Freeze]:
        found = freezes.expire_freezes(db)
        begun.set()
        asked.wait(0.5)  # on SQLite the other waits before it asks anything
        return found

    def second(db: Connection) -> list[Freeze]:
        event.listen(db, "before_cursor_execute", lambda *args: asked.set() if _LOCKS in args[2] else None)
        return freezes.expire_freezes(db)

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(ledger.write_now, first)
        begun.wait(10)
        other = threads.submit(ledger.write_now, second)

    assert ([ended.id for ended in one.result()], other.result()) == ([freeze.id], [])


def test_lifting_twice_is_a_conflict_and_an_unknown_one_is_not_found(ledger: Ledger) -> None:
    freeze = create(ledger)
    lifted = ledger.write_now(freezes.lift_freeze, freeze.id, by="commander", reason="over")

    assert (lifted.lifted_by, covering(ledger)) == ("commander", [])
    with pytest.raises(Conflict):
        ledger.write_now(freezes.lift_freeze, freeze.id, by="commander", reason="again")
    with pytest.raises(NotFound):
        ledger.write_now(freezes.lift_freeze, "frz-0", by="commander", reason="none")


def test_open_tickets_in_scope_are_woken_at_both_ends(ledger: Ledger, submitted: Callable[..., Any]) -> None:
    submitted("chg-1")
    submitted("chg-2", view={"service": "pay"})

    freeze = create(ledger)
    ledger.write_now(freezes.lift_freeze, freeze.id, by="commander", reason="over")

    rows = ledger.write_now(outbox.take, limit=10, lease=30)
    assert [(row.kind, row.ticket) for row in rows if row.kind == "wake"] == [("wake", "chg-1")] * 2


def test_an_acknowledgement_is_complete_when_nothing_in_scope_is_open(
    held: Ledger, a_request: Callable[..., IntentRequest]
) -> None:
    outcome = held.write_now(intents.open_intent, a_request())
    assert isinstance(outcome, Opened)
    freeze = create(held)

    partly = held.write_now(freezes.acknowledge_freeze, freeze.id, {"in_doubt": ["shop"]})
    held.write_now(intents.fence_intent, outcome.intent.id, by=freeze.id)
    whole = held.write_now(freezes.acknowledge_freeze, freeze.id, {"in_doubt": []})

    assert (partly.acknowledged_at, partly.facts) == (
        None,
        {"in_doubt": ["shop"], "open_intents": [outcome.intent.id]},
    )
    assert whole.acknowledged_at is not None
    assert [entry.kind for entry in held.read_now(entries.entries_after, freeze.seq)] == [
        "freeze.acknowledged",
        "intent.fenced",
        "freeze.acknowledged",
    ]


def create_once(ledger: Ledger, key: str = "k", content: str = "same", **options: Any) -> tuple[Freeze, bool]:
    asked: dict[str, Any] = {"scope": Scope(service="shop"), "reason": "INC-7", "by": "commander"}
    asked |= {"until": None, "except_types": [], "key": key, "content": content, **options}
    return ledger.write_now(freezes.create_freeze_once, **asked)


def test_the_same_order_again_is_the_same_freeze_also_after_its_end(ledger: Ledger) -> None:
    first, created = create_once(ledger)
    second, again = create_once(ledger)
    ledger.write_now(freezes.lift_freeze, first.id, by="commander", reason="over")

    assert (created, again, second.id) == (True, False, first.id)
    assert create_once(ledger)[0].lifted_by == "commander"
    assert len(ledger.read_now(freezes.list_freezes, active_only=False)) == 1


def test_many_equal_orders_at_once_make_one_freeze(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create_once(ledger), range(8)))

    assert len({freeze.id for freeze, _ in made}) == 1
    assert [created for _, created in made].count(True) == 1


def test_a_key_with_another_order_is_a_conflict_and_freezes_nothing(ledger: Ledger) -> None:
    create_once(ledger)

    with pytest.raises(Conflict, match="with other content"):
        create_once(ledger, content="other", scope=Scope(everything=True))

    assert len(ledger.read_now(freezes.list_freezes)) == 1


def test_a_key_is_forgotten_after_thirty_days(ledger: Ledger) -> None:
    first, _ = create_once(ledger)
    old = update(schema.idempotency_keys).values(
        created_at=schema.idempotency_keys.c.created_at - keys.LIFE_MS - 1000
    )
    ledger.write_now(lambda db: db.execute(old))

    second, created = create_once(ledger, content="other")

    assert created
    assert second.id != first.id


def test_a_freeze_and_a_submit_may_have_the_same_key(ledger: Ledger, submitted: Callable[..., Any]) -> None:
    view, _ = submitted("chg-1", key="k", content="same")

    freeze, created = create_once(ledger, key="k", content="same")

    assert created
    assert submitted("chg-2", key="k", content="same")[0].id == view.id
    assert freeze.id.startswith("frz-")
