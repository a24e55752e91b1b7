"""A lost connection leaves the outcome unknown: who asks again finds it, and nothing is done twice."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from holdpoint.ledger import engines, entries, head, intents
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.record import AlreadyClosed, IntentRequest, LeftOpen, Opened
from tests.ledger.cutting_proxy import CuttingProxy, a_proxy
from tests.ledger.databases import PostgresDatabases, a_server

MakeRequest = Callable[..., IntentRequest]


@pytest.fixture(scope="module")
def databases(server: str) -> PostgresDatabases:
    return PostgresDatabases(server)


@pytest.fixture
def proxy(server: str) -> Iterator[CuttingProxy]:
    with a_proxy(server) as made:
        yield made


@pytest.fixture
def far(proxy: CuttingProxy, held: Ledger, url: str) -> Iterator[Ledger]:
    """Return the ledger through a connection that can be cut."""
    made = Ledger(proxy.url(url))
    made.read_now(head.read)
    yield made
    made.close()


def kinds(ledger: Ledger) -> Counter[str]:
    return Counter(entry.kind for entry in ledger.read_now(entries.entries_after, 0))


def test_an_intent_whose_opening_was_not_answered_is_left_open(
    far: Ledger, proxy: CuttingProxy, a_request: MakeRequest
) -> None:
    proxy.cut_after = b"ledger_open_intent"

    with pytest.raises(UpstreamUnavailable, match="connection to the ledger was lost"):
        far.write_now(intents.open_intent, a_request())

    assert proxy.cuts == 1
    assert isinstance(far.write_now(intents.open_intent, a_request()), LeftOpen)
    assert kinds(far)["intent.opened"] == 1


def test_a_transaction_whose_commit_was_not_answered_is_found(
    far: Ledger, proxy: CuttingProxy, a_request: MakeRequest
) -> None:
    intent = far.write_now(intents.open_intent, a_request())
    assert isinstance(intent, Opened)
    proxy.cut_after = rb"COMMIT\x00"

    with pytest.raises(UpstreamUnavailable, match="connection to the ledger was lost"):
        far.write_now(intents.retry_intent, intent.intent.id, "107", 5.0)

    assert proxy.cuts == 1
    again = far.write_now(intents.open_intent, a_request())
    assert isinstance(again, LeftOpen)
    assert (again.intent.attempt, kinds(far)["intent.opened"]) == (2, 2)


def test_a_close_that_was_not_answered_is_not_written_twice(
    far: Ledger, proxy: CuttingProxy, a_request: MakeRequest
) -> None:
    opened = far.write_now(intents.open_intent, a_request())
    assert isinstance(opened, Opened)
    answer: dict[str, Any] = {"status": "done", "result": {"version": "101"}, "attempt": 1}
    proxy.cut_after = b"ledger_close_intent"
    with pytest.raises(UpstreamUnavailable):
        far.write_now(intents.close_intent, opened.intent.id, **answer)

    assert far.write_now(intents.close_intent, opened.intent.id, **answer).status == "done"
    assert isinstance(far.write_now(intents.open_intent, a_request()), AlreadyClosed)
    assert (proxy.cuts, kinds(far)["intent.closed"]) == (1, 1)


def test_a_backend_that_is_ended_before_it_wrote_has_written_nothing(
    held: Ledger, url: str, a_request: MakeRequest
) -> None:
    outcome: list[BaseException] = []

    def open_it() -> None:
        try:
            held.write_now(intents.open_intent, a_request())
        except UpstreamUnavailable as error:
            outcome.append(error)

    waiting = threading.Thread(target=open_it)
    with psycopg.connect(url) as db:
        db.execute("SELECT FROM head FOR UPDATE")  # so that it stands exactly between begin and end
        waiting.start()
        query = (
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with psycopg.connect(url, autocommit=True) as other:
            while (found := other.execute(query).fetchone()) is None:
                pass  # a row of the server's own statistics: there is nothing to wait on
            other.execute("SELECT pg_terminate_backend(%s)", found)
        waiting.join()

    assert len(outcome) == 1
    assert isinstance(held.write_now(intents.open_intent, a_request()), Opened)
    assert kinds(held)["intent.opened"] == 1


def test_who_is_stopped_inside_a_transaction_holds_the_others_up_for_a_bounded_time(
    url: str, held: Ledger, a_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engines.IDLE_IN_TRANSACTION_MS < engines.LOCK_MS  # who waits outlasts who is stopped
    monkeypatch.setattr(engines, "IDLE_IN_TRANSACTION_MS", 300)
    stopped = Ledger(url)
    has_it, may_go_on = threading.Event(), threading.Event()
    outcome: list[BaseException] = []

    def stand_still(db: Connection) -> int:
        head.lock(db)
        has_it.set()
        may_go_on.wait()
        return head.lock(db).seq

    def run() -> None:
        try:
            stopped.write_now(stand_still)
        except UpstreamUnavailable as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    has_it.wait()

    assert isinstance(held.write_now(intents.open_intent, a_request()), Opened)

    may_go_on.set()
    thread.join()
    stopped.close()
    assert len(outcome) == 1


def test_a_server_that_was_killed_and_came_back_has_kept_what_was_acknowledged(
    hold: Callable[[Ledger], None], a_request: MakeRequest
) -> None:
    with a_server() as server:
        url = PostgresDatabases(server.url).fresh()
        ledger = Ledger(url)
        hold(ledger)
        first = ledger.write_now(intents.open_intent, a_request("a"))
        assert isinstance(first, Opened)

        server.kill()
        with pytest.raises(UpstreamUnavailable):
            ledger.write_now(intents.open_intent, a_request("b"))
        with pytest.raises(UpstreamUnavailable):
            ledger.read_now(head.read)
        server.start()

        assert isinstance(ledger.write_now(intents.open_intent, a_request("a")), LeftOpen)
        assert isinstance(ledger.write_now(intents.open_intent, a_request("b")), Opened)
        assert kinds(ledger)["intent.opened"] == 2
        ledger.close()


def test_connections_that_died_unused_are_replaced_without_an_error(
    held: Ledger, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.read_now(head.read)
    monkeypatch.setattr(engines, "FRESH_S", -1.0)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'holdpoint ledger' AND datname = current_database()"
        )

    assert held.read_now(head.read).seq == held.write_now(
        lambda d: d.execute(text("SELECT seq FROM head")).scalar()
    )
