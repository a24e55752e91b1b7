"""The outbox: at least once, in order, and never a lost message."""

from sqlalchemy import update

from holdpoint.ledger import outbox, schema
from holdpoint.ledger.outbox import OutboxRow
from holdpoint.ledger.store import Ledger


def post(ledger: Ledger, key: str) -> None:
    ledger.write_now(outbox.post, kind="wake", ticket="chg-1", body={"cause": key}, key=key)


def take(ledger: Ledger, limit: int = 10) -> list[OutboxRow]:
    return ledger.write_now(outbox.take, limit=limit, lease=60.0)


def let_leases_pass(ledger: Ledger) -> None:
    ledger.write_now(lambda db: db.execute(update(schema.outbox).values(due_at=0)))


def test_messages_come_oldest_first_and_only_to_one_taker(ledger: Ledger) -> None:
    for key in ("a", "b", "c"):
        post(ledger, key)

    assert [row.key for row in take(ledger, 2)] == ["a", "b"]
    assert [row.body for row in take(ledger)] == [{"cause": "c"}]
    assert take(ledger) == []


def test_a_key_is_posted_once_even_after_delivery(ledger: Ledger) -> None:
    post(ledger, "a")
    [row] = take(ledger)
    ledger.write_now(outbox.delivered, row.id)

    post(ledger, "a")
    let_leases_pass(ledger)

    assert take(ledger) == []


def test_who_dies_with_a_message_does_not_lose_it(ledger: Ledger) -> None:
    post(ledger, "a")
    [first] = take(ledger)

    let_leases_pass(ledger)

    assert [(row.id, row.attempts) for row in take(ledger)] == [(first.id, 2)]


def test_a_failed_delivery_is_given_out_again_after_its_delay(ledger: Ledger) -> None:
    post(ledger, "a")
    [row] = take(ledger)

    ledger.write_now(outbox.failed, row.id, "refused", 30.0)
    before = take(ledger)
    ledger.write_now(outbox.failed, row.id, "refused", 0.0)

    assert (before, [again.attempts for again in take(ledger)]) == ([], [2])
