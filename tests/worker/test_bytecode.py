"""The workflows' modules are compiled once, whatever the environment says about files beside the sources."""

import importlib
import sys
import tempfile
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from worker import bytecode


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that was never compiled, where Python must write nothing beside it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    source = tmp_path / "compiled_once.py"
    source.write_text("VALUE = 1\n")
    return source


def test_module_is_compiled_into_a_folder_of_the_process_which_goes_with_it(module: Path) -> None:
    with bytecode.kept(str(module)):
        importlib.import_module(module.stem)
        compiled = Path(cache_from_source(str(module)))
        assert compiled.exists()

    assert not compiled.exists()
    assert list(module.parent.iterdir()) == [module]
    assert sys.dont_write_bytecode


def test_what_is_compiled_beside_its_source_stays_in_use(module: Path) -> None:
    beside = Path(cache_from_source(str(module)))
    beside.parent.mkdir()
    beside.touch()

    with bytecode.kept(str(module)):
        assert Path(cache_from_source(str(module))) == beside


def test_without_a_folder_for_temporary_files_nothing_is_kept(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))

    with bytecode.kept(str(module)):
        assert sys.dont_write_bytecode
