"""Which OPA is taken: the named one, one on the path, a cached one, and only then a build."""

import re
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdpoint.embedded import go_build, opa
from holdpoint.embedded.opa import cache_folder, find_opa, module_folder, usable, version_of
from holdpoint.models.errors import SettingsError


class Shown(list[str]):
    """What a person was shown."""


def a_binary(file: Path, version: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho 'Version: {version}'\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


@pytest.fixture
def no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(target: Path, say: object) -> None:
        raise AssertionError("it built one")

    monkeypatch.setattr(opa, "_build", refuse)


@pytest.fixture
def fake_build(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    built: list[Path] = []

    def build(target: Path, say: object) -> None:
        built.append(a_binary(target, opa.VERSION))

    monkeypatch.setattr(opa, "_build", build)
    return built


@pytest.mark.usefixtures("no_build")
def test_named_binary_is_taken_before_all_others(tmp_path: Path) -> None:
    named = a_binary(tmp_path / "named" / "opa", "1.22.0")
    a_binary(tmp_path / "bin" / "opa", "1.20.0")

    found = find_opa(named=named, search_path=str(tmp_path / "bin"), cache=tmp_path, say=print)

    assert found == named


@pytest.mark.parametrize("version", ["0.70.0", "1.3.9", "2.0.0"])
@pytest.mark.usefixtures("no_build")
def test_named_binary_of_a_wrong_version_is_an_error_with_a_way_out(tmp_path: Path, version: str) -> None:
    named = a_binary(tmp_path / "opa", version)

    with pytest.raises(SettingsError, match=r"HOLDPOINT_OPA.*1\.4 or later"):
        find_opa(named=named, search_path="", cache=tmp_path, say=print)


@pytest.mark.usefixtures("no_build")
def test_named_file_that_is_no_opa_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")

    for named in (tmp_path / "text", tmp_path / "absent", tmp_path):
        with pytest.raises(SettingsError, match="not an OPA that runs"):
            find_opa(named=named, search_path="", cache=tmp_path, say=print)


@pytest.mark.usefixtures("no_build")
def test_usable_opa_on_the_path_is_taken(tmp_path: Path) -> None:
    on_path = a_binary(tmp_path / "bin" / "opa", "1.4.2")

    found = find_opa(named=None, search_path=str(tmp_path / "bin"), cache=tmp_path / "c", say=print)

    assert found == on_path


def test_old_opa_on_the_path_is_passed_over_and_said(tmp_path: Path, fake_build: list[Path]) -> None:
    a_binary(tmp_path / "bin" / "opa", "0.61.0")
    shown = Shown()

    found = find_opa(named=None, search_path=str(tmp_path / "bin"), cache=tmp_path / "c", say=shown.append)

    assert [found] == fake_build
    assert "0.61.0" in shown[0]


def test_built_one_is_kept_for_the_next_time(tmp_path: Path, fake_build: list[Path]) -> None:
    first = find_opa(named=None, search_path="", cache=tmp_path / "c", say=print)
    second = find_opa(named=None, search_path="", cache=tmp_path / "c", say=print)

    assert first == second
    assert len(fake_build) == 1


def test_many_at_once_build_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Path] = []
    others_wait = threading.Event()
    shown: list[str] = []

    def build(target: Path, say: object) -> None:
        assert others_wait.wait(10)
        built.append(a_binary(target, opa.VERSION))

    def say(line: str) -> None:
        shown.append(line)
        others_wait.set()

    monkeypatch.setattr(opa, "_build", build)
    with ThreadPoolExecutor(2) as threads:
        asked = [
            threads.submit(find_opa, named=None, search_path="", cache=tmp_path / "c", say=say)
            for _ in range(2)
        ]

    assert {done.result() for done in asked} == set(built)
    assert len(built) == 1
    assert "waiting" in shown[0]


def test_damaged_cache_is_built_again(tmp_path: Path, fake_build: list[Path]) -> None:
    found = find_opa(named=None, search_path="", cache=tmp_path / "c", say=print)
    found.write_bytes(b"\x7fELF half a file")

    assert find_opa(named=None, search_path="", cache=tmp_path / "c", say=print) == found
    assert len(fake_build) == 2


def test_cache_that_cannot_be_written_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="HOLDPOINT_OPA"):
        find_opa(named=None, search_path="", cache=tmp_path / "file" / "cache", say=print)


def test_failed_build_is_an_error_with_the_compilers_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "module"
    broken.mkdir()
    (broken / "go.mod").write_text("module broken\n\ngo 1.26\n")
    monkeypatch.setattr(opa, "module_folder", lambda: broken)

    with pytest.raises(SettingsError, match=r"HOLDPOINT_OPA.*cannot find module"):
        find_opa(named=None, search_path="", cache=tmp_path / "c", say=print)

    assert not list((tmp_path / "c").glob("opa-build-*"))


def test_progress_that_is_interrupted_ends_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = tmp_path / "go" / "bin" / "go"
    sleeper.parent.mkdir(parents=True)
    sleeper.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(go_build, "toolchain", lambda program: sleeper)
    monkeypatch.setattr(go_build, "SHOW_EVERY", 0.2)
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if len(lines) > 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        find_opa(named=None, search_path="", cache=tmp_path / "c", say=say)

    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_CACHE_HOME": "/srv/cache", "HOME": "/home/a"}, "/srv/cache/holdpoint"),
        ({"HOME": "/home/a"}, "/home/a/.cache/holdpoint"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/a"}, "/home/a/.cache/holdpoint"),
    ],
)
def test_cache_is_where_xdg_has_it(environment: dict[str, str], expected: str) -> None:
    assert cache_folder(environment) == Path(expected)


def test_module_and_code_pin_the_same_version() -> None:
    pinned = re.search(rf"{opa.PACKAGE} v(\S+)", (module_folder() / "go.mod").read_text())

    assert pinned is not None
    assert pinned[1] == opa.VERSION
    assert (module_folder() / "go.sum").exists()


def test_what_does_not_answer_has_no_version(tmp_path: Path) -> None:
    assert version_of(tmp_path / "absent") is None
    assert not usable(None)
