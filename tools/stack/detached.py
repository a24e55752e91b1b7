"""The stack as the commands see it: started in a session of its own, stopped, and nothing left behind."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdpoint.embedded.detached import Detached
from holdpoint.embedded.folder import DataFolder, folder_at
from holdpoint.embedded.go_build import Say
from holdpoint.embedded.lock import StackLock

CHECKOUT = Path(__file__).parents[2]
READY_SECONDS = 180.0
"""All parts are ready in 20 s on two idle cores; a loaded machine takes longer."""
DOWN_SECONDS = 60.0
"""Longest wait for a stack to stop by itself: each server has 10 s, in at most five groups."""


def folder_of(directory: Path) -> DataFolder:
    """Return the folder of a stack, made 0700 if it was not there."""
    folder = folder_at(directory)
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in (folder.run, folder.logs):
        path.mkdir(mode=0o700, exist_ok=True)
    return folder


def ready_file(folder: DataFolder) -> Path:
    """Return the file that says where a stack's servers are; it is there only while all are ready."""
    return folder.root / "stack.json"


def lock_of(folder: DataFolder) -> StackLock:
    """Return the lock that the stack's supervisor holds."""
    return StackLock(folder.run, down="python -m tools.stack down --dir")


def up(directory: Path, names: Sequence[str], say: Say) -> dict[str, Any]:
    """Start the stack and return its `stack.json`. Raises Conflict when it is up, and why it is not ready."""
    folder = folder_of(directory)
    command = [
        sys.executable,
        "-m",
        "tools.stack",
        "run",
        "--dir",
        str(folder.root),
        f"--only={','.join(names)}",
    ]
    return _detached(folder).start(command, say, environment=os.environ, cwd=CHECKOUT)


def down(directory: Path, say: Say) -> bool:
    """Stop the stack and leave no process behind; return whether one was up."""
    return _detached(folder_at(directory)).stop(say)


def _detached(folder: DataFolder) -> Detached:
    return Detached(folder, lock_of(folder), ready_file(folder), READY_SECONDS, DOWN_SECONDS)
