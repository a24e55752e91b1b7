"""What all tests share: in CI a skipped test is a failure, so that nothing is silently left out."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.real.installation import Installation

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note every test that was skipped; what a run does not have is deselected by marker instead."""
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run in CI when a test was skipped."""
    if _skipped and os.environ.get("CI") and not hasattr(session.config, "workerinput"):
        sys.stderr.write("\n  ".join(["\nSkipped tests are not allowed in CI:", *_skipped]) + "\n")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


LONGEST = ("faults", "e2e", "worker", "replay", "activities", "workflows")
"""Rooms with long files. They begin first: one that is begun last keeps all but one process idle."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share a run, put long files first; `--no-loadscope-reorder` leaves it so."""
    if hasattr(config, "workerinput"):
        rooms = [f"tests/{room}/" for room in LONGEST]
        items.sort(
            key=lambda item: next((n for n, room in enumerate(rooms) if item.nodeid.startswith(room)), 99)
        )


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a real stack that is up: HOLDPOINT_REAL, or one of this session's own.

    Where several processes share a run, each has its stack in a folder there that is named as the process.
    """
    if given := os.environ.get("HOLDPOINT_REAL"):
        folder = Path(given) / os.environ.get("PYTEST_XDIST_WORKER", "")
        assert json.loads((folder / "stack.json").read_text())["pid"]
        yield folder
        return
    folder = tmp_path_factory.mktemp("stack")
    command = [sys.executable, "-m", "tools.stack"]
    subprocess.run([*command, "up", "--dir", str(folder)], check=True, stdout=subprocess.DEVNULL)
    yield folder
    subprocess.run([*command, "down", "--dir", str(folder)], check=True)


@pytest.fixture(scope="session")
def real_stack(stack_folder: Path) -> dict[str, Any]:
    """Where the real servers are, and the files with their credentials: `stack.json`."""
    found: dict[str, Any] = json.loads((stack_folder / "stack.json").read_text())
    return found


@pytest.fixture(scope="session")
def installation(stack_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Installation"]:
    """Holdpoint on the real stack, as production runs it; the session has one."""
    from tests.real.installation import installed

    with installed(tmp_path_factory.mktemp("installation"), stack_folder) as made:
        yield made
