"""The stack of real servers that a test run was given: HOLDPOINT_REAL names its folder."""

import json
import os
from pathlib import Path
from typing import Any

STARTING = "make test-real starts one by itself; or make real-up, then HOLDPOINT_REAL=.real pytest -m real"


def document() -> dict[str, Any]:
    """Return the stack's `stack.json`: addresses, and the files with the credentials."""
    folder = os.environ.get("HOLDPOINT_REAL")
    if not folder:
        raise RuntimeError(f"This test needs the real servers: {STARTING}.")
    file = Path(folder) / "stack.json"
    if not file.exists():
        raise RuntimeError(f"No stack is up in {folder}: {STARTING}.")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def secret(file: str) -> str:
    """Return the secret in a file that `stack.json` names."""
    return Path(file).read_text().strip()
