"""What Git knows of a change beside its files: its size, the kinds that it touches, whose commit it is."""

import json
import re
from datetime import datetime

from holdpoint.clients.git_mirror import Mirror
from holdpoint.models.policy import Author, DiffFacts

LARGEST_FILE = 2 * 1024 * 1024
"""Bytes of one manifest file; what is larger is not a manifest."""

LONGEST_WORDS = 500
"""Characters of a name or a summary: they go into every question to the policy, and into the record."""

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The tree without files, which Git knows without storing it."""

_KIND = re.compile(rb"^kind:[ \t]*[\"']?([A-Za-z]+)", re.MULTILINE)
_DOCUMENT = re.compile(rb"^---.*$", re.MULTILINE)


def diff(mirror: Mirror, base: str | None, commit: str, paths: list[str]) -> DiffFacts:
    """Return how the files below `paths` differ between two commits; everything is new without a base."""
    options = ["--numstat", "-z", "--no-renames", "--no-ext-diff", "--no-textconv"]
    counted = mirror.ask("diff-tree", "-r", *options, base or EMPTY_TREE, commit, "--", *paths)
    added, removed, names = 0, 0, []
    for line in filter(None, counted.decode("utf-8", "replace").split("\0")):
        more, less, name = line.split("\t", 2)
        added, removed = added + _lines(more), removed + _lines(less)
        names.append(name)
    kinds = {kind for name in names for kind in _changed_kinds(mirror, base, commit, name)}
    return DiffFacts(
        base=base, files=len(names), added=added, removed=removed, paths=names, kinds=sorted(kinds)
    )


def author(mirror: Mirror, commit: str) -> Author:
    """Return who wrote the commit, and who put it into the repository."""
    form = "%an <%ae>%x00%cn <%ce>%x00%aI%x00%s"
    said = mirror.ask("show", "-s", "--no-show-signature", f"--format={form}", commit)
    author, committer, at, summary = said.decode("utf-8", "replace").rstrip("\n").split("\0")
    return Author(
        author=author[:LONGEST_WORDS],
        committer=committer[:LONGEST_WORDS],
        authored_at=_moment(at),
        summary=summary[:LONGEST_WORDS],
    )


def _moment(text: str) -> datetime | None:
    """Return a commit's time; whoever makes a commit writes there what they like, so perhaps None."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _lines(count: str) -> int:
    """Return a count of numstat; a binary file has none."""
    return 0 if count == "-" else int(count)


def _changed_kinds(mirror: Mirror, base: str | None, commit: str, path: str) -> set[str]:
    """Return the kinds of the documents in one file that differ between the two commits."""
    after = _documents(mirror.ask("cat-file", "blob", f"{commit}:{path}", missing=b""), path)
    before = (
        _documents(mirror.ask("cat-file", "blob", f"{base}:{path}", missing=b""), path) if base else set()
    )
    found = {_kind(document, path) for document in after ^ before}
    return {kind for kind in found if kind}


def _documents(data: bytes, path: str) -> set[bytes]:
    if path.endswith(".json"):
        return {data} - {b""}
    return {part.strip() for part in _DOCUMENT.split(data[:LARGEST_FILE])} - {b""}


def _kind(document: bytes, path: str) -> str:
    """Return the kind at the top of a document, by its form: a hostile file is not parsed for this."""
    if path.endswith(".json"):
        try:
            value = json.loads(document)
        except (ValueError, RecursionError):
            return "unknown"
        return str(value.get("kind", "")) if isinstance(value, dict) else ""
    match = _KIND.search(document)
    return match[1].decode() if match else ""
