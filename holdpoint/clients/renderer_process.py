"""Run a renderer: an empty environment, and bounds of time, memory and output.

No search path to find other programs on, a home that is empty, a proxy that answers nobody.
"""

import contextlib
import resource
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.redact import redact

LIMIT = 30.0
"""Seconds for one run; a large chart takes one."""

LARGEST_OUTPUT = 8 * 1024 * 1024
"""Bytes of manifests."""

MEMORY = 1024 * 1024 * 1024
"""Bytes for one run, where the system can bound them (Linux): a template may loop, and a worker does more."""

LONGEST_SAID, LONGEST_WORDS = 64 * 1024, 400


@dataclass(frozen=True)
class Program:
    """A renderer: how it is named, which arguments tell its version, and which major version was tried."""

    title: str
    name: str
    version: tuple[str, ...]
    major: int

    @property
    def way_out(self) -> str:
        """Return what to do where it is missing."""
        return (
            f"Set `{self.name}` (HOLDPOINT_{self.name.upper()}) to a {self.title} {self.major} binary, "
            f"or put `{self.name}` on the PATH of workers and API."
        )


def run(program: Program, command: Sequence[str], *, root: Path, home: Path, zone: str = "UTC") -> bytes:
    """Return what a program prints, run in `root`.

    Raises ValueError with the first line of what it says is wrong, and UpstreamUnavailable where it cannot be
    run or did not come to an end.
    """
    over = threading.Event()
    with tempfile.TemporaryFile() as errors:
        process = _started(program, command, root=root, home=home, zone=zone, errors=errors)

        def end() -> None:
            over.set()
            process.kill()

        clock = threading.Timer(LIMIT, end)
        clock.start()
        try:
            with process:
                printed = b"" if process.stdout is None else process.stdout.read(LARGEST_OUTPUT + 1)
                if len(printed) > LARGEST_OUTPUT:
                    process.kill()
        finally:
            clock.cancel()
        errors.seek(0)
        said = errors.read(LONGEST_SAID)
    if len(printed) > LARGEST_OUTPUT:
        raise ValueError(f"it renders to more than {LARGEST_OUTPUT} bytes")
    if over.is_set() or process.returncode < 0:
        how = f"did not come to an end within {LIMIT:g} s" if over.is_set() else "was killed"
        raise UpstreamUnavailable(f"{program.title} {how}.", upstream=program.name)
    if process.returncode != 0:
        raise ValueError(_words(said, root))
    return printed


def _started(
    program: Program, command: Sequence[str], *, root: Path, home: Path, zone: str, errors: IO[bytes]
) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's binary; names and paths were checked
            command,
            cwd=root,
            env=_environment(home, zone),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    except OSError as error:
        raise UpstreamUnavailable(
            f"{program.title} cannot be run: {command[0]}: {error.strerror}. {program.way_out}",
            upstream=program.name,
        ) from error
    _bound(process.pid)
    return process


def _environment(home: Path, zone: str) -> dict[str, str]:
    """Return all that a renderer gets of the environment."""
    folders = dict.fromkeys(
        ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HELM_PLUGINS"), str(home)
    )
    nobody = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:0")
    return {
        **folders,
        **nobody,
        "PATH": "",
        "LANG": "C.UTF-8",
        "KUBECONFIG": str(home / "none"),
        "HELM_NO_PLUGINS": "1",
        "GOMAXPROCS": "2",
        "TZ": zone,
    }


def _bound(pid: int) -> None:
    """Bound the memory, and the file that errors are written to, where the system can."""
    if not hasattr(resource, "prlimit"):
        return
    with contextlib.suppress(OSError, ValueError):  # it may be over already
        resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (LARGEST_OUTPUT, LARGEST_OUTPUT))


def _words(said: bytes, root: Path) -> str:
    """Return the first line of what a program says, without our folder, redacted."""
    if b"out of memory" in said:
        return f"it needs more than {MEMORY} bytes of memory"
    text = said.decode("utf-8", "replace").replace(f"{root}/", "").replace(str(root), ".")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = next(
        (line for line in lines if line.startswith("Error:")), lines[0] if lines else "it says nothing"
    )
    return str(redact(line.removeprefix("Error:").strip()))[:LONGEST_WORDS]
