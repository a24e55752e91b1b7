"""Files that are whole or not there, whatever dies while they are written, and locks on files."""

import fcntl
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path


def write_new(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file with its mode from the first moment on, unless it is there already. Raises OSError."""
    fresh = _written_beside(path, data, mode)
    try:
        os.link(fresh, path)  # unlike a rename, it never takes the place of what is there
    except FileExistsError:
        return
    finally:
        fresh.unlink()


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file in one step: a reader sees the old one or the new one, never a part. Raises OSError."""
    fresh = _written_beside(path, data, mode)
    try:
        os.replace(fresh, path)
    except OSError:
        fresh.unlink()
        raise


def locked(descriptor: int, within: float) -> bool:
    """Take the lock of an open file alone; return whether that was possible within so many seconds.

    The kernel gives it back when the file is closed, however its holder dies.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)  # a blocking flock has no time limit, nor can a thread be woken from it
        else:
            return True


def _written_beside(path: Path, data: bytes, mode: int) -> Path:
    """Return a new file with these bytes, on the disk, in the same folder."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            fresh.unlink()  # it may be tried again and again: on a full disk what is left would pile up
        raise
    return fresh
