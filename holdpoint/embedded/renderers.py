"""Kustomize and Helm for the embedded stack: those that the caller names, or those that were built.

Nothing is built unless it is asked for (`python -m holdpoint.embedded.build kustomize helm`): most changes
need neither.
"""

import os
import platform
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdpoint.clients.renderer_process import Program as Renderer
from holdpoint.clients.rendering import HELM, KUSTOMIZE
from holdpoint.embedded.go_build import Program, Say, compile_program, one_builder
from holdpoint.embedded.opa import cache_folder
from holdpoint.models.errors import SettingsError


@dataclass(frozen=True)
class Pinned:
    """A renderer, and the package of its pinned module that it is built from."""

    renderer: Renderer
    package: str

    @property
    def module(self) -> Path:
        """Return the pinned Go module: package data in a wheel, `tools/<name>` in a checkout."""
        name = self.renderer.name
        packaged = Path(__file__).parent / f"{name}_module"
        return packaged if packaged.is_dir() else Path(__file__).parents[2] / "tools" / name

    @property
    def version(self) -> str:
        """Return the version that the module pins. Raises SettingsError."""
        module = "/".join(self.package.split("/cmd/")[:1])
        found = re.search(rf"{re.escape(module)} v(\S+)", (self.module / "go.mod").read_text())
        if found is None:
            raise SettingsError(f"{self.module} does not pin {module}.")
        return found[1]

    def built(self, cache: Path) -> Path:
        """Return where it is kept once it is built."""
        where = f"{platform.system().lower()}-{platform.machine()}"
        return cache / f"{self.renderer.name}-{self.version}-{where}"


PINNED = {
    "kustomize": Pinned(KUSTOMIZE, "sigs.k8s.io/kustomize/kustomize/v5"),
    "helm": Pinned(HELM, "helm.sh/helm/v4/cmd/helm"),
}


def named_renderers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings by which API and worker of the stack find the renderers.

    What the environment names, else what was built; without either they look on the search path.
    """
    found = {}
    for name, pinned in PINNED.items():
        setting = f"HOLDPOINT_{name.upper()}"
        built = pinned.built(cache_folder(environment))
        if environment.get(setting):
            found[setting] = str(Path(environment[setting]).absolute())
        elif built.is_file():
            found[setting] = str(built)
    return found


def build_renderer(name: str, environment: Mapping[str, str], say: Say) -> Path:
    """Return the path of a renderer, built if it was not yet. Raises SettingsError with the way out."""
    if name not in PINNED:
        raise SettingsError(f"Unknown program: {name!r}. There are: {', '.join(PINNED)}.")
    pinned, cache = PINNED[name], cache_folder(environment)
    built, renderer = pinned.built(cache), pinned.renderer
    with one_builder(cache / f"{name}.lock", renderer.title, renderer.way_out, say):
        if not built.is_file():
            _build(pinned, built, say)
    return built


def _build(pinned: Pinned, target: Path, say: Say) -> None:
    """Build the pinned module and put the binary in its place, whole or not at all."""
    renderer = pinned.renderer
    say(f"Building {renderer.title} {pinned.version} once, from its pinned Go module (about a minute).")
    program = Program(
        name=renderer.title, module=pinned.module, package=pinned.package, way_out=renderer.way_out
    )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{renderer.name}-build-") as folder:
        binary = Path(folder) / renderer.name
        said = compile_program(program, binary, target.parent, say)
        if not binary.is_file():
            raise SettingsError(
                f"{renderer.title} could not be built. {renderer.way_out} The build said: {said or 'nothing'}"
            )
        os.replace(binary, target)
