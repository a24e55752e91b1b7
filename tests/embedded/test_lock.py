import json
import subprocess
import sys
from pathlib import Path

import pytest

from holdpoint.embedded.lock import StackLock, command_line, end_leftovers
from holdpoint.models.errors import Conflict

HOLD = """
import sys
from pathlib import Path
from holdpoint.embedded.lock import StackLock
StackLock(Path(sys.argv[1])).take()
print("held", flush=True)
sys.stdin.read()
"""


def _holder(run: Path) -> "subprocess.Popen[str]":
    """Start a process that holds the lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def _kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_a_second_stack_is_told_that_one_is_up(tmp_path: Path) -> None:
    process = _holder(tmp_path)

    with pytest.raises(Conflict) as refused:
        StackLock(tmp_path).take()

    assert f"process {process.pid}" in refused.value.message
    assert "holdpoint down" in refused.value.message
    _kill(process)


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    process = _holder(tmp_path)
    _kill(process)
    lock = StackLock(tmp_path)

    assert lock.holder() is None
    lock.take()
    lock.release()


def test_a_leftover_that_names_the_folder_is_ended(tmp_path: Path) -> None:
    left = subprocess.Popen(
        [sys.executable, "-c", "print('up', flush=True); input()", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert left.stdout is not None
    left.stdout.readline()
    pids = tmp_path / "pids.json"
    pids.write_text(json.dumps({"servers": {"sandbox": {"pid": left.pid}}}))

    ended = end_leftovers(pids, tmp_path)

    assert ended == ["sandbox"]
    left.communicate()
    assert left.returncode == -9


def test_a_process_id_that_is_another_program_now_is_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    pids = tmp_path / "pids.json"
    pids.write_text(json.dumps({"servers": {"sandbox": {"pid": other.pid}, "api": {"pid": None}}}))

    assert end_leftovers(pids, tmp_path) == []
    assert other.poll() is None
    other.communicate(b"\n")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"servers": []}', '{"servers": {"api": 1}}'])
def test_a_damaged_record_of_processes_is_no_obstacle(tmp_path: Path, text: str) -> None:
    (tmp_path / "pids.json").write_text(text)

    assert end_leftovers(tmp_path / "pids.json", tmp_path) == []


def test_a_process_that_is_gone_has_no_command_line() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    assert command_line(gone.pid) == ""
