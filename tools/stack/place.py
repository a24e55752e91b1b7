"""Where one stack lives: its folder, its ports, and how a part of it is described to the supervisor."""

import json
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.server import Ready, Server
from holdpoint.ledger.files import replace, write_new

Prepare = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Place:
    """One stack's folder and ports."""

    folder: DataFolder
    ports: Mapping[str, int]

    def path(self, *names: str) -> Path:
        """Return a path below the stack's folder; the folder it lies in is there and nobody else's."""
        found = self.folder.root.joinpath(*names)
        found.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return found

    def url(self, server: str) -> str:
        """Return the address of a server that speaks plain HTTP."""
        return f"http://127.0.0.1:{self.ports[server]}"


@dataclass(frozen=True)
class Piece:
    """A part of the stack: its servers, what is done once one is ready, and what `stack.json` says of it."""

    servers: Sequence[Server]
    addresses: Mapping[str, Any]
    prepare: Mapping[str, Prepare] = field(default_factory=dict)


def secret_file(path: Path, make: Callable[[], str]) -> str:
    """Return a secret that is kept in a file (0600), made at the first call."""
    write_new(path, make().encode())
    return path.read_text()


def write_json(path: Path, document: object) -> Path:
    """Write a document, 0600; every reader of YAML takes it, too."""
    replace(path, json.dumps(document, indent=1).encode())
    return path


def https_ready(url: str, authority: Path) -> Ready:
    """Return a check that a GET answers with 200 over TLS of our own authority."""

    async def ready(_: int) -> bool:
        trusted = ssl.create_default_context(cafile=str(authority))
        try:
            async with httpx.AsyncClient(timeout=5, trust_env=False, verify=trusted) as client:
                return (await client.get(url)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    return ready


async def started(_: int) -> bool:
    """Be the readiness of a server whose users wait for what it does, not for the server."""
    return True
