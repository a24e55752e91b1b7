"""What is too large for entries, by digest.

Files, not rows, so that a rollback finds its snapshot while the ledger is down. Snapshots are stored
encrypted, since a redacted Secret could not be restored.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from holdpoint.ledger.canonical import digest_of
from holdpoint.ledger.files import replace
from holdpoint.models.base import Digest
from holdpoint.models.errors import Conflict, NotFound, UpstreamUnavailable

_NONCE = 12
_SHORT = 12
"""Hex digits of a fingerprint: 48 bits, so that no change of a secret looks like none."""


class Blobs:
    """Files by digest in one folder; `key` (32 bytes) is for secrets. Safe for many processes.

    What is put raises UpstreamUnavailable while the disk cannot take it.
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder = folder
        self._names = _derive(key, b"holdpoint blob names")
        self._marks = _derive(key, b"holdpoint masked values")
        self._cipher = AESGCM(_derive(key, b"holdpoint blob contents"))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, data: bytes) -> Digest:
        """Store bytes and return their digest."""
        digest = digest_of(data)
        self._write(self._path(digest, ""), data)
        return digest

    def get(self, digest: Digest) -> bytes:
        """Return the bytes of a digest. Raises NotFound, and Conflict when the file was changed."""
        data = self._read(self._path(digest, ""), digest)
        if digest_of(data) != digest:
            raise Conflict(f"The stored file of {digest} was changed.")
        return data

    def put_secret(self, data: bytes) -> Digest:
        """Store bytes encrypted; return a digest keyed by the folder's key, which tells nothing of them."""
        digest = "sha256:" + hmac.new(self._names, data, hashlib.sha256).hexdigest()
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, data, digest.encode())
        self._write(self._path(digest, ".sealed"), sealed)
        return digest

    def get_secret(self, digest: Digest) -> bytes:
        """Return the bytes put as a secret. Raises NotFound, and Conflict when file or key was changed."""
        sealed = self._read(self._path(digest, ".sealed"), digest)
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], digest.encode())
        except (InvalidTag, ValueError) as error:
            raise Conflict(f"The sealed file of {digest} was changed, or the key is another.") from error

    def fingerprint(self, data: bytes) -> str:
        """Return a short digest, keyed by the folder's key: it tells a change of a secret, not what it is."""
        return hmac.new(self._marks, data, hashlib.sha256).hexdigest()[:_SHORT]

    def _path(self, digest: Digest, suffix: str) -> Path:
        name = digest.removeprefix("sha256:")
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise NotFound(f"{digest!r} is not a digest.")
        return self._folder / name[:2] / (name + suffix)

    def _read(self, path: Path, digest: Digest) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"Nothing is stored under {digest}.") from error

    def _write(self, path: Path, data: bytes) -> None:
        # Whole or not at all, and on the disk before anyone is told the digest.
        if path.exists():
            return
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            replace(path, data)
            for folder in (path.parent, self._folder):
                _sync(folder)
        except OSError as error:
            raise UpstreamUnavailable(
                f"{self._folder} cannot be written to: {error.strerror or error}. Look at its disk."
            ) from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key)
