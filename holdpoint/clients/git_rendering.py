"""Render an overlay or a chart as one commit has it: from its files alone, in a folder that is removed."""

import contextlib
import posixpath
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from holdpoint.clients import git_tree
from holdpoint.clients.git_mirror import Mirror
from holdpoint.clients.git_tree import Entry
from holdpoint.clients.kustomization import Overlay
from holdpoint.clients.renderer_process import Program
from holdpoint.clients.rendering import HELM, KUSTOMIZE, Renderers
from holdpoint.models.errors import InvalidChange
from holdpoint.models.source import Helm

FIELDS = {"kustomize": "spec.source.kustomize", "helm": "spec.source.helm.chart"}


@dataclass(frozen=True)
class Overlaid:
    """What Kustomize is to build."""

    folder: str

    @property
    def program(self) -> Program:
        """Return what renders it."""
        return KUSTOMIZE

    @property
    def key(self) -> str:
        """Return what sets it apart from others of the same commit."""
        return self.folder

    def entries(self, mirror: Mirror, commit: str) -> list[Entry]:
        """Return every file that it is made of. Raises ValueError for what Kustomize may not be given."""
        overlay = Overlay(
            partial(git_tree.look, mirror, commit), lambda entry: mirror.ask("cat-file", "blob", entry.name)
        )
        overlay.add(posixpath.normpath(self.folder))
        return list(overlay.files.values())

    def render(self, renderers: Renderers, root: Path) -> bytes:
        """Return what Kustomize builds."""
        return renderers.kustomize(root, self.folder)


@dataclass(frozen=True)
class Charted:
    """What Helm is to render, under which name and for which namespace."""

    helm: Helm
    release: str
    namespace: str

    @property
    def folder(self) -> str:
        """Return the chart's folder."""
        return self.helm.chart

    @property
    def program(self) -> Program:
        """Return what renders it."""
        return HELM

    @property
    def key(self) -> str:
        """Return what sets it apart from others of the same commit."""
        return f"{self.release}\0{self.namespace}\0{self.helm.model_dump_json()}"

    def entries(self, mirror: Mirror, commit: str) -> list[Entry]:
        """Return every file of the chart, and its values files. Raises ValueError for what is not there."""
        chart = git_tree.below(mirror, commit, posixpath.normpath(self.folder))
        wanted = [posixpath.normpath(path) for path in self.helm.values]
        values = git_tree.look(mirror, commit, wanted)
        if posixpath.normpath(f"{self.folder}/Chart.yaml") not in chart:
            raise ValueError(f"{self.folder} has no Chart.yaml at this commit")
        if missing := [path for path in wanted if path not in values]:
            raise ValueError(f"{missing[0]} is not in the repository at this commit")
        return list({**chart, **values}.values())

    def render(self, renderers: Renderers, root: Path) -> bytes:
        """Return what Helm renders, with its hooks."""
        return renderers.helm(root, self.helm, release=self.release, namespace=self.namespace)


Rendered = Overlaid | Charted
"""What is rendered, where it is not a plain file."""


def render(mirror: Mirror, commit: str, wanted: Rendered, renderers: Renderers) -> bytes:
    """Return the manifests of an overlay or a chart.

    Raises InvalidChange with the field and what is wrong, and UpstreamUnavailable without the program.
    """
    with _naming(wanted), tempfile.TemporaryDirectory(prefix="holdpoint-render-") as folder:
        root = Path(folder).resolve()
        git_tree.write(mirror, wanted.entries(mirror, commit), root)
        return wanted.render(renderers, root)


def paths_of(mirror: Mirror, commit: str, wanted: Rendered) -> list[str]:
    """Return the files that decide about what is rendered. Raises InvalidChange."""
    with _naming(wanted):
        return [entry.path for entry in wanted.entries(mirror, commit)]


@contextlib.contextmanager
def _naming(wanted: Rendered) -> Iterator[None]:
    """Have what is wrong with the files leave as the mistake of the change that it is."""
    try:
        yield
    except ValueError as error:
        field, title = FIELDS[wanted.program.name], wanted.program.title
        message = f"{title} cannot render {wanted.folder}: {str(error).rstrip('.')}."
        mistake = {
            "field": field,
            "found": wanted.folder,
            "allowed": f"what {title} can render",
            "message": message,
        }
        raise InvalidChange(message, mistakes=[mistake]) from error
