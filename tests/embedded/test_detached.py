"""A supervisor that nobody waits for: it is ready, or why it is not, and nothing stays when it is stopped."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdpoint.embedded.detached import Detached
from holdpoint.embedded.folder import DataFolder, open_folder
from holdpoint.embedded.lock import StackLock, command_line
from holdpoint.models.errors import Conflict, HoldpointError, PolicyBundle, SettingsError, UpstreamUnavailable

# The supervisor outlives the object that started it: that is what detached means.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

BEGIN = """
import fcntl, json, os, pathlib, signal, sys, threading
run = pathlib.Path(sys.argv[1]) / "run"
print("line of the log", flush=True)
def ready():
    lock = os.open(run / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(lock, str(os.getpid()).encode())
    (run / "addresses.json").write_text(json.dumps({"pid": os.getpid(), "api": "there"}))
"""
READY = BEGIN + "ready()\nsignal.pause()"
STUBBORN = BEGIN + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nready()\nwhile True: signal.pause()"
SILENT = BEGIN + "signal.pause()"
DEAD = BEGIN + "sys.exit('no word but this')"
REFUSES = BEGIN + (
    "told = {'code': sys.argv[2], 'message': 'why not'}\n"
    "(run / 'failure.json').write_text(json.dumps(told))\nsys.exit(2)"
)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


def detached(folder: DataFolder, *, ready_seconds: float = 30, down_seconds: float = 30) -> Detached:
    lock = StackLock(folder.run, down="command --data")
    return Detached(folder, lock, folder.run / "addresses.json", ready_seconds, down_seconds)


def start(stack: Detached, program: str, *arguments: str, lines: list[str] | None = None) -> int:
    """Start a program as the supervisor; return its process ID."""
    command = [sys.executable, "-c", program, str(stack.folder.root), *arguments]
    found = stack.start(command, quiet if lines is None else lines.append, environment=os.environ)
    assert found["api"] == "there"
    return int(found["pid"])


def quiet(_: str) -> None:
    pass


def test_its_addresses_are_returned_once_it_is_ready_and_its_log_is_passed_on(folder: DataFolder) -> None:
    stack, lines = detached(folder), list[str]()
    (folder.run / "addresses.json").write_text('{"pid": 1, "api": "of an earlier stack"}')

    process = start(stack, READY, lines=lines)

    assert lines == ["line of the log"]
    assert stack.stop(lines.append)
    assert f"process {process}" in lines[-1]
    assert command_line(process) == ""


def test_a_second_one_is_told_of_the_first_and_how_to_stop_it(folder: DataFolder) -> None:
    stack = detached(folder)
    process = start(stack, READY)

    with pytest.raises(Conflict, match=rf"process {process}\)\. Stop it: command --data {folder.root}"):
        start(stack, READY)

    stack.stop(quiet)
    assert command_line(process) == ""


@pytest.mark.parametrize("kind", [SettingsError, Conflict, PolicyBundle, UpstreamUnavailable])
def test_the_error_that_ended_it_is_raised_again(folder: DataFolder, kind: type[HoldpointError]) -> None:
    with pytest.raises(kind, match=r"^why not$"):
        start(detached(folder), REFUSES, kind.code)


def test_one_that_ends_without_a_word_is_shown_with_the_end_of_its_log(folder: DataFolder) -> None:
    (folder.run / "failure.json").write_text('{"code": "settings", "message": "of an earlier start"}')

    with pytest.raises(UpstreamUnavailable, match=r"up\.log:\nline of the log\nno word but this"):
        start(detached(folder), DEAD)


def test_one_that_is_not_ready_in_time_is_ended(folder: DataFolder) -> None:
    with pytest.raises(UpstreamUnavailable, match="not ready after 0 s"):
        start(detached(folder, ready_seconds=0.2), SILENT)

    running = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
    assert not [one for one in running if str(folder.root) in command_line(one)]


def test_one_that_does_not_stop_is_killed(folder: DataFolder) -> None:
    stack = detached(folder, down_seconds=0.2)
    process = start(stack, STUBBORN)

    assert stack.stop(quiet)

    assert command_line(process) == ""


def test_what_a_killed_one_left_is_ended(folder: DataFolder) -> None:
    stack = detached(folder)
    program = "import signal; print('up', flush=True); signal.pause()"
    server = subprocess.Popen([sys.executable, "-c", program, str(folder.root)], stdout=subprocess.PIPE)
    assert server.stdout is not None
    server.stdout.readline()
    (folder.run / "pids.json").write_text(json.dumps({"servers": {"api": {"pid": server.pid}}}))
    (folder.run / "addresses.json").write_text("{}")

    assert stack.stop(quiet)

    server.communicate()
    assert server.returncode == -signal.SIGKILL
    assert not stack.ready.exists()
    assert not stack.stop(quiet)


def test_a_folder_without_a_stack_has_none_to_stop(tmp_path: Path) -> None:
    assert not detached(DataFolder(tmp_path)).stop(quiet)
