"""The files of one commit that a renderer may read, written into a folder of their own, and nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdpoint.clients.git_mirror import Mirror

MOST_FILES = 2000
"""A chart with all that it depends on has some hundred."""

MOST_BYTES = 32 * 1024 * 1024
"""Of all files together."""


@dataclass(frozen=True)
class Entry:
    """What Git has at one path: a file, a folder, or what is neither (a link, a submodule)."""

    path: str
    mode: str
    kind: str
    name: str
    size: int

    @property
    def is_file(self) -> bool:
        """Tell whether this is a regular file: a link is a blob, too."""
        return self.kind == "blob" and self.mode != "120000"

    @property
    def is_folder(self) -> bool:
        """Tell whether this is a folder."""
        return self.kind == "tree"


def look(mirror: Mirror, commit: str, paths: Sequence[str]) -> dict[str, Entry]:
    """Return what is at each path of a commit; what is not there is left out."""
    return _entries(mirror.ask("ls-tree", "-z", "-l", "--full-tree", commit, "--", *paths)) if paths else {}


def below(mirror: Mirror, commit: str, folder: str) -> dict[str, Entry]:
    """Return everything below a folder of a commit, folders left out."""
    where = [] if folder == "." else ["--", folder]
    return _entries(mirror.ask("ls-tree", "-r", "-z", "-l", "--full-tree", commit, *where))


def write(mirror: Mirror, entries: Iterable[Entry], root: Path) -> None:
    """Write files below `root`. Raises ValueError for what is no file, and for too many or too much.

    Git has no path through a link, and links are refused: nothing written leads out of `root`.
    """
    wanted = list(entries)
    for entry in wanted:
        if not entry.is_file:
            what = "a link" if entry.mode == "120000" else "a submodule"
            raise ValueError(f"{entry.path} is {what}: only files of the repository itself are read")
    if len(wanted) > MOST_FILES:
        raise ValueError(f"it has {len(wanted)} files, at most {MOST_FILES} are read")
    total = sum(entry.size for entry in wanted)
    if total > MOST_BYTES:
        raise ValueError(f"its files have {total} bytes, at most {MOST_BYTES} are read")
    for entry, content in zip(wanted, _contents(mirror, wanted), strict=True):
        file = root / entry.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _entries(told: bytes) -> dict[str, Entry]:
    found = {}
    for line in told.split(b"\0"):
        facts, _, raw = line.partition(b"\t")
        if line:
            mode, kind, name, size = facts.decode().split()
            path = raw.decode("utf-8", "surrogateescape")
            found[path] = Entry(path, mode, kind, name, 0 if size == "-" else int(size))
    return found


def _contents(mirror: Mirror, entries: list[Entry]) -> list[bytes]:
    """Return the content of each file: one process for all of them."""
    asked = "".join(f"{entry.name}\n" for entry in entries).encode()
    told = mirror.ask("cat-file", "--batch", feed=asked) if entries else b""
    found, at = [], 0
    for entry in entries:
        start = told.index(b"\n", at) + 1  # after the line `<name> blob <size>`
        found.append(told[start : start + entry.size])
        at = start + entry.size + 1
    return found
