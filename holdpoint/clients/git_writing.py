"""One commit more for a mirror, made without a working tree; and what a branch has of ours.

Paths are looked up in Git's trees, where no link leads anywhere: a link on the way to a file is refused.
"""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from holdpoint.clients import git_tree
from holdpoint.clients.git_facts import LARGEST_FILE, LONGEST_WORDS
from holdpoint.clients.git_mirror import Mirror
from holdpoint.models.errors import StepConfig

MOST_MARKED = 200
"""Commits of one rollout on a branch: a plan has a hundred steps, each with a revert."""

NEW_FILE = "100644"
NOTHING = "0" * 40

_CONFLICT = b"\0in each other's way"
_TRAILER = re.compile(r"(Holdpoint-[A-Za-z]+): (\S.*)")


@dataclass(frozen=True)
class FileAt:
    """A file of one commit; `blob` names its content."""

    mode: str
    blob: str
    content: bytes


@dataclass(frozen=True)
class Marked:
    """A commit with the marks of whoever made it."""

    commit: str
    marks: Mapping[str, str]


@dataclass(frozen=True)
class Touch:
    """Whose commit touched a file, for people."""

    commit: str
    author: str
    subject: str

    def __str__(self) -> str:
        return f"commit {self.commit[:12]} of {self.author} ({self.subject})"


def head(mirror: Mirror, branch: str) -> str | None:
    """Return the commit that a branch of the mirror is at, and keep it readable."""
    name = f"refs/heads/{branch}^{{commit}}"
    found = mirror.ask("rev-parse", "--verify", "--quiet", "--end-of-options", name, missing=b"")
    commit = found.decode().strip()
    if not commit:
        return None
    mirror.keep(commit)
    return commit


def files(mirror: Mirror, commit: str, paths: list[str]) -> dict[str, FileAt]:
    """Return the files of a commit at these paths. Raises StepConfig for what is no file."""
    clean = {path: str(PurePosixPath(path)) for path in paths}
    above = {str(folder) for path in clean.values() for folder in PurePosixPath(path).parents} - {"."}
    known = git_tree.look(mirror, commit, sorted({*clean.values(), *above}))
    for folder in sorted(above & set(known)):
        if not known[folder].is_folder:
            raise StepConfig(
                f"No folder: {folder} of the environment repository is a file, a link or a module."
            )
    found = {}
    for path, name in clean.items():
        entry = known.get(name)
        if entry is None:
            continue
        if not entry.is_file:
            raise StepConfig(
                f"No file: {path} of the environment repository is a folder, a link or a module."
            )
        if entry.size > LARGEST_FILE:
            raise StepConfig(f"Too large: {path} has {entry.size} bytes, at most {LARGEST_FILE} are changed.")
        found[path] = FileAt(entry.mode, entry.name, mirror.ask("cat-file", "blob", entry.name))
    return found


def commit(mirror: Mirror, parent: str, contents: Mapping[str, bytes | None], message: str) -> str:
    """Make a commit on top of another in the mirror, and keep it readable."""
    before = git_tree.look(mirror, parent, sorted(contents))
    lines = []
    for path, content in contents.items():
        if content is None:
            lines.append(f"0 {NOTHING}\t{path}\0".encode())
            continue
        blob = mirror.make("hash-object", "-w", "--stdin", "--no-filters", feed=content)
        mode = before[path].mode if path in before else NEW_FILE
        lines.append(f"{mode} {blob}\t{path}\0".encode())
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        mirror.make("read-tree", parent, index=index)
        mirror.make("update-index", "-z", "--index-info", feed=b"".join(lines), index=index)
        tree = mirror.make("write-tree", index=index)
    made = mirror.make("commit-tree", "-p", parent, "-F", "-", tree, feed=message.encode())
    mirror.keep(made)
    return made


def marked(mirror: Mirror, head: str, since: str, mark: str) -> list[Marked]:
    """Return the commits with this mark as a trailer, oldest first."""
    options = ["-z", "--no-show-signature", "--fixed-strings", f"--grep={mark}", "--format=%H%n%B"]
    below = ["--not", since] if mirror.has(since) else []
    told = mirror.ask("log", *options, f"--max-count={MOST_MARKED}", head, *below)
    found = []
    for text in told.decode("utf-8", "replace").split("\0"):
        name, _, message = text.partition("\n")
        marks = marks_of(message)
        if mark in (f"{key}: {value}" for key, value in marks.items()):
            found.append(Marked(name, marks))
    return found[::-1]


def marks_of(message: str) -> dict[str, str]:
    """Return the marks in the last paragraph of a message; what stands above is for people."""
    last = message.strip().rpartition("\n\n")[2]
    return {match[1]: match[2] for line in last.splitlines() if (match := _TRAILER.fullmatch(line))}


def touched(mirror: Mirror, head: str, since: str, path: str) -> Touch | None:
    """Return the last commit that touched a file."""
    below = ["--not", since] if mirror.has(since) else []
    form = "--format=%H%x00%an <%ae>%x00%s"
    told = mirror.ask("log", "-1", "--no-show-signature", form, head, *below, "--", str(PurePosixPath(path)))
    if not told:
        return None
    name, author, subject = told.decode("utf-8", "replace").rstrip("\n").split("\0")
    return Touch(name, author[:LONGEST_WORDS], subject[:LONGEST_WORDS])


def merged(mirror: Mirror, current: bytes, base: bytes, other: bytes) -> bytes | None:
    """Return `current` with what leads from `base` to `other`; None for a conflict, and for binary files."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for name, content in (("current", current), ("base", base), ("other", other)):
            file = Path(folder) / name
            file.write_bytes(content)
            names.append(str(file))
        told = mirror.ask("merge-file", "-p", "--quiet", *names, missing=_CONFLICT)
    return None if told == _CONFLICT else told


def includes(mirror: Mirror, revision: str, commit: str) -> bool:
    """Tell whether a commit is reachable from a revision; what the mirror does not have is not."""
    if not (mirror.has(commit) and mirror.has(revision)):
        return False
    told = mirror.ask("rev-list", "--count", "--max-count=1", commit, "--not", revision)
    return told.strip() == b"0"
