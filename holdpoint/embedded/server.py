"""One server of the stack, as the supervisor sees it: how to start it, when it is ready, how it stops."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

LEASH = Path(__file__).with_name("leash.py")

Ready = Callable[[int], Awaitable[bool]]
"""Tells whether the server that runs as this process answers."""


@dataclass(frozen=True)
class Server:
    """A server: `after` names those that must be ready before it is started; `grace` is in seconds."""

    name: str
    command: Sequence[str]
    ready: Ready
    after: tuple[str, ...] = ()
    grace: float = 10.0
    environment: Mapping[str, str] = field(default_factory=dict)


def http_ready(url: str) -> Ready:
    """Return a check that a GET answers with 200."""

    async def ready(_: int) -> bool:
        try:
            async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
                return (await client.get(url)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    return ready


def python(module: str, *arguments: str) -> list[str]:
    """Return the command of one of our own processes; no file of the current folder can stand in for it."""
    return [sys.executable, "-P", "-m", module, *arguments]


def clean_environment() -> dict[str, str]:
    """Return our environment without what is meant for the command line: a server reads its settings."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("HOLDPOINT_", "TEMPORAL_"))
    }


async def spawn(server: Server, log: Path) -> asyncio.subprocess.Process:
    """Start the server on a leash, in a process group of its own, with its output in `log`."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(LEASH),
            str(os.getpid()),
            *server.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=clean_environment() | dict(server.environment),
            process_group=0,  # Ctrl-C reaches the supervisor only, which stops the servers in order
        )
    finally:
        os.close(descriptor)


async def end(process: asyncio.subprocess.Process, grace: float) -> None:
    """Ask the process to stop, wait `grace` seconds, then kill it."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), timeout=grace)
    except TimeoutError:
        process.kill()
        await process.wait()
