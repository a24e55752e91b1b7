"""Git: which commit a revision is, what its files say, and how it differs from what ran before.

One mirror per repository in the data folder (`git_mirror.py` runs Git). A revision is resolved once, at
submit; all later questions name the commit.
"""

import asyncio
import hashlib
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath
from typing import ParamSpec, TypeVar

from holdpoint.clients import git_facts, git_rendering, git_tree
from holdpoint.clients.git_access import Access
from holdpoint.clients.git_branches import GitBranches
from holdpoint.clients.git_facts import LARGEST_FILE
from holdpoint.clients.git_hosts import GitHosts, host_of
from holdpoint.clients.git_memory import FACTS, Memory
from holdpoint.clients.git_mirror import Mirror, check
from holdpoint.clients.git_refusals import invalid
from holdpoint.clients.git_rendering import Overlaid, Rendered
from holdpoint.clients.git_tree import Entry
from holdpoint.clients.rendering import Renderers
from holdpoint.models.errors import InvalidChange, NotFound
from holdpoint.models.git_names import check_path, check_revision
from holdpoint.models.git_push import GitPush, repository_key
from holdpoint.models.policy import Author, DiffFacts
from holdpoint.models.source import Source

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 8
"""Questions to Git at once; each is a process of its own, mostly waiting."""

PER_SERVER = 3
"""Of these for fetches from one server: one that hangs must not take what changes of other servers need."""

RENDERINGS = 2
"""Renderings at once: each may take a gigabyte, and nobody waits for more than a second or two."""

REVISION, PATHS = "spec.source.revision", "spec.source.paths"

_SHA = re.compile(r"^[0-9a-f]{40}$")
_SHORT_SHA = re.compile(r"^[0-9a-f]{7,40}$")


class Repositories:
    """The repositories of all changes, mirrored below `folder`. Local paths only where that is allowed.

    `git_hosts` are the servers that may be asked, as the setting says; None: those with public names. What
    `git_push` lists may be pushed to, and so may local paths.
    """

    def __init__(
        self,
        folder: Path,
        *,
        allow_local: bool,
        git_hosts: Sequence[str] | None = None,
        renderers: Renderers | None = None,
        git_push: Sequence[GitPush] = (),
    ) -> None:
        self._folder = folder
        self._push = {one.key: one for one in git_push}
        self.branches = GitBranches(self)
        self._renderers = renderers or Renderers()
        self._allow_local = allow_local
        self._hosts = GitHosts(git_hosts)
        self._mirrors: dict[str, Mirror] = {}
        self._files: Memory[bytes] = Memory()
        self._rendered: Memory[bytes] = Memory()
        self._renderings = asyncio.Semaphore(RENDERINGS)
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
        if commit is None or not await self.in_thread(mirror.has, commit):
            await self.fetch(mirror, repository, commit)
        return await self.in_thread(_named, mirror, repository, revision)

    async def read(self, repository: str, commit: str, path: str, *, field: str = PATHS) -> bytes:
        """Return one file at one commit. Raises InvalidChange naming `field` when there is no such file."""
        clean = _path(path, field)
        self._mirror(repository)  # checks whether the repository may be read at all
        question = repository, commit, clean
        known = self._files.get(question)
        if known is None:
            mirror = await self._holding(repository, commit)
            known = await self.in_thread(_read, mirror, commit, clean, field)
            self._files.put(question, known, len(known))
        return known

    async def render(self, repository: str, commit: str, wanted: Rendered) -> bytes:
        """Return the manifests that an overlay or a chart renders to at one commit, the same at each call.

        Raises InvalidChange with the field and the renderer's words, and UpstreamUnavailable without it.
        """
        self._mirror(repository)
        version = await self.in_thread(self._renderers.version, wanted.program)
        question = repository, commit, wanted.program.name, version, wanted.key
        known = self._rendered.get(question)
        if known is None:
            mirror = await self._holding(repository, commit)
            async with self._renderings:
                known = await self.in_thread(git_rendering.render, mirror, commit, wanted, self._renderers)
            self._rendered.put(question, known, len(known))
        return known

    async def rendered_from(self, repository: str, commit: str, wanted: Rendered) -> list[str]:
        """Return the files that an overlay or a chart is made of at one commit. Raises InvalidChange."""
        mirror = await self._holding(repository, commit)
        return await self.in_thread(git_rendering.paths_of, mirror, commit, wanted)

    async def check_source(self, repository: str, commit: str, source: Source) -> None:
        """Return if all that the source names is there at that commit.

        Raises InvalidChange with each path that is not.
        """
        mirror = await self._holding(repository, commit)
        await self.in_thread(_check_paths, mirror, commit, source)

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
            known = await self.in_thread(git_facts.diff, mirror, base, commit, paths)
            self._diffs.put(question, known, len(known.model_dump_json()))
        return known

    async def author(self, repository: str, commit: str) -> Author:
        """Return who wrote a commit, and who put it into the repository."""
        self._mirror(repository)
        known = self._authors.get((repository, commit))
        if known is None:
            known = await self.in_thread(git_facts.author, await self._holding(repository, commit), commit)
            self._authors.put((repository, commit), known, len(known.model_dump_json()))
        return known

    def writable(self, repository: str, *, field: str = "gitCommit.repository") -> Mirror:
        """Return the mirror of a repository that may be pushed to.

        Raises InvalidChange for any other: whose credentials are used is not a change file's to say.
        """
        mirror = self._mirror(repository)
        if not mirror.local and repository_key(repository) not in self._push:
            raise invalid(field, repository, "one that git_push of Holdpoint's settings lists")
        return mirror

    async def in_thread(self, ask: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what a question that blocks returns, asked in a thread of Git's own."""
        work = partial(ask, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _mirror(self, repository: str) -> Mirror:
        local = check(repository, allow_local=self._allow_local)
        name = hashlib.sha256(repository.encode()).hexdigest()[:32]
        if name not in self._mirrors:
            self._mirrors[name] = Mirror(
                self._folder / f"{name}.git",
                repository,
                local=local,
                reach=self._hosts.reach,
                access=Access(self._push.get(repository_key(repository))),
            )
        return self._mirrors[name]

    async def _holding(self, repository: str, commit: str, field: str = REVISION) -> Mirror:
        """Return the mirror, after making sure that it holds the commit."""
        if not _SHA.match(commit):
            raise invalid(field, commit, "a full commit")
        mirror = self._mirror(repository)
        if not await self.in_thread(mirror.has, commit):
            await self.fetch(mirror, repository, commit)
            if not await self.in_thread(mirror.has, commit):
                raise NotFound(
                    f"Unknown commit: {field} is {commit!r}, which is not in {repository!r}.", field=field
                )
        return mirror

    async def fetch(self, mirror: Mirror, repository: str, commit: str | None) -> None:
        """Fetch, at most so many at once from one server; what mirrors hold is read meanwhile."""
        asked = time.monotonic()
        async with self._turns[host_of(repository)]:
            await self.in_thread(mirror.fetch, commit, asked=asked)


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
    blob = _blob(git_tree.look(mirror, commit, [path]), commit, path, field)
    return mirror.ask("cat-file", "blob", blob)


def _check_paths(mirror: Mirror, commit: str, source: Source) -> None:
    named = _named_paths(source)
    asked = [_path(path, PATHS) for _, path in named if _allowed(path)]
    found = git_tree.look(mirror, commit, asked)
    mistakes = []
    for field, path in named:
        try:
            _blob(found, commit, _path(path, field), field)
        except InvalidChange as error:
            mistakes += error.detail["mistakes"]
    if not mistakes and source.kustomize is not None:
        git_rendering.paths_of(mirror, commit, Overlaid(source.kustomize))
    if mistakes:
        raise InvalidChange(" ".join(mistake["message"] for mistake in mistakes[:3]), mistakes=mistakes)


def _named_paths(source: Source) -> list[tuple[str, str]]:
    """Return each file that must be there, with the field that names it."""
    named = [(f"{PATHS}[{index}]", path) for index, path in enumerate(source.paths)]
    if source.helm is not None:
        named.append(("spec.source.helm.chart", str(PurePosixPath(source.helm.chart) / "Chart.yaml")))
        named += [
            (f"spec.source.helm.values[{index}]", path) for index, path in enumerate(source.helm.values)
        ]
    return named


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


def _blob(found: dict[str, Entry], commit: str, path: str, field: str) -> str:
    """Return the name of the file's content. Raises InvalidChange naming `field` for what is no file."""
    entry = found.get(path)
    if entry is None:
        raise invalid(field, path, f"a file of the repository at commit {commit[:12]}")
    if not entry.is_file:
        raise invalid(field, path, "a file, not a folder, a link or a submodule")
    if entry.size > LARGEST_FILE:
        raise invalid(field, path, f"a file of at most {LARGEST_FILE} bytes")
    return entry.name
