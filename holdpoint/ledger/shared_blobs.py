"""Blobs of an installation with several machines: rows of the ledger's database, with a copy on this disk.

The copy is written first and read first, so that the machine that took a snapshot can roll back while the
database is down; any other machine gets it from the database.
"""

from pathlib import Path

from sqlalchemy import Connection, insert, select

from holdpoint.ledger import head, schema
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.store import Ledger
from holdpoint.models.base import Digest
from holdpoint.models.errors import NotFound, SettingsError

_B = schema.blobs


class SharedBlobs(Blobs):
    """Blobs that every process of the installation finds. Its verbs raise UpstreamUnavailable, too."""

    def __init__(self, folder: Path, key: bytes, ledger: Ledger) -> None:
        super().__init__(folder, key)
        self._ledger = ledger

    def _write(self, path: Path, data: bytes) -> None:
        super()._write(path, data)
        self._ledger.write_now(_put, path.name, data)

    def _read(self, path: Path, digest: Digest) -> bytes:
        try:
            return super()._read(path, digest)
        except NotFound:
            data = self._ledger.read_now(_get, path.name)
            if data is None:
                raise
            super()._write(path, data)
            return data


def open_blobs(data: Path, ledger: Ledger) -> Blobs:
    """Return the blobs of an installation, by its data folder. Raises SettingsError without their key."""
    key = _key(data / "keys" / "blob.key")
    return SharedBlobs(data / "blobs", key, ledger) if ledger.shared else Blobs(data / "blobs", key)


def _key(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"The key of the blobs, {file}, cannot be read: {error.strerror}. Every process of an "
            "installation needs the same 32 random bytes there, readable by nobody else."
        ) from error


def _put(db: Connection, name: str, data: bytes) -> None:
    head.lock(db)  # nobody else puts the same in between
    if _get(db, name) is None:
        db.execute(insert(_B), {"name": name, "data": data})


def _get(db: Connection, name: str) -> bytes | None:
    return db.execute(select(_B.c.data).where(_B.c.name == name)).scalar_one_or_none()
