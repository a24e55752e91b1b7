"""How to reach an API server as one identity, read again whenever the files behind it change.

Nothing here prints a credential: values are kept out of `repr`, and errors name files, never what is in them.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from holdpoint.models.errors import SettingsError, UpstreamUnavailable

Stamp = tuple[int, int]
"""Modification time and inode of a file: Kubernetes swaps mounted files by a rename."""


@dataclass(frozen=True)
class Transport:
    """Where the server is and how it is trusted; a client is built anew when any of it changes."""

    host: str
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = field(default=None, repr=False)
    server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)
    stamps: tuple[Stamp | None, ...] = ()


@dataclass(frozen=True)
class Connection:
    """A transport, and what goes into the Authorization header: None where a certificate says who we are."""

    transport: Transport
    authorization: str | None = field(default=None, repr=False)


class Access(Protocol):
    """One identity at one API server."""

    async def now(self) -> Connection:
        """Return how to connect at this moment. Raises UpstreamUnavailable while its files are unusable."""


class TokenFile:
    """A bearer token that is read again when its file changes; `whose` it is, for its errors."""

    def __init__(self, path: Path, whose: str = "The cluster's") -> None:
        self._path, self._whose = path, whose
        self._seen: Stamp | None = None
        self._token = ""

    def value(self) -> str:
        """Return the token. Raises UpstreamUnavailable while the file cannot be read, or is empty."""
        try:
            seen = stamp(self._path)
            if self._seen != seen or not self._token:
                self._token = self._path.read_text().strip()
                self._seen = seen
        except (OSError, UnicodeDecodeError) as error:
            raise UpstreamUnavailable(
                f"{self._whose} token file {self._path.name} cannot be read."
            ) from error
        if not self._token:
            raise UpstreamUnavailable(f"{self._whose} token file {self._path.name} is empty.")
        return self._token


def trusted(field: str, ca_file: Path | None) -> ssl.SSLContext | bool:
    """Return what an HTTPS client trusts: this CA, else the usual ones.

    Raises SettingsError, naming the field.
    """
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"{field}: {ca_file} cannot be used as a CA: {error}.") from error


class TokenAccess:
    """A server by its address, with a token file and perhaps a CA file."""

    def __init__(self, name: str, *, server: str, token: TokenFile, ca_file: Path | None = None) -> None:
        if ca_file is not None and not ca_file.is_file():
            raise SettingsError(f"clusters.{name}.ca_file: there is no file {ca_file}.")
        self._name, self._host, self._token, self._ca = name, server.rstrip("/"), token, ca_file

    async def now(self) -> Connection:
        """Return the connection with the files as they are now."""
        stamps: tuple[Stamp, ...] = ()
        if self._ca is not None:
            try:
                stamps = (stamp(self._ca),)
            except OSError as error:
                raise UpstreamUnavailable(f"The CA file of cluster {self._name} cannot be read.") from error
        transport = Transport(self._host, ca_file=str(self._ca) if self._ca else None, stamps=stamps)
        return Connection(transport, f"Bearer {self._token.value()}")


def stamp(path: Path | str) -> Stamp:
    """Return what tells a file from its successor. Raises OSError."""
    seen = Path(path).stat()
    return seen.st_mtime_ns, seen.st_ino
