"""Read and write the files that a person names on the command line."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from holdpoint.ledger.files import replace
from holdpoint.models.errors import HoldpointError

STDIN = Path("-")
LONGEST = 1024 * 1024 * 1024
"""Bytes: above any export, so that a wrong name (a device, a disk image) does not fill the memory."""


class BadFile(HoldpointError):
    """A file that was named cannot be read or written."""

    code = "file"
    status = 400
    exit_code = 2


def read_file(path: Path) -> bytes:
    """Return the file's bytes, all of them; `-` is standard input. Raises BadFile."""
    try:
        with nullcontext(sys.stdin.buffer) if path == STDIN else path.open("rb") as file:
            return _whole(file)
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
    try:
        replace(path, data, 0o666)  # less the caller's umask, as for any file that a person asks for
    except (OSError, ValueError) as error:
        raise BadFile(f"{path} cannot be written: {_why(error)}.", file=str(path)) from error


def _whole(file: BinaryIO) -> bytes:
    """Return all bytes of a file. Raises ValueError for what is too large: a part of it would mislead."""
    found = bytearray()
    while chunk := file.read(1024 * 1024):
        found += chunk
        if len(found) > LONGEST:
            raise ValueError(f"it is larger than {LONGEST} bytes")
    return bytes(found)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
