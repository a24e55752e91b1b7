"""Branches of environment repositories: what is on them, and one commit more by compare-and-swap.

A push names the commit that it expects on the branch, and carries the marks of its ticket. So of two that go
out only one lands, and whoever comes later finds it by its marks.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, Protocol, TypeVar

from holdpoint.clients import git_writing
from holdpoint.clients.git_mirror import Mirror
from holdpoint.clients.git_writing import FileAt, Marked, Touch
from holdpoint.models.errors import StepConfig

P = ParamSpec("P")
R = TypeVar("R")

_SHA = re.compile(r"[0-9a-f]{40}")


class Branches(Protocol):
    """The branches of the repositories that may be pushed to.

    Every call raises InvalidChange for a repository that may not be, and UpstreamUnavailable without an
    answer.
    """

    def check(self, repository: str) -> None:
        """Hold that the repository may be pushed to, without asking it. Raises InvalidChange."""

    async def head(self, repository: str, branch: str) -> str:
        """Return the commit that the branch is at now. Raises StepConfig where there is no such branch."""

    async def files(self, repository: str, commit: str, paths: Sequence[str]) -> dict[str, FileAt]:
        """Return the files at these paths; what is not there is left out. Raises StepConfig for a link."""

    async def marked(self, repository: str, head: str, *, since: str, mark: str) -> list[Marked]:
        """Return the commits from after `since` up to `head` that carry the mark, oldest first."""

    async def touched(self, repository: str, head: str, *, since: str, path: str) -> Touch | None:
        """Return the last commit from after `since` up to `head` that touched the file."""

    async def merged(self, repository: str, current: bytes, *, base: bytes, other: bytes) -> bytes | None:
        """Return `current` with what leads from `base` to `other`; None where lines are in the way."""

    async def commit(
        self, repository: str, parent: str, contents: Mapping[str, bytes | None], message: str
    ) -> str:
        """Make a commit that is not on any branch yet; None removes a file."""

    async def push(
        self, repository: str, branch: str, commit: str, *, expected: str, limit: float, dry: bool = False
    ) -> None:
        """Have the branch be at `commit` if it is at `expected`; `dry` only asks.

        Raises Conflict where it has moved, and AccessDenied where the server refuses.
        """

    async def includes(self, repository: str, revision: str, commit: str) -> bool:
        """Tell whether a revision is the commit, or one that came after it."""


class Mirrors(Protocol):
    """What is needed of the Git client: the mirror of a repository that may be pushed to, and threads."""

    def writable(self, repository: str) -> Mirror:
        """Return the mirror. Raises InvalidChange where the repository may not be pushed to."""

    async def fetch(self, mirror: Mirror, repository: str, commit: str | None) -> None:
        """Bring every branch up to date, and this commit."""

    async def in_thread(self, ask: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what a question that blocks returns."""


class GitBranches:
    """The real ones, on the mirrors that changes are read from, too."""

    def __init__(self, mirrors: Mirrors) -> None:
        self._mirrors = mirrors

    def check(self, repository: str) -> None:
        """Hold that the repository may be pushed to."""
        self._mirrors.writable(repository)

    async def head(self, repository: str, branch: str) -> str:
        """Return the commit that the branch is at now."""
        mirror = self._mirrors.writable(repository)
        await self._mirrors.fetch(mirror, repository, None)
        found = await self._mirrors.in_thread(git_writing.head, mirror, branch)
        if found is None:
            raise StepConfig(f"Unknown branch: {repository} has no branch {branch!r}. Make it first.")
        return found

    async def files(self, repository: str, commit: str, paths: Sequence[str]) -> dict[str, FileAt]:
        """Return the files at these paths."""
        mirror = await self._holding(repository, commit)
        return await self._mirrors.in_thread(git_writing.files, mirror, commit, list(paths))

    async def marked(self, repository: str, head: str, *, since: str, mark: str) -> list[Marked]:
        """Return the commits that carry the mark."""
        mirror = await self._holding(repository, head)
        return await self._mirrors.in_thread(git_writing.marked, mirror, head, since, mark)

    async def touched(self, repository: str, head: str, *, since: str, path: str) -> Touch | None:
        """Return the last commit that touched the file."""
        mirror = await self._holding(repository, head)
        return await self._mirrors.in_thread(git_writing.touched, mirror, head, since, path)

    async def merged(self, repository: str, current: bytes, *, base: bytes, other: bytes) -> bytes | None:
        """Return the merge of three contents."""
        mirror = self._mirrors.writable(repository)
        return await self._mirrors.in_thread(git_writing.merged, mirror, current, base, other)

    async def commit(
        self, repository: str, parent: str, contents: Mapping[str, bytes | None], message: str
    ) -> str:
        """Make a commit."""
        mirror = await self._holding(repository, parent)
        return await self._mirrors.in_thread(git_writing.commit, mirror, parent, contents, message)

    async def push(
        self, repository: str, branch: str, commit: str, *, expected: str, limit: float, dry: bool = False
    ) -> None:
        """Have the branch be at the commit."""
        mirror = self._mirrors.writable(repository)
        started = time.monotonic()

        def send() -> None:
            left = limit - (time.monotonic() - started)  # without what was spent in waiting for a thread
            mirror.push(commit, branch, expected=expected, limit=max(0.1, left), dry=dry)

        await self._mirrors.in_thread(send)

    async def includes(self, repository: str, revision: str, commit: str) -> bool:
        """Tell whether a revision is the commit, or one that came after it."""
        if revision == commit or not _SHA.fullmatch(revision):
            return revision == commit
        mirror = self._mirrors.writable(repository)
        if not await self._mirrors.in_thread(mirror.has, revision):
            await self._mirrors.fetch(mirror, repository, revision)
        return await self._mirrors.in_thread(git_writing.includes, mirror, revision, commit)

    async def _holding(self, repository: str, commit: str) -> Mirror:
        mirror = self._mirrors.writable(repository)
        if not await self._mirrors.in_thread(mirror.has, commit):
            await self._mirrors.fetch(mirror, repository, commit)
            if not await self._mirrors.in_thread(mirror.has, commit):
                raise StepConfig(f"Unknown commit: {repository} has no {commit[:12]} any more.")
        return mirror


class NullBranches:
    """Of an installation that pushes nowhere: every repository is refused."""

    def check(self, repository: str) -> None:
        """Refuse."""
        raise _nowhere(repository)

    async def head(self, repository: str, branch: str) -> str:
        """Refuse."""
        raise _nowhere(repository)

    async def files(self, repository: str, commit: str, paths: Sequence[str]) -> dict[str, FileAt]:
        """Refuse."""
        raise _nowhere(repository)

    async def marked(self, repository: str, head: str, *, since: str, mark: str) -> list[Marked]:
        """Refuse."""
        raise _nowhere(repository)

    async def touched(self, repository: str, head: str, *, since: str, path: str) -> Touch | None:
        """Refuse."""
        raise _nowhere(repository)

    async def merged(self, repository: str, current: bytes, *, base: bytes, other: bytes) -> bytes | None:
        """Refuse."""
        raise _nowhere(repository)

    async def commit(
        self, repository: str, parent: str, contents: Mapping[str, bytes | None], message: str
    ) -> str:
        """Refuse."""
        raise _nowhere(repository)

    async def push(
        self, repository: str, branch: str, commit: str, *, expected: str, limit: float, dry: bool = False
    ) -> None:
        """Refuse."""
        raise _nowhere(repository)

    async def includes(self, repository: str, revision: str, commit: str) -> bool:
        """Refuse."""
        raise _nowhere(repository)


def _nowhere(repository: str) -> StepConfig:
    return StepConfig(f"{repository} may not be pushed to: no repository may.")
