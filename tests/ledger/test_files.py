"""A file is whole or not there."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from holdpoint.ledger.files import replace, write_new


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    write_new(tmp_path / "key", b"first")
    write_new(tmp_path / "key", b"second")

    assert (tmp_path / "key").read_bytes() == b"first"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["key"]


def test_what_is_replaced_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("old")

    replace(tmp_path / "settings.yaml", b"new")

    assert (tmp_path / "settings.yaml").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["settings.yaml"]


@pytest.mark.parametrize("write", [write_new, replace])
def test_a_disk_that_is_full_leaves_no_part_of_a_file(
    write: Callable[[Path, bytes], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "blob.key", b"32 bytes of a key")

    assert os.listdir(tmp_path) == []


def test_of_many_that_write_a_new_file_at_once_one_wins_and_all_see_it_whole(tmp_path: Path) -> None:
    start, seen = threading.Barrier(8), []

    def write(number: int) -> None:
        start.wait()
        write_new(tmp_path / "key", str(number).encode() * 10_000)
        seen.append((tmp_path / "key").read_bytes())

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(seen)) == 1
    assert len(seen[0]) == 10_000
