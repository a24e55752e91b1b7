"""Compile the workflows' modules once in a process, and keep the code in memory.

The SDK's sandbox imports them anew for every workflow, which must have module globals of its own; what they
are compiled to never changes and is shared. Found, read and unmarshalled from disk each time they cost a
workflow 9 ms of CPU (30 ms where Python writes nothing beside its sources) and half of its memory; from
memory 4 ms. It also keeps a worker at the code that it began with: a file that is replaced under a running
worker does not reach workflows that carry the old build's ID.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType


class _Loader(SourceFileLoader):
    """Loads one module any number of times and reads it once."""

    _code: CodeType | None = None

    def get_code(self, fullname: str) -> CodeType | None:
        if self._code is None:
            self._code = super().get_code(fullname)
        return self._code


class _Finder:
    """Finds the modules of one package, and each on disk only once."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._found: dict[str, tuple[_Loader, list[str] | None]] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a fresh spec with the loader that is kept; None leaves a module to Python's own finders."""
        if name != self._package and not name.startswith(f"{self._package}."):
            return None
        if name not in self._found:
            spec = PathFinder.find_spec(name, path, target)
            if spec is None or not isinstance(spec.loader, SourceFileLoader):
                return spec
            loader = _Loader(name, spec.loader.path)
            self._found[name] = loader, spec.submodule_search_locations
        loader, folders = self._found[name]
        return spec_from_file_location(name, loader.path, loader=loader, submodule_search_locations=folders)


@contextmanager
def kept(package: str) -> Iterator[None]:
    """Keep the code of this package's modules, from their next import on, while this lasts."""
    finder = _Finder(package)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
