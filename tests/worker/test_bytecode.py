"""The workflows' modules are compiled once, and each import has module globals of its own."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worker import bytecode


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with a module that keeps a list."""
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "compiled_once"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "module.py").write_text("SEEN = []\n\n\ndef words():\n    return 'first'\n")
    yield folder
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "compiled_once"]:
        del sys.modules[name]


def _imported_anew() -> Any:
    _forget()
    return importlib.import_module("compiled_once.module")


def test_module_imported_again_has_the_same_code_and_globals_of_its_own(package: Path) -> None:
    with bytecode.kept("compiled_once"):
        one = _imported_anew()
        other = _imported_anew()

    assert one.words.__code__ is other.words.__code__
    assert one.SEEN is not other.SEEN
    assert one.words() == "first"


def test_file_that_is_replaced_meanwhile_does_not_change_what_runs(package: Path) -> None:
    with bytecode.kept("compiled_once"):
        _imported_anew()
        (package / "module.py").write_text("def words():\n    return 'replaced'\n")
        kept = _imported_anew()
    fresh = _imported_anew()

    assert kept.words() == "first"
    assert fresh.words() == "replaced"


def test_module_that_is_not_there_is_an_import_error_as_ever(package: Path) -> None:
    with bytecode.kept("compiled_once"), pytest.raises(ModuleNotFoundError, match="absent"):
        importlib.import_module("compiled_once.absent")


def test_modules_of_others_are_left_to_python(package: Path) -> None:
    before = list(sys.meta_path)

    with bytecode.kept("compiled"):
        module = _imported_anew()

    assert type(module.__spec__.loader).__module__ != bytecode.__name__
    assert sys.meta_path == before
