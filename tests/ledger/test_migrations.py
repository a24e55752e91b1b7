"""Migrations: from every earlier schema with its contents, and once however many start together."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from holdpoint.ledger import checkpoint, entries, export, intents, tickets
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.upgrade import MIGRATIONS, upgrade
from holdpoint.ledger.verify import verify_file
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.record import IntentRequest, LeftOpen, Opened
from tests.ledger.databases import Databases

EARLIER = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][1:]


@pytest.fixture
def bare(databases: Databases) -> str:
    """Return the URL of a database with nothing in it."""
    return databases.bare()


@pytest.fixture
def ledger(bare: str) -> Iterator[Ledger]:
    made = Ledger(bare)
    yield made
    made.close()


@pytest.mark.parametrize("revision", EARLIER)
def test_what_an_earlier_schema_held_verifies_and_goes_on(
    revision: str,
    ledger: Ledger,
    hold: Callable[[Ledger], None],
    submit: Callable[..., Any],
    a_request: Callable[..., IntentRequest],
    tmp_path: Path,
) -> None:
    ledger.write_now(upgrade, revision)
    hold(ledger)
    submit(ledger, "chg-1")
    # In a transaction: an earlier schema has none of the functions of a later one.
    opened = ledger._transact(True, intents.open_intent, a_request())
    assert isinstance(opened, Opened)
    signer = Signer.load_or_create(tmp_path)
    ledger.write_now(checkpoint.publish, signer)
    before = ledger.read_now(entries.entries_after, 0)

    ledger.migrate()

    assert ledger.read_now(entries.entries_after, 0) == before
    assert ledger.read_now(tickets.get_ticket, "chg-1").id == "chg-1"
    assert isinstance(ledger.write_now(intents.open_intent, a_request()), LeftOpen)
    assert isinstance(ledger.write_now(intents.open_intent, a_request("new")), Opened)
    ledger.write_now(checkpoint.publish, signer)  # which checks that the last one still holds
    assert verify_file(ledger.read_now(export.export_all, signer=signer), signer.public.pem) == []


def test_many_that_start_at_once_migrate_once(bare: str) -> None:
    failed: list[BaseException] = []
    ledgers = [Ledger(bare) for _ in range(6)]

    def start(ledger: Ledger) -> None:
        try:
            ledger.migrate()
        except BaseException as error:  # noqa: BLE001 - told to the thread that asserts
            failed.append(error)

    threads = [threading.Thread(target=partial(start, ledger)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    names = ledgers[0].read_now(lambda db: inspect(db).get_table_names())
    for ledger in ledgers:
        ledger.close()
    assert failed == []
    assert {"entries", "blobs", "alembic_version"} <= set(names)


def test_a_ledger_of_a_later_version_is_refused_with_what_to_do(ledger: Ledger) -> None:
    ledger.migrate()

    def later(db: Connection) -> None:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    ledger.write_now(later)

    with pytest.raises(UpstreamUnavailable, match="of a version that this Holdpoint does not know"):
        ledger.migrate()
