"""The ports of the embedded stack: chosen once, and the same at the next `up` where they are free."""

import json
import random
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from holdpoint.embedded.folder import read_document
from holdpoint.ledger.files import replace
from holdpoint.models.errors import SettingsError

FIRST, LAST = 18000, 31999
"""Below what Linux and macOS give to outgoing connections: one of those would keep a server from starting
again."""

TRIES = 500


def free(port: int) -> bool:
    """Tell whether a server could listen on a port of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose(names: Iterable[str], preferred: dict[str, int]) -> dict[str, int]:
    """Return a free port for each name, the preferred one where it is free. Raises SettingsError."""
    chosen: dict[str, int] = {}
    for name in names:
        wanted = preferred.get(name)
        usable = wanted is not None and wanted not in chosen.values() and free(wanted)
        chosen[name] = wanted if usable and wanted is not None else _another(set(chosen.values()))
    return chosen


def remembered(file: Path) -> dict[str, int]:
    """Return the ports of the last time, so that addresses stay what they were; none if there was none."""
    return {name: port for name, port in (read_document(file) or {}).items() if isinstance(port, int)}


def remember(file: Path, ports: Mapping[str, int]) -> None:
    """Keep ports for the next time."""
    replace(file, json.dumps(dict(ports), indent=1).encode())


def _another(taken: set[int]) -> int:
    for _ in range(TRIES):
        port = random.randint(FIRST, LAST)  # noqa: S311 - spread, not a secret
        if port not in taken and free(port):
            return port
    raise SettingsError(f"No free port was found between {FIRST} and {LAST} on 127.0.0.1.")
