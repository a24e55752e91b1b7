"""What is built and when: each pin has a folder of its own, one process builds, nothing half-built stays."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdpoint.embedded import go_build
from holdpoint.models.errors import SettingsError
from tools.stack import build as building
from tools.stack import parts
from tools.stack.build import build, missing
from tools.stack.parts import PARTS, Part

MOD = "module a.example/tools\n\ngo 1.26\n\nrequire b.example/server v1.2.3\n"


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    """A part whose pins can be changed."""
    monkeypatch.setattr(parts, "TOOLS", tmp_path / "tools")
    pins = tmp_path / "tools" / "server"
    pins.mkdir(parents=True)
    (pins / "go.mod").write_text(MOD)
    (pins / "go.sum").write_text("b.example/server v1.2.3 h1:a=\n")
    return Part("server", "b.example/server", {"server": "b.example/server/cmd"})


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was compiled, in place of a compiler."""
    names: list[str] = []

    def compile_program(program: go_build.Program, target: Path, cache: Path, say: go_build.Say) -> str:
        names.append(program.name)
        target.write_text("a program")
        return ""

    monkeypatch.setattr(building, "compile_program", compile_program)
    return names


def ignore(_: str) -> None:
    pass


def test_what_is_there_is_not_built_again(part: Part, compiled: list[str], tmp_path: Path) -> None:
    build([part], tmp_path, ignore)
    build([part], tmp_path, ignore)

    assert compiled == ["server"]
    assert missing([part], tmp_path) == []


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("go.mod", MOD.replace("v1.2.3", "v1.2.4")),
        ("go.mod", MOD + "\nreplace c.example/x => c.example/y v1.0.0\n"),
        ("go.sum", "b.example/server v1.2.3 h1:b=\n"),
    ],
    ids=["version", "replacement", "checksum"],
)
def test_changed_pin_is_built_anew_beside_the_old(
    part: Part, compiled: list[str], tmp_path: Path, file: str, content: str
) -> None:
    build([part], tmp_path, ignore)
    before = part.folder(tmp_path)

    (part.pins / file).write_text(content)
    build([part], tmp_path, ignore)

    assert compiled == ["server", "server"]
    assert part.folder(tmp_path) != before
    assert before.is_dir()


def test_other_toolchain_is_another_build(
    part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = part.folder(tmp_path)

    monkeypatch.setattr(parts, "installed", lambda _: "9.9.9")

    assert part.folder(tmp_path) != before


def test_two_at_once_build_it_once(part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other_waits = threading.Event()
    built: list[Path] = []

    def compile_program(program: go_build.Program, target: Path, cache: Path, say: go_build.Say) -> str:
        assert other_waits.wait(10)
        built.append(target)
        target.write_text("a program")
        return ""

    def say(line: str) -> None:
        if "waiting" in line:
            other_waits.set()

    monkeypatch.setattr(building, "compile_program", compile_program)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(build, [part], tmp_path, say) for _ in range(2)]:
            done.result()

    assert len(built) == 1


def test_failed_build_says_what_the_toolchain_said_and_leaves_nothing(
    part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_program(program: go_build.Program, target: Path, cache: Path, say: go_build.Say) -> str:
        return "b.example/server: no such host"

    monkeypatch.setattr(building, "compile_program", compile_program)

    with pytest.raises(SettingsError, match=r"server could not be built.*GOPROXY.*no such host"):
        build([part], tmp_path, ignore)

    assert missing([part], tmp_path) == ["server"]
    assert not list(tmp_path.glob("server-build-*"))


def test_module_that_go_refuses_is_an_error_with_its_words(part: Part, tmp_path: Path) -> None:
    (part.pins / "go.mod").write_text("module a\n\ngo 1.26\n\nrequire b.example/server v1.2.3\n\nnonsense\n")

    with pytest.raises(SettingsError, match=r"unknown directive: nonsense"):
        build([part], tmp_path, ignore)


def test_program_that_is_not_built_is_an_error_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with pytest.raises(SettingsError, match=r"etcd is not built.*python -m tools\.stack build"):
        parts.binary("etcd")
    with pytest.raises(SettingsError, match=r"has a program .nothing."):
        parts.binary("nothing")
    with pytest.raises(SettingsError, match=r"Unknown part: 'nothing'.*kubernetes"):
        parts.named("nothing")


@pytest.mark.parametrize("part", PARTS, ids=[part.name for part in PARTS])
def test_every_part_is_pinned_with_checksums(part: Part) -> None:
    assert part.version.startswith("v")
    assert f"{part.module} {part.version} h1:" in (part.pins / "go.sum").read_text()
    for package in part.programs.values():
        assert package in (part.pins / "tools.go").read_text()
