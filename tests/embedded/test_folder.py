import stat
from pathlib import Path

import pytest

from holdpoint.embedded.folder import open_folder
from holdpoint.models.errors import SettingsError


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_closed_to_others(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "new")

    assert {_mode(path) for path in (folder.root, folder.keys, folder.logs, folder.run)} == {0o700}


def test_a_folder_that_others_can_read_is_refused_with_the_way_out(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)

    with pytest.raises(SettingsError) as refused:
        open_folder(open_to_all)

    assert f"chmod 0700 {open_to_all}" in refused.value.message


def test_a_key_that_others_can_read_is_refused_with_the_way_out(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "data")
    key = folder.keys / "ledger.key"
    key.write_bytes(b"secret")
    key.chmod(0o640)

    with pytest.raises(SettingsError) as refused:
        open_folder(folder.root)

    assert f"chmod 0600 {key}" in refused.value.message


def test_a_public_key_may_be_read_by_others(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "data")
    (folder.keys / "ledger.pub").write_bytes(b"public")
    (folder.keys / "ledger.pub").chmod(0o644)

    assert open_folder(folder.root).root == folder.root


def test_a_file_in_the_way_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    with pytest.raises(SettingsError):
        open_folder(tmp_path / "data")
