"""Which files a Kustomize overlay is made of, known before Kustomize runs.

Kustomize fetches what it is given as a URL, from any field that names a file, and clones what looks like a
repository. So every path of every kustomization is looked up in the commit first, and what is not there, or
stands in a field that is not known, is refused: what Kustomize is given has nothing left to fetch.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from holdpoint.clients.git_tree import Entry
from holdpoint.clients.manifest_yaml import read_documents
from holdpoint.models.git_names import check_path

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MOST_FOLDERS = 200
"""Bases of bases; a service has a handful."""

PATHS = ("resources", "bases", "components", "crds", "configurations")
WITHOUT_PATHS = frozenset(
    {
        *("apiVersion", "kind", "metadata", "namePrefix", "nameSuffix", "namespace", "buildMetadata"),
        *("commonLabels", "labels", "commonAnnotations", "images", "imageTags", "replicas", "vars"),
        *("sortOptions", "generatorOptions"),
    }
)
REFUSED = {
    **dict.fromkeys(
        ("helmCharts", "helmChartInflationGenerator", "helmGlobals"),
        "is not supported in a kustomization: use spec.source.helm",
    ),
    **dict.fromkeys(
        ("generators", "transformers", "validators"), "is not supported: Kustomize's plugins are not run"
    ),
}
_GENERATOR = frozenset(
    {"name", "namespace", "behavior", "literals", "options", "type", "immutable", "files", "envs", "env"}
)
_PATCH = frozenset({"patch", "target", "options", "path"})
_REPLACEMENT = frozenset({"source", "targets", "path"})


class Overlay:
    """The files of one overlay. `look` finds what is at paths of the commit, `read` returns a file."""

    def __init__(
        self, look: Callable[[Sequence[str]], dict[str, Entry]], read: Callable[[Entry], bytes]
    ) -> None:
        self._look, self._read = look, read
        self._seen: set[str] = set()
        self.files: dict[str, Entry] = {}

    def add(self, folder: str) -> None:
        """Find the files of a folder and all that it builds on. Raises ValueError with one line about it."""
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            if here not in self._seen:
                self._seen.add(here)
                if len(self._seen) > MOST_FOLDERS:
                    raise ValueError(f"it builds on more than {MOST_FOLDERS} folders")
                waiting += self._folder(here)

    def _folder(self, folder: str) -> list[str]:
        """Take the files that one kustomization names, and return the folders."""
        entry = self._kustomization(folder)
        self.files[entry.path] = entry
        named = [
            (place, path, _inside(entry.path, folder, place, path))
            for place, path in _named(self._document(entry))
        ]
        found = self._look(sorted({inside for _, _, inside in named}))
        folders = []
        for place, path, inside in named:
            at = found.get(inside)
            if at is not None and at.is_folder:
                folders.append(inside)
            elif at is not None and at.is_file:
                self.files[inside] = at
            else:
                raise ValueError(
                    f"{place} of {entry.path} is {path[:80]!r}, which is no file or folder of this commit"
                )
        return folders

    def _kustomization(self, folder: str) -> Entry:
        found = self._look([posixpath.normpath(posixpath.join(folder, name)) for name in NAMES])
        files = [entry for entry in found.values() if entry.is_file]
        if len(files) != 1:
            raise ValueError(
                f"{folder} has no {NAMES[0]}" if not files else f"{folder} has more than one kustomization"
            )
        return files[0]

    def _document(self, entry: Entry) -> dict[str, Any]:
        try:
            documents = read_documents(self._read(entry))
        except ValueError as error:
            raise ValueError(f"{entry.path} is not valid YAML: {error}") from error
        if len(documents) != 1 or not isinstance(documents[0], dict):
            raise ValueError(f"{entry.path} must be one mapping")
        return documents[0]


def _inside(file: str, folder: str, place: str, path: str) -> str:
    """Return the path from the root of the repository. Raises ValueError for what leads out of it."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path) or "@" in path or "?" in path:
        raise ValueError(
            f"{place} of {file} is {path[:80]!r}: nothing is fetched while rendering, so put what it means "
            "into the repository"
        )
    joined = posixpath.normpath(posixpath.join(folder, path))
    if joined == ".":
        return joined
    try:
        return check_path(joined)
    except ValueError as error:
        raise ValueError(f"{place} of {file} is {path[:80]!r}: it {error}") from error


def _named(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each path that a kustomization names, with its field. Raises ValueError for unknown fields."""
    for field, value in document.items():
        if field in REFUSED:
            raise ValueError(f"{field} {REFUSED[field]}")
        if field not in WITHOUT_PATHS and field not in _READERS:
            raise ValueError(f"{field[:80]} is no field of a kustomization that is known here")
        if value is not None and field in _READERS:
            yield from _READERS[field](field, value)


def _replacements(field: str, value: Any) -> Iterator[tuple[str, str]]:
    for place, item in _mappings(field, value, _REPLACEMENT):
        yield from _texts(f"{place}.path", item.get("path"))


def _openapi(field: str, value: Any) -> Iterator[tuple[str, str]]:
    for place, item in _mappings(field, [value], frozenset({"path"})):
        yield from _texts(f"{place}.path", item.get("path"))


def _generated(field: str, value: Any) -> Iterator[tuple[str, str]]:
    for place, item in _mappings(field, value, _GENERATOR):
        yield from _texts(f"{place}.envs", item.get("envs"))
        yield from _texts(f"{place}.env", item.get("env"))
        for where, file in _texts(f"{place}.files", item.get("files")):
            yield where, file.rpartition("=")[2]  # `path`, or `key=path`


def _patches(field: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the files of patches. A text of several lines, or in braces, is the patch itself."""
    for index, item in enumerate(value if isinstance(value, list) else [value]):
        if isinstance(item, dict):
            for place, patch in _mappings(f"{field}[{index}]", [item], _PATCH):
                yield from _texts(f"{place}.path", patch.get("path"))
        else:
            for place, text in _texts(f"{field}[{index}]", item):
                if "\n" not in text and not text.lstrip().startswith("{"):
                    yield place, text


def _mappings(field: str, value: Any, known: frozenset[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield mappings that have none but known fields: Go reads a field whose case differs, too."""
    if not isinstance(value, list):
        raise ValueError(f"{field} must be a list")
    for index, item in enumerate(value):
        place = f"{field}[{index}]" if len(value) > 1 else field
        if not isinstance(item, dict):
            raise ValueError(f"{place} must be a mapping")
        if unknown := sorted(set(item) - known):
            raise ValueError(f"{place}.{unknown[0][:80]} is no field that is known here")
        yield place, item


def _texts(field: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    for index, item in enumerate(value if isinstance(value, list) else [value]):
        if not isinstance(item, str) or not item:
            raise ValueError(f"{field} must name files")
        yield (f"{field}[{index}]" if isinstance(value, list) else field), item


_READERS: dict[str, Callable[[str, Any], Iterator[tuple[str, str]]]] = {
    **dict.fromkeys(PATHS, _texts),
    **dict.fromkeys(("configMapGenerator", "secretGenerator"), _generated),
    **dict.fromkeys(("patches", "patchesJson6902", "patchesStrategicMerge"), _patches),
    "replacements": _replacements,
    "openapi": _openapi,
}
"""How the paths of each field that has some are read."""
