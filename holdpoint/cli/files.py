"""Read and write the files that a person names on the command line."""

import os
import sys
from pathlib import Path

from holdpoint.models.errors import HoldpointError

STDIN = Path("-")
LONGEST = 64 * 1024 * 1024
"""Bytes: far above a change file or an export, so that a wrong name does not fill the memory."""


class BadFile(HoldpointError):
    """A file that was named cannot be read or written."""

    code = "file"
    status = 400
    exit_code = 2


def read_file(path: Path) -> bytes:
    """Return the file's bytes; `-` is standard input. Raises BadFile."""
    try:
        if path == STDIN:
            return sys.stdin.buffer.read(LONGEST)
        with path.open("rb") as file:
            return file.read(LONGEST)
    except (OSError, ValueError) as error:
        raise BadFile(f"{path} cannot be read: {_why(error)}.", file=str(path)) from error


def read_public_key(path: Path) -> bytes:
    """Return a public key as it is written. Raises BadFile for what is none: it says nothing of evidence."""
    from cryptography.exceptions import UnsupportedAlgorithm

    from holdpoint.ledger.signing import PublicKey

    pem = read_file(path)
    try:
        PublicKey.load(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadFile(
            f"{path} is not the public key of a ledger (<data>/keys/ledger.pub): {str(error)[:200]}",
            file=str(path),
        ) from error
    return pem


def write_file(path: Path, data: bytes) -> None:
    """Write the file in one step: it is there whole or not at all. Raises BadFile."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    except (OSError, ValueError) as error:
        fresh.unlink(missing_ok=True)
        raise BadFile(f"{path} cannot be written: {_why(error)}.", file=str(path)) from error


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
