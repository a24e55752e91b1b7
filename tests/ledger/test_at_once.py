"""On PostgreSQL an intent opens in one round trip, and means the same as in a transaction."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, text

from holdpoint.ledger import entries, export, freezes, head, intents, schema, targets
from holdpoint.ledger.canonical import canonical, parse
from holdpoint.ledger.merkle import Frontier, root_of
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.verify import verify_file
from holdpoint.models.record import IntentRequest, LeftOpen, Opened, Refused, Scope
from holdpoint.telemetry.measured import MeasuredLedger
from holdpoint.telemetry.metrics import Metrics
from tests.ledger.databases import PostgresDatabases

MakeRequest = Callable[..., IntentRequest]
WRITERS = 8


@pytest.fixture(scope="module")
def postgresql(server: str) -> PostgresDatabases:
    return PostgresDatabases(server)


@pytest.fixture
def url(postgresql: PostgresDatabases) -> Iterator[str]:
    made = postgresql.fresh()
    yield made
    postgresql.drop(made)


@pytest.fixture
def other(url: str) -> Iterator[Ledger]:
    """Return another process's view of the same ledger."""
    made = Ledger(url)
    yield made
    made.close()


def opened(ledger: Ledger, request: IntentRequest) -> str:
    outcome = ledger.write_now(intents.open_intent, request)
    assert isinstance(outcome, Opened)
    return outcome.intent.id


def close(ledger: Ledger, intent: str, status: Any = "done", **options: Any) -> str:
    return ledger.write_now(intents.close_intent, intent, status=status, result={}, **options).status


def statements(ledger: Ledger) -> list[str]:
    """Return a list that grows with each statement that is sent, BEGIN and COMMIT included."""
    sent: list[str] = []
    engine = ledger._writing
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    event.listen(engine, "begin", lambda db: sent.append("BEGIN") if not db._is_autocommit_isolation() else 0)
    return sent


def test_an_intent_opens_and_closes_in_one_statement_each(held: Ledger, a_request: MakeRequest) -> None:
    close(held, opened(held, a_request("first")))
    sent = statements(held)

    close(held, opened(held, a_request("second")), attempt=1)

    assert [line.split("(")[0] for line in sent] == [
        "SELECT * FROM ledger_open_intent",
        "SELECT * FROM ledger_close_intent",
    ]


async def test_a_measured_ledger_opens_and_closes_in_one_statement_each_too(
    held: Ledger, url: str, a_request: MakeRequest
) -> None:
    measured = MeasuredLedger(url, None, Metrics())
    await measured.write(intents.open_intent, a_request("first"))
    sent = statements(measured)

    await measured.write(intents.open_intent, a_request("second"))
    await measured.write(intents.close_intent, a_request("second").id, status="done", result={}, attempt=1)
    measured.close()

    assert [line.split("(")[0] for line in sent] == [
        "SELECT * FROM ledger_open_intent",
        "SELECT * FROM ledger_close_intent",
    ]


def test_both_ways_write_the_same_entries(held: Ledger, a_request: MakeRequest, tmp_path: Path) -> None:
    close(held, opened(held, a_request("a")), attempt=1)
    # The verbs themselves, in a transaction:
    held._transact(True, intents.open_intent, a_request("b"))
    held._transact(True, intents.close_intent, a_request("b").id, status="done", result={}, attempt=1)

    told = held.read_now(entries.entries_after, 0)[-4:]
    shapes = [_shape(parse(entry.raw), a_request(name).id) for entry, name in zip(told, "aabb", strict=True)]
    assert shapes[:2] == shapes[2:]
    assert all(canonical(parse(entry.raw)) == entry.raw for entry in told)
    signer = Signer.load_or_create(tmp_path)
    assert verify_file(held.read_now(export.export_all, signer=signer), signer.public.pem) == []


def _shape(value: Any, id: str) -> Any:
    """Return the value without what differs from one intent, and one moment, to the next."""
    if isinstance(value, dict):
        return {
            name: len(str(inner)) if name in ("at", "recorded", "deadline", "seq") else _shape(inner, id)
            for name, inner in value.items()
            if (name, inner) not in (("key", "a"), ("key", "b"))
        }
    return value.replace(id, "ID") if isinstance(value, str) else value


def test_what_somebody_wrote_is_never_taken_for_a_hole(held: Ledger, a_request: MakeRequest) -> None:
    key = '"seq" at until %s \\u0000 é $$ {0}'
    intent = opened(held, a_request(key))

    assert held.read_now(intents.get_intent, intent).request.key == key
    entry = held.read_now(entries.entries_after, 0)[-1]
    assert entry.body["request"]["key"] == key


def test_a_freeze_of_another_process_is_seen_and_so_is_its_end(
    held: Ledger, other: Ledger, a_request: MakeRequest
) -> None:
    opened(held, a_request("a"))
    told: dict[str, Any] = {"reason": "INC", "by": "commander", "until": None, "except_types": []}
    freeze = other.write_now(freezes.create_freeze, scope=Scope(everything=True), **told)
    refused = held.write_now(intents.open_intent, a_request("b"))
    undo = held.write_now(intents.open_intent, a_request("b", direction="undo"))
    other.write_now(freezes.lift_freeze, freeze.id, by="commander", reason="over")

    assert isinstance(refused, Refused)
    assert isinstance(undo, Opened)
    assert isinstance(held.write_now(intents.open_intent, a_request("b")), Opened)


def test_a_holder_that_another_process_changed_is_seen(
    held: Ledger, other: Ledger, a_request: MakeRequest
) -> None:
    opened(held, a_request("a"))
    taken: dict[str, Any] = {"target": a_request().target, "ticket": "chg-1", "run": "run-2"}
    other.write_now(targets.take_target, **taken, rollout={"mode": "undo"})

    late = held.write_now(intents.open_intent, a_request("b"))

    assert isinstance(late, Refused)
    assert isinstance(held.write_now(intents.open_intent, a_request("b", run="run-2")), Opened)


def test_an_intent_that_another_process_opened_is_left_open(
    held: Ledger, other: Ledger, a_request: MakeRequest
) -> None:
    opened(held, a_request("first"))
    opened(other, a_request("a"))

    assert isinstance(held.write_now(intents.open_intent, a_request("a")), LeftOpen)


def test_what_another_process_fenced_is_not_closed_by_a_late_answer(
    held: Ledger, other: Ledger, a_request: MakeRequest
) -> None:
    intent = opened(held, a_request())
    other.write_now(intents.fence_intent, intent, by="frz-1")

    assert close(held, intent, attempt=1) == "fenced"
    assert held.read_now(entries.entries_after, 0)[-1].kind == "intent.answered"


def test_an_attempt_that_another_process_opened_is_not_closed_by_an_answer_to_the_first(
    held: Ledger, other: Ledger, a_request: MakeRequest
) -> None:
    intent = opened(held, a_request())
    other.write_now(intents.retry_intent, intent, "107", 5.0)

    assert close(held, intent, "refused", attempt=1) == "open"


def test_eight_writers_neither_lose_nor_double_a_number(
    url: str, ledger: Ledger, a_request: MakeRequest, tmp_path: Path
) -> None:
    def work(name: str) -> None:
        own = Ledger(url)
        taken: dict[str, Any] = {"target": name, "ticket": "chg-1", "run": name, "rollout": {}}
        own.write_now(targets.take_target, **taken)
        for number in range(10):
            close(own, opened(own, a_request(str(number), target=name, run=name)), attempt=1)
        own.close()

    writers = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    numbers = ledger.read_now(lambda db: list(db.execute(select(schema.entries.c.seq)).scalars()))
    assert sorted(numbers) == list(range(1, WRITERS * 21 + 1))
    signer = Signer.load_or_create(tmp_path)
    assert verify_file(ledger.read_now(export.export_all, signer=signer), signer.public.pem) == []


@settings(max_examples=20, deadline=None, derandomize=True)
@given(size=st.integers(0, 600))
def test_the_database_grows_the_tree_as_we_do(size: int, tree: Callable[..., Any]) -> None:
    frontier = Frontier(0, b"")
    for number in range(size):
        frontier.append(number.to_bytes(32, "big"))
    before, leaf = frontier.dump(), b"x" * 32
    tile = frontier.append(leaf)

    assert tree(before, size, leaf) == (frontier.dump(), tile)


@pytest.fixture(scope="module")
def tree(postgresql: PostgresDatabases) -> Iterator[Callable[..., Any]]:
    """Grow a tree in the database."""
    ledger = Ledger(postgresql.fresh())
    grow = text("SELECT nodes, tile FROM ledger_frontier(:nodes, :size, :leaf)")

    def call(nodes: bytes, size: int, leaf: bytes) -> tuple[bytes, bytes | None]:
        told = {"nodes": nodes, "size": size, "leaf": leaf}
        row = ledger.read_now(lambda db: db.execute(grow, told).one())
        return row.nodes, row.tile

    yield call
    ledger.close()


def test_the_database_keeps_each_full_tile(held: Ledger, a_request: MakeRequest) -> None:
    while held.read_now(head.read).seq < 260:
        intent = opened(held, a_request(str(held.read_now(head.read).seq)))
        close(held, intent, attempt=1)

    leaves = held.read_now(
        lambda db: list(db.execute(select(schema.entries.c.leaf).order_by(schema.entries.c.seq)).scalars())
    )
    tiles = held.read_now(lambda db: list(db.execute(select(schema.tiles.c.hash)).scalars()))
    assert tiles == [root_of(leaves[:256])]
