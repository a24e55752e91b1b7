"""Git: which commit a revision is, what its files say, and how it differs from what ran before.

One mirror per repository in the data folder (`git_mirror.py` runs Git). A revision is resolved once, at
submit; all later questions name the commit.
"""

import asyncio
import hashlib
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import ParamSpec, TypeVar

from holdpoint.clients.git_hosts import GitHosts, host_of
from holdpoint.clients.git_memory import FACTS, Memory
from holdpoint.clients.git_mirror import Mirror, check, invalid
from holdpoint.models.errors import InvalidChange, NotFound
from holdpoint.models.git_names import check_path, check_revision
from holdpoint.models.policy import Author, DiffFacts

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 8
"""Questions to Git at once; each is a process of its own, mostly waiting."""

PER_SERVER = 3
"""Of these for fetches from one server: one that hangs must not take what changes of other servers need."""

LARGEST_FILE = 2 * 1024 * 1024
"""Bytes of one manifest file; what is larger is not a manifest."""

LONGEST_WORDS = 500
"""Characters of a name or a summary: they go into every question to the policy, and into the record."""

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The tree without files, which Git knows without storing it."""

REVISION, PATHS = "spec.source.revision", "spec.source.paths"

_SHA = re.compile(r"^[0-9a-f]{40}$")
_SHORT_SHA = re.compile(r"^[0-9a-f]{7,40}$")
_KIND = re.compile(rb"^kind:[ \t]*[\"']?([A-Za-z]+)", re.MULTILINE)
_DOCUMENT = re.compile(rb"^---.*$", re.MULTILINE)


class Repositories:
    """The repositories of all changes, mirrored below `folder`. Local paths only where that is allowed.

    `git_hosts` are the servers that may be asked, as the setting says; None: those with public names.
    """

    def __init__(self, folder: Path, *, allow_local: bool, git_hosts: Sequence[str] | None = None) -> None:
        self._folder = folder
        self._allow_local = allow_local
        self._hosts = GitHosts(git_hosts)
        self._mirrors: dict[str, Mirror] = {}
        self._files: Memory[bytes] = Memory()
        self._diffs: Memory[DiffFacts] = Memory(FACTS)
        self._authors: Memory[Author] = Memory(FACTS)
        # Threads of its own: a server that hangs must not take those that others wait for.
        self._threads = ThreadPoolExecutor(THREADS, "git")
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, PER_SERVER))

    async def resolve(self, repository: str, revision: str) -> str:
        """Return the commit that a tag, a branch or a commit names now; an annotated tag is followed.

        Raises InvalidChange for a name that Git may not be given, NotFound and UpstreamUnavailable.
        """
        try:
            check_revision(revision)
        except ValueError as error:
            raise invalid(REVISION, revision, "a tag, a branch or a commit") from error
        mirror = self._mirror(repository)
        if not mirror.local:
            self._hosts.check(repository)  # also where the mirror has everything already
        commit = revision if _SHA.match(revision) else None
        if commit is None or not await self._in_thread(mirror.has, commit):
            await self._fetch(mirror, repository, commit)
        return await self._in_thread(_named, mirror, repository, revision)

    async def read(self, repository: str, commit: str, path: str, *, field: str = PATHS) -> bytes:
        """Return one file at one commit. Raises InvalidChange naming `field` when there is no such file."""
        clean = _path(path, field)
        self._mirror(repository)  # checks whether the repository may be read at all
        question = repository, commit, clean
        known = self._files.get(question)
        if known is None:
            mirror = await self._holding(repository, commit)
            known = await self._in_thread(_read, mirror, commit, clean, field)
            self._files.put(question, known, len(known))
        return known

    async def check_paths(self, repository: str, commit: str, paths: list[str]) -> None:
        """Return if every path is a file at that commit. Raises InvalidChange with each that is not."""
        mirror = await self._holding(repository, commit)
        await self._in_thread(_check_paths, mirror, commit, paths)

    async def diff(self, repository: str, base: str | None, commit: str, paths: list[str]) -> DiffFacts:
        """Return how the files differ between two commits; everything is new where there is no base.

        Raises NotFound when the base is not in the repository any more.
        """
        self._mirror(repository)
        question = repository, base, commit, *paths
        known = self._diffs.get(question)
        if known is None:
            mirror = await self._holding(repository, commit)
            if base is not None:
                await self._holding(repository, base, "the commit that succeeded last")
            known = await self._in_thread(_diff, mirror, base, commit, paths)
            self._diffs.put(question, known, len(known.model_dump_json()))
        return known

    async def author(self, repository: str, commit: str) -> Author:
        """Return who wrote a commit, and who put it into the repository."""
        self._mirror(repository)
        known = self._authors.get((repository, commit))
        if known is None:
            known = await self._in_thread(_author, await self._holding(repository, commit), commit)
            self._authors.put((repository, commit), known, len(known.model_dump_json()))
        return known

    async def _in_thread(self, ask: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        work = partial(ask, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _mirror(self, repository: str) -> Mirror:
        local = check(repository, allow_local=self._allow_local)
        name = hashlib.sha256(repository.encode()).hexdigest()[:32]
        if name not in self._mirrors:
            self._mirrors[name] = Mirror(
                self._folder / f"{name}.git", repository, local=local, reach=self._hosts.reach
            )
        return self._mirrors[name]

    async def _holding(self, repository: str, commit: str, field: str = REVISION) -> Mirror:
        """Return the mirror, after making sure that it holds the commit."""
        if not _SHA.match(commit):
            raise invalid(field, commit, "a full commit")
        mirror = self._mirror(repository)
        if not await self._in_thread(mirror.has, commit):
            await self._fetch(mirror, repository, commit)
            if not await self._in_thread(mirror.has, commit):
                raise NotFound(
                    f"Unknown commit: {field} is {commit!r}, which is not in {repository!r}.", field=field
                )
        return mirror

    async def _fetch(self, mirror: Mirror, repository: str, commit: str | None) -> None:
        """Fetch, at most so many at once from one server; what mirrors hold is read meanwhile."""
        asked = time.monotonic()
        async with self._turns[host_of(repository)]:
            await self._in_thread(mirror.fetch, commit, asked=asked)


def _named(mirror: Mirror, repository: str, revision: str) -> str:
    """Return the commit that a name means in the mirror, and keep it readable. Raises NotFound."""
    names = [f"refs/tags/{revision}", f"refs/heads/{revision}"]
    if _SHORT_SHA.match(revision):
        names.append(revision)
    for name in names:
        found = mirror.ask(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", missing=b""
        )
        commit = found.decode().strip()
        if _SHA.match(commit):
            mirror.keep(commit)
            return commit
    raise NotFound(
        f"Unknown revision: {REVISION} is {revision!r}, no tag, branch or commit of {repository!r}.",
        field=REVISION,
    )


def _read(mirror: Mirror, commit: str, path: str, field: str) -> bytes:
    blob = _blob(_listed(mirror, commit, [path]), commit, path, field)
    return mirror.ask("cat-file", "blob", blob)


def _check_paths(mirror: Mirror, commit: str, paths: list[str]) -> None:
    asked = [path for path in paths if _allowed(path)]
    listed = _listed(mirror, commit, [_path(path, PATHS) for path in asked]) if asked else {}
    mistakes = []
    for index, path in enumerate(paths):
        field = f"{PATHS}[{index}]"
        try:
            _blob(listed, commit, _path(path, field), field)
        except InvalidChange as error:
            mistakes += error.detail["mistakes"]
    if mistakes:
        raise InvalidChange(" ".join(mistake["message"] for mistake in mistakes[:3]), mistakes=mistakes)


def _diff(mirror: Mirror, base: str | None, commit: str, paths: list[str]) -> DiffFacts:
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


def _author(mirror: Mirror, commit: str) -> Author:
    form = "%an <%ae>%x00%cn <%ce>%x00%aI%x00%s"
    said = mirror.ask("show", "-s", "--no-show-signature", f"--format={form}", commit)
    author, committer, at, summary = said.decode("utf-8", "replace").rstrip("\n").split("\0")
    return Author(
        author=author[:LONGEST_WORDS],
        committer=committer[:LONGEST_WORDS],
        authored_at=_moment(at),
        summary=summary[:LONGEST_WORDS],
    )


def _path(path: str, field: str) -> str:
    """Return the path as Git writes it. Raises InvalidChange naming `field` if it may not be asked for."""
    try:
        return str(PurePosixPath(check_path(path)))
    except ValueError as error:
        raise invalid(field, path, "a path inside the repository") from error


def _allowed(path: str) -> bool:
    try:
        check_path(path)
    except ValueError:
        return False
    return True


def _listed(mirror: Mirror, commit: str, paths: list[str]) -> dict[str, bytes]:
    """Return what `ls-tree` says of each path that is there: mode, kind, name of the blob, size."""
    told = mirror.ask("ls-tree", "-z", "-l", "--full-tree", commit, "--", *paths)
    lines = (line.partition(b"\t") for line in told.split(b"\0") if line)
    return {name.decode("utf-8", "surrogateescape"): facts for facts, _, name in lines}


def _blob(listed: dict[str, bytes], commit: str, path: str, field: str) -> str:
    """Return the name of the file's content. Raises InvalidChange naming `field` for what is no file."""
    if path not in listed:
        raise invalid(field, path, f"a file of the repository at commit {commit[:12]}")
    mode, kind, blob, size = listed[path].split()
    if kind != b"blob" or mode == b"120000":
        raise invalid(field, path, "a file, not a folder, a link or a submodule")
    if int(size) > LARGEST_FILE:
        raise invalid(field, path, f"a file of at most {LARGEST_FILE} bytes")
    return blob.decode()


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
