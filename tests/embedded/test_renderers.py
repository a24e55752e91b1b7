"""The embedded stack finds the renderers that are named or were built, and builds none unasked."""

from pathlib import Path

import pytest

from holdpoint.embedded import build, renderers
from holdpoint.embedded.go_build import Program, Say
from holdpoint.embedded.renderers import PINNED, named_renderers


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("program")
    return path


def test_what_the_caller_names_wins_over_what_was_built(tmp_path: Path) -> None:
    built = [put(pinned.built(tmp_path / "holdpoint")) for pinned in PINNED.values()]
    environment = {"XDG_CACHE_HOME": str(tmp_path), "HOLDPOINT_HELM": "/opt/helm"}

    assert named_renderers(environment) == {
        "HOLDPOINT_KUSTOMIZE": str(built[0]),
        "HOLDPOINT_HELM": "/opt/helm",
    }


def test_without_either_it_is_left_to_the_search_path(tmp_path: Path) -> None:
    assert named_renderers({"XDG_CACHE_HOME": str(tmp_path)}) == {}


@pytest.mark.parametrize("name", PINNED)
def test_module_pins_a_version_that_the_renderers_take(name: str) -> None:
    pinned = PINNED[name]

    assert pinned.version.split(".")[0] == str(pinned.renderer.major)
    assert (pinned.module / "go.sum").exists()


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A toolchain that makes what it is asked for, and the packages that it was asked for."""
    asked: list[str] = []

    def compile_program(program: Program, target: Path, cache: Path, say: Say) -> str:
        asked.append(program.package)
        target.write_text("program")
        return ""

    monkeypatch.setattr(renderers, "compile_program", compile_program)
    monkeypatch.setattr(build, "find_from", lambda environment, say: Path("opa"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return asked


def test_renderers_are_built_once_where_they_are_asked_for(compiling: list[str], tmp_path: Path) -> None:
    codes = [build.main(), build.main(["helm"]), build.main(["helm"])]

    assert codes == [0, 0, 0]
    assert compiling == ["helm.sh/helm/v4/cmd/helm"]
    assert list(named_renderers({"XDG_CACHE_HOME": str(tmp_path)})) == ["HOLDPOINT_HELM"]


def test_failed_build_says_what_to_do(
    compiling: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(renderers, "compile_program", lambda *asked: "no network")

    assert build.main(["kustomize"]) == 2
    said = capsys.readouterr().err
    assert "Set `kustomize` (HOLDPOINT_KUSTOMIZE)" in said
    assert "no network" in said


def test_unknown_program_is_an_error(compiling: list[str]) -> None:
    assert build.main(["terraform"]) == 2
