"""Blobs: found by digest, whole, and sealed where they are secret."""

import errno
from pathlib import Path

import pytest

from holdpoint.ledger.blobs import Blobs
from holdpoint.models.errors import Conflict, NotFound, UpstreamUnavailable

KEY = bytes(range(32))


def the_file(folder: Path) -> Path:
    [file] = (path for path in folder.rglob("*") if path.is_file())
    return file


def test_bytes_come_back_by_their_digest(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs", KEY)

    digest = blobs.put(b"manifest")

    assert (blobs.get(digest), blobs.put(b"manifest")) == (b"manifest", digest)
    assert the_file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "blobs").stat().st_mode & 0o777 == 0o700


def test_a_full_disk_is_an_outage_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(UpstreamUnavailable, match="No space left"):
        Blobs(tmp_path, KEY).put(b"manifest")

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_secret_has_a_stable_digest_and_is_not_readable_on_disk(tmp_path: Path) -> None:
    digest = Blobs(tmp_path, KEY).put_secret(b"password: hunter2")
    again = Blobs(tmp_path, KEY)

    assert again.put_secret(b"password: hunter2") == digest
    assert again.get_secret(digest) == b"password: hunter2"
    assert b"hunter2" not in the_file(tmp_path).read_bytes()


def test_a_changed_file_is_never_returned(tmp_path: Path) -> None:
    plain, sealed = Blobs(tmp_path / "a", KEY), Blobs(tmp_path / "b", KEY)
    one, other = plain.put(b"manifest"), sealed.put_secret(b"manifest")
    for folder in ("a", "b"):
        file = the_file(tmp_path / folder)
        file.write_bytes(file.read_bytes()[:-1] + b"\x00")

    with pytest.raises(Conflict):
        plain.get(one)
    with pytest.raises(Conflict):
        sealed.get_secret(other)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    digest = Blobs(tmp_path, KEY).put_secret(b"manifest")

    with pytest.raises(Conflict):
        Blobs(tmp_path, bytes(32)).get_secret(digest)


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "sha256:../../etc/passwd", "x"])
def test_what_is_not_there_is_not_found(tmp_path: Path, digest: str) -> None:
    with pytest.raises(NotFound):
        Blobs(tmp_path, KEY).get(digest)
