"""The tables, the transactions and the way errors leave."""

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from holdpoint.ledger import entries, head
from holdpoint.ledger.clock import now
from holdpoint.ledger.schema import metadata
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.record import EntryDraft


def a_draft(db: Connection, key: str) -> EntryDraft:
    return EntryDraft(key=key, kind="test.done", actor="tester", at=now(db))


def append(db: Connection, key: str) -> int:
    return entries.append_entry(db, a_draft(db, key), None)


def test_migrations_make_the_tables_that_the_code_uses(ledger: Ledger) -> None:
    def differences(db: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(db), metadata))

    assert ledger.read_now(differences) == []


def test_migrating_twice_keeps_what_is_there(ledger: Ledger) -> None:
    ledger.write_now(append, "a")

    ledger.migrate()

    assert ledger.read_now(head.read).seq == 1


def test_a_failed_verb_writes_nothing(ledger: Ledger) -> None:
    def half(db: Connection) -> None:
        append(db, "a")
        raise LookupError

    with pytest.raises(LookupError):
        ledger.write_now(half)

    assert ledger.read_now(head.read).seq == 0
    assert ledger.read_now(entries.entries_after, 0) == []


def test_a_ledger_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    missing = Ledger(f"sqlite:///{tmp_path}/no/such/folder/ledger.db")

    with pytest.raises(UpstreamUnavailable, match="ledger"):
        missing.read_now(head.read)
    missing.close()


def test_a_file_that_is_no_ledger_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database at all" * 100)
    foreign = Ledger(f"sqlite:///{tmp_path}/ledger.db")

    with pytest.raises(UpstreamUnavailable, match="ledger"):
        foreign.read_now(head.read)
    foreign.close()


@pytest.mark.parametrize("verb", ["UPDATE entries SET kind = 'x'", "DELETE FROM entries"])
def test_the_database_refuses_to_change_an_entry(ledger: Ledger, verb: str) -> None:
    ledger.write_now(append, "a")

    with pytest.raises((IntegrityError, DatabaseError), match="append-only"):
        ledger.write_now(lambda db: db.execute(text(verb)))


async def test_many_threads_and_two_ledgers_on_one_file_never_skip_a_number(ledger: Ledger, url: str) -> None:
    other = Ledger(url)

    numbers = await asyncio.gather(
        *(
            part.write(append, f"{name}-{i}")
            for i in range(60)
            for name, part in (("a", ledger), ("b", other))
        )
    )

    assert sorted(numbers) == list(range(1, 121))
    other.close()


async def test_a_reader_sees_one_state_while_others_write(ledger: Ledger) -> None:
    def twice(db: Connection) -> tuple[int, int]:
        before = head.read(db).seq
        ledger.write_now(append, "between")
        return before, head.read(db).seq

    before, after = await ledger.read(twice)

    assert before == after
