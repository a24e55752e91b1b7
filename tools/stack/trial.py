"""`make test-real`: start stacks of its own, run the tests that need them, stop them; each with its time."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from holdpoint.embedded.go_build import Say
from tools.stack import detached, selection

SELECTED = ("-q", "-m", "real")
SHARED = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
"""Most of these tests wait, so two processes share a whole run. A fault strikes one stack only."""


def run(arguments: Sequence[str], say: Say) -> int:
    """Return pytest's exit code; the stacks' folders are kept where a test failed."""
    folder = Path(tempfile.mkdtemp(prefix="holdpoint-real-"))
    stacks = [folder] if arguments else [folder / "gw0", folder / "gw1"]
    code = 1
    try:
        with _timed("the servers came up", say):
            for stack in stacks:
                detached.up(stack, selection.chosen(()), _quiet)
        with _timed("the tests ran", say):
            code = _tests(folder, arguments or SHARED)
    finally:
        with _timed("the servers were stopped", say):
            for stack in stacks:
                detached.down(stack, _quiet)
        if code == 0:
            shutil.rmtree(folder)
        else:
            say(f"the servers' logs are in {' and '.join(str(stack / 'logs') for stack in stacks)}")
    return code


def _tests(folder: Path, arguments: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", *SELECTED, *arguments]
    environment = os.environ | {"HOLDPOINT_REAL": str(folder)}
    return subprocess.run(command, env=environment, cwd=detached.CHECKOUT, check=False).returncode  # noqa: S603 - our own tests


@contextmanager
def _timed(what: str, say: Say) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"test-real: {what} in {time.monotonic() - began:.0f} s")


def _quiet(_: str) -> None:
    """Say nothing: what goes wrong is in the error."""
