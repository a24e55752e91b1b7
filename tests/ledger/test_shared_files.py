"""What several machines share: blobs and archived evidence in the ledger's database."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from holdpoint.ledger import archives, schema
from holdpoint.ledger.shared_blobs import SharedBlobs
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import Conflict, NotFound, UpstreamUnavailable
from holdpoint.models.record import EntryDraft

KEY = bytes(range(32))


def test_another_machine_finds_blobs_and_secrets(ledger: Ledger, tmp_path: Path) -> None:
    here, there = SharedBlobs(tmp_path / "a", KEY, ledger), SharedBlobs(tmp_path / "b", KEY, ledger)

    plain, secret = here.put(b"manifest"), here.put_secret(b"password: hunter2")

    assert (there.get(plain), there.get_secret(secret)) == (b"manifest", b"password: hunter2")
    assert there.put_secret(b"password: hunter2") == secret


def test_the_database_holds_secrets_sealed_only(ledger: Ledger, tmp_path: Path) -> None:
    SharedBlobs(tmp_path, KEY, ledger).put_secret(b"password: hunter2")

    [data] = ledger.read_now(lambda db: list(db.execute(select(schema.blobs.c.data)).scalars()))
    assert b"hunter2" not in data


def test_the_machine_that_took_a_snapshot_reads_it_while_the_database_is_down(
    ledger: Ledger, tmp_path: Path
) -> None:
    digest = SharedBlobs(tmp_path / "a", KEY, ledger).put_secret(b"snapshot")
    down = Ledger("sqlite:////nowhere/ledger.db")

    assert SharedBlobs(tmp_path / "a", KEY, down).get_secret(digest) == b"snapshot"
    with pytest.raises(UpstreamUnavailable):
        SharedBlobs(tmp_path / "b", KEY, down).get_secret(digest)
    down.close()


def test_a_changed_row_is_never_returned(ledger: Ledger, tmp_path: Path) -> None:
    digest = SharedBlobs(tmp_path / "a", KEY, ledger).put(b"manifest")
    ledger.write_now(lambda db: db.execute(update(schema.blobs).values(data=b"other")))

    with pytest.raises(Conflict):
        SharedBlobs(tmp_path / "b", KEY, ledger).get(digest)


def test_what_nobody_put_is_not_found(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        SharedBlobs(tmp_path, KEY, ledger).get("sha256:" + "0" * 64)


def test_evidence_is_kept_verbatim_and_a_later_archive_takes_its_place(ledger: Ledger) -> None:
    for data in (b'{"first":1}', b'{"second":2}'):
        draft = EntryDraft(key=data.decode(), kind="ticket.archived", actor="x", at=datetime.now(UTC))
        assert ledger.write_now(archives.keep, "chg-1", data, draft) == data

    assert ledger.read_now(archives.find, "chg-1") == b'{"second":2}'
    assert ledger.read_now(archives.find, "chg-2") is None
    assert ledger.read_now(archives.kept, ["chg-1", "chg-2"]) == {"chg-1"}
    assert ledger.read_now(archives.kept, []) == set()
