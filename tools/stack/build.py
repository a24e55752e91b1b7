"""Build the parts that are missing, one builder at a time, each whole or not at all."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from holdpoint.embedded.go_build import (
    Program,
    Say,
    compile_program,
    environment,
    one_builder,
    toolchain,
)
from holdpoint.models.errors import SettingsError
from tools.stack.parts import PARTS, Part

WAY_OUT = "Look at what the toolchain said; without network, set GOPROXY to a mirror that has the modules."


def build(parts: Sequence[Part], cache: Path, say: Say) -> None:
    """Build each part that the cache does not have. Raises SettingsError with the toolchain's words."""
    for part in parts or PARTS:
        folder = part.folder(cache)
        if folder.is_dir():
            continue
        with one_builder(cache / f"{part.name}.lock", part.name, WAY_OUT, say):
            if not folder.is_dir():
                _build(part, folder, say)


def missing(parts: Sequence[Part], cache: Path) -> list[str]:
    """Return the names of the parts that the cache does not have."""
    return [part.name for part in parts or PARTS if not part.folder(cache).is_dir()]


def _build(part: Part, folder: Path, say: Say) -> None:
    """Build all of a part into a folder beside its place, then move it there in one step."""
    began = time.monotonic()
    say(f"Building {part.name} {part.version}: {', '.join([*part.programs, *part.files])}")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{part.name}-build-") as work:
        fresh = Path(work) / "part"
        fresh.mkdir()
        for name, package in part.programs.items():
            _compile(part, name, package, fresh / name, folder.parent, say)
        if part.files:
            source = _sources(part, Path(work), folder.parent)
            for name, path in part.files.items():
                _copy(source / path, fresh / name)
        os.replace(fresh, folder)
    say(f"{part.name} {part.version} is built ({time.monotonic() - began:.0f} s): {folder}")


def _compile(part: Part, name: str, package: str, target: Path, cache: Path, say: Say) -> None:
    program = Program(name, part.pins, package, part.linker_flags, WAY_OUT)
    said = compile_program(program, target, cache, say)
    if not target.is_file():
        raise SettingsError(f"{name} could not be built. {WAY_OUT} The build said: {said or 'nothing'}")


def _sources(part: Part, work: Path, cache: Path) -> Path:
    """Return where the pinned module lies after go has checked it against go.sum."""
    go = toolchain(Program(part.name, part.pins, "", way_out=WAY_OUT))
    module = work / "sources"
    shutil.copytree(part.pins, module)
    done = subprocess.run(  # noqa: S603 - the toolchain of our own dependency, with fixed arguments
        [str(go), "mod", "download", "-json", part.module],
        cwd=module,
        env=environment(go, cache),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = f"{done.stderr} {done.stdout}".strip()[-1000:]
        raise SettingsError(f"The files of {part.name} cannot be had. {WAY_OUT} go said: {said}")
    return Path(json.loads(done.stdout)["Dir"])


def _copy(source: Path, target: Path) -> None:
    """Copy files out of the module cache, which is read-only; the copies can be removed like any file."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)
