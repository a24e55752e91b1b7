import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdpoint.embedded import ports
from holdpoint.embedded.folder import DataFolder, open_folder
from holdpoint.embedded.lock import command_line
from holdpoint.embedded.server import Server, http_ready
from holdpoint.embedded.supervisor import Supervisor
from holdpoint.models.errors import UpstreamUnavailable

WEB = "import http.server,sys; http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]))"


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
async def web(folder: DataFolder, lines: list[str]) -> AsyncIterator[Supervisor]:
    """A supervisor of one small web server, started."""
    port = ports.choose(["web"], {})["web"]
    command = [sys.executable, "-c", WEB, str(port)]
    server = Server(name="web", command=command, ready=http_ready(f"http://127.0.0.1:{port}/"))
    supervisor = Supervisor(folder, [server], lines.append)
    await supervisor.start({})
    yield supervisor
    await supervisor.stop(["web"])


def _state(folder: DataFolder) -> dict[str, object]:
    servers = json.loads((folder.run / "pids.json").read_text())["servers"]
    found: dict[str, object] = servers["web"]
    return found


async def _until_restarted(folder: DataFolder, times: int) -> dict[str, object]:
    async with asyncio.timeout(20):
        while True:
            state = _state(folder)
            if state["restarts"] == times and state["state"] == "ready":
                return state
            # The supervisor tells of a restart by its state file only.
            await asyncio.sleep(0.02)


async def test_a_server_that_is_killed_is_started_again(
    web: Supervisor, folder: DataFolder, lines: list[str]
) -> None:
    first = _state(folder)["pid"]
    assert isinstance(first, int)

    os.kill(first, signal.SIGKILL)

    assert (await _until_restarted(folder, 1))["pid"] != first
    assert any("web died (signal 9)" in line for line in lines)


async def test_stopping_leaves_no_process(web: Supervisor, folder: DataFolder) -> None:
    process = _state(folder)["pid"]
    assert isinstance(process, int)

    await web.stop(["web"])

    assert command_line(process) == ""
    assert _state(folder)["state"] == "stopped"


async def test_a_server_that_cannot_start_ends_up_with_its_log(folder: DataFolder) -> None:
    async def never(_: int) -> bool:
        return False

    command = [sys.executable, "-c", "raise SystemExit('no such setting')"]
    supervisor = Supervisor(folder, [Server(name="web", command=command, ready=never)], lambda _: None)

    with pytest.raises(UpstreamUnavailable) as refused:
        await supervisor.start({})

    assert "no such setting" in refused.value.message
    await supervisor.stop(["web"])


async def test_when_ready_is_done_before_the_next_server_starts(
    folder: DataFolder,
) -> None:
    happened: list[str] = []

    async def prepared() -> None:
        happened.append("prepared")

    async def ready(_: int) -> bool:
        return True

    async def second_ready(_: int) -> bool:
        happened.append("second")
        return True

    sleep = [sys.executable, "-c", "import signal; signal.pause()"]
    servers = [
        Server(name="second", command=sleep, ready=second_ready, after=("first",)),
        Server(name="first", command=sleep, ready=ready),
    ]
    supervisor = Supervisor(folder, servers, lambda _: None)

    await supervisor.start({"first": prepared})

    assert happened == ["prepared", "second"]
    await supervisor.stop(["second"], ["first"])


SUPERVISE = """
import asyncio, sys
from pathlib import Path
from holdpoint.embedded.folder import open_folder
from holdpoint.embedded.server import Server
from holdpoint.embedded.supervisor import Supervisor

async def ready(pid):
    print(pid, flush=True)
    return True

async def main():
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    server = Server(name="child", command=command, ready=ready)
    await Supervisor(open_folder(Path(sys.argv[1])), [server], lambda _: None).start({})
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_no_server_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(tmp_path / "data")], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline())
    descriptor = os.pidfd_open(child)

    supervisor.kill()
    supervisor.communicate()

    signal_gone = asyncio.run(_gone(descriptor))
    os.close(descriptor)
    assert signal_gone


async def _gone(descriptor: int) -> bool:
    """Tell whether the process behind a pidfd ended within five seconds."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), 5)
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True
