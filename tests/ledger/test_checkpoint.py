"""Checkpoints and keys: what is signed is told apart from everything else."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from holdpoint.ledger import checkpoint, entries, schema
from holdpoint.ledger.checkpoint import Checkpoint, open_note, sign_note
from holdpoint.ledger.signing import PublicKey, Signer
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import Conflict, SettingsError
from holdpoint.models.record import EntryDraft
from tests.ledger.databases import without_guards

POINT = Checkpoint(7, bytes(range(32)))


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.load_or_create(tmp_path / "keys")


def append(ledger: Ledger, key: str) -> None:
    draft = EntryDraft(key=key, kind="test.done", actor="x", at=datetime.now(UTC))
    ledger.write_now(entries.append_entry, draft, None)


def test_a_note_says_what_was_signed(signer: Signer) -> None:
    note = sign_note(POINT, signer)

    assert note.startswith(f"{signer.public.origin}\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— ")
    assert open_note(note, signer.public) == POINT


def test_every_changed_character_of_a_note_is_found(signer: Signer) -> None:
    note = sign_note(POINT, signer)

    for at, character in enumerate(note):
        for other in {"A", "0", "\n", " "} - {character}:
            with pytest.raises(ValueError, match="checkpoint"):
                open_note(note[:at] + other + note[at + 1 :], signer.public)


@pytest.mark.parametrize("more", ["\n", "— someone AAAA\n", " "])
def test_nothing_may_follow_a_note(signer: Signer, more: str) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        open_note(sign_note(POINT, signer) + more, signer.public)


def test_another_keys_note_is_refused(signer: Signer, tmp_path: Path) -> None:
    other = Signer.load_or_create(tmp_path / "other")

    with pytest.raises(ValueError, match="another key"):
        open_note(sign_note(POINT, other), signer.public)


def test_keys_are_made_once_private_and_named_by_their_fingerprint(tmp_path: Path) -> None:
    first, again = Signer.load_or_create(tmp_path), Signer.load_or_create(tmp_path)

    assert first.public.fingerprint == again.public.fingerprint
    assert (tmp_path / "ledger.key").stat().st_mode & 0o777 == 0o600
    assert PublicKey.load((tmp_path / "ledger.pub").read_bytes()).origin == first.public.origin


def test_a_key_file_that_is_none_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "ledger.key").write_text("no key")

    with pytest.raises(SettingsError, match=r"ledger\.key"):
        Signer.load_or_create(tmp_path)


def test_published_checkpoints_follow_from_each_other(ledger: Ledger, signer: Signer) -> None:
    append(ledger, "a")
    first = ledger.write_now(checkpoint.publish, signer)
    same = ledger.write_now(checkpoint.publish, signer)
    append(ledger, "b")
    second = ledger.write_now(checkpoint.publish, signer)

    assert same == first
    assert ledger.read_now(checkpoint.published) == [first, second]
    assert open_note(second, signer.public).size == 2


def test_two_that_publish_at_once_publish_one_note(ledger: Ledger, signer: Signer) -> None:
    append(ledger, "a")
    both = threading.Barrier(2)

    class Meeting(Signer):
        """Signs when the other is about to sign as well, or when it is clear that it waits for its turn."""

        def sign(self, data: bytes) -> bytes:
            with suppress(threading.BrokenBarrierError):
                both.wait(0.3)
            return super().sign(data)

    meeting = Meeting(signer._key)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: ledger.write_now(checkpoint.publish, meeting), range(2))

    assert first == second
    assert ledger.read_now(checkpoint.published) == [first]


def test_a_rewritten_ledger_is_never_signed_again(ledger: Ledger, signer: Signer) -> None:
    append(ledger, "a")
    ledger.write_now(checkpoint.publish, signer)

    def rewrite(db: Connection) -> None:
        without_guards(db)
        db.execute(update(schema.entries).values(leaf=bytes(32)))

    ledger.write_now(rewrite)

    with pytest.raises(Conflict, match="rewritten"):
        ledger.write_now(checkpoint.publish, signer)
