"""One run of a stack: locked, announced only while all is ready, ended by a signal, and nothing stays."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdpoint.embedded.folder import DataFolder, open_folder
from holdpoint.embedded.lock import StackLock, command_line
from holdpoint.embedded.server import Server
from holdpoint.embedded.supervised import STOPPING, supervised
from holdpoint.embedded.supervisor import Supervisor
from holdpoint.models.errors import Conflict, UpstreamUnavailable


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


@pytest.fixture(autouse=True)
async def process_as_it_was() -> AsyncIterator[None]:
    """Give the tests' process its file mode and its signals back, which a run takes."""
    before = os.umask(0o022)
    yield
    os.umask(before)
    for number in STOPPING:
        asyncio.get_running_loop().remove_signal_handler(number)


class OneRun:
    """A run of one server that ends itself by a signal as soon as all is ready."""

    def __init__(self, folder: DataFolder, program: str) -> None:
        self.folder, self.ready_file = folder, folder.run / "addresses.json"
        self.server = Server("web", [sys.executable, "-c", program], self._ready)
        self.lines: list[str] = []
        self.seen: list[int] = []

    async def _ready(self, _: int) -> bool:
        return True

    def _announce(self) -> None:
        self.ready_file.write_text("{}")
        servers = json.loads((self.folder.run / "pids.json").read_text())["servers"]
        self.seen = [servers["web"]["pid"], StackLock(self.folder.run).holder() or 0]
        os.kill(os.getpid(), signal.SIGTERM)

    async def run(self) -> None:
        lock = StackLock(self.folder.run)
        async with supervised(self.folder, lock, self.ready_file, self.lines.append) as run:
            await run.serve(
                Supervisor(self.folder, [self.server], self.lines.append),
                when_ready={},
                announce=self._announce,
                stop_order=[["web"]],
            )


async def test_a_signal_ends_it_and_nothing_stays(folder: DataFolder) -> None:
    one = OneRun(folder, "import signal; signal.pause()")

    await one.run()

    process, holder = one.seen
    assert holder == os.getpid()
    assert command_line(process) == ""
    assert one.lines[-2:] == ["stopping", "stopped; nothing is left running"]
    assert not one.ready_file.exists()
    assert not (folder.run / "pids.json").exists()
    assert StackLock(folder.run).holder() is None


async def test_a_signal_before_all_is_ready_ends_the_work_of_that_moment(folder: DataFolder) -> None:
    lines: list[str] = []

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    async with supervised(folder, StackLock(folder.run), folder.run / "addresses.json", lines.append) as run:
        await run.unless_stopped(work())

    assert lines == ["stopped; nothing is left running"]


async def test_a_server_that_does_not_start_ends_it_with_the_reason(folder: DataFolder) -> None:
    one = OneRun(folder, "raise SystemExit('cannot')")

    async def never(_: int) -> bool:
        return False

    one.server = Server("web", one.server.command, never)

    with pytest.raises(UpstreamUnavailable, match="web does not start"):
        await one.run()

    assert StackLock(folder.run).holder() is None
    assert not (folder.run / "pids.json").exists()


async def test_one_run_at_a_time(folder: DataFolder) -> None:
    held = StackLock(folder.run)
    held.take()
    (folder.run / "pids.json").write_text("of the run that holds the lock")

    with pytest.raises(Conflict):
        await OneRun(folder, "").run()

    assert (folder.run / "pids.json").read_text() == "of the run that holds the lock"
    held.release()
