"""One bare mirror of one repository, and the only place that runs Git.

Git runs commands for its callers in many ways: transports, hooks, prompts, filters, pagers. Whatever a change
file or a repository may influence is shut off here; what is left is bounded in time.
"""

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from git.cmd import Git
from git.exc import GitCommandError, GitCommandNotFound, UnsafeProtocolError

from holdpoint.clients import git_refusals
from holdpoint.clients.git_access import Access
from holdpoint.clients.git_refusals import REPOSITORY, invalid, of_any
from holdpoint.ledger.files import locked
from holdpoint.models.errors import HoldpointError, NotFound, UpstreamUnavailable
from holdpoint.models.git_names import check_repository

FETCH_LIMIT = 90.0
"""Seconds for one fetch: enough for a large repository, and less than an activity that asks may take."""

READ_LIMIT = 20.0
"""Seconds for one question to the mirror, which is local."""

LOCK_LIMIT = FETCH_LIMIT + 10.0
"""Seconds to wait for somebody else's fetch of the same repository."""

KEPT = "refs/holdpoint"
"""Below it each commit that was resolved has a reference of its own name."""

Failed = Callable[[GitCommandError | GitCommandNotFound, str], HoldpointError | None]
"""What a failure of one command means to a caller; None: what it would mean of any."""

_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "gc.auto": "0",  # what a ticket was approved for must stay readable after a branch is rewritten
    "maintenance.auto": "false",
    "protocol.ext.allow": "never",
    # Nobody looked at where a redirect leads. With it goes objects/info/http-alternates, which names servers.
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
}


class Mirror:
    """A bare copy of `repository` in `folder`. Methods block and are safe in threads and across processes.

    `reach` is asked before the remote is: it says how to resolve the server's name, or raises. `access` has
    the credentials that the settings give for this repository.
    """

    def __init__(
        self,
        folder: Path,
        repository: str,
        *,
        local: bool,
        reach: Callable[[str], str | None],
        access: Access | None = None,
    ) -> None:
        self._path = folder
        self._access = access or Access()
        self._repository = repository
        self.local = local
        self._reach = reach
        self._fetch_began = 0.0
        self._outage: tuple[float, UpstreamUnavailable] | None = None
        self._fetching = threading.Lock()

    def fetch(self, commit: str | None, *, asked: float) -> None:
        """Bring every branch and tag up to date, and `commit` too if no branch or tag leads to it.

        `asked` is since when the caller waits, by the monotonic clock. Whatever fetch began later serves it,
        too, and one that failed meanwhile failed for it: a server that hangs would else be waited for by one
        after the other. Raises NotFound, InvalidChange and UpstreamUnavailable.
        """
        with self._fetching, self._locked():
            if self._outage is not None and self._outage[0] > asked:
                raise UpstreamUnavailable(self._outage[1].message, upstream="git")
            if self._fetch_began <= asked:
                began = time.monotonic()
                self._create()
                try:
                    self._fetch("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
                except UpstreamUnavailable as error:
                    self._outage = time.monotonic(), error
                    raise
                self._fetch_began = began
            if commit is not None and not self.has(commit):
                with contextlib.suppress(NotFound, UpstreamUnavailable):
                    self._fetch(commit)

    def has(self, commit: str) -> bool:
        """Tell whether the mirror holds this commit."""
        return self._keeps(commit) or self.ask("cat-file", "-t", commit, missing=b"") == b"commit\n"

    def keep(self, commit: str) -> None:
        """Keep a commit readable, whatever becomes of the branch that it was found by."""
        if not self._keeps(commit):
            self._run(["update-ref", f"{KEPT}/{commit}", commit])

    def _keeps(self, commit: str) -> bool:
        """Tell whether the commit is kept, by the file of its reference: no process for what is asked most.

        Git writes the reference after it has seen the commit. A packed one has no file; then Git is asked.
        """
        try:
            return (self._path / KEPT / commit).read_text() == f"{commit}\n"
        except (OSError, ValueError):
            return False

    def ask(self, *arguments: str, missing: bytes | None = None, feed: bytes | None = None) -> bytes:
        """Return what Git prints when it reads `feed`.

        `missing` is the answer where Git fails; without it a failure is raised.
        """
        if not (self._path / "HEAD").exists():
            if missing is None:
                raise NotFound("The mirror of this repository is gone. Submit the change again.")
            return missing
        try:
            return self._run(list(arguments), limit=READ_LIMIT, feed=feed)
        except (NotFound, UpstreamUnavailable):
            if missing is None:
                raise
            return missing

    def _fetch(self, *refspecs: str) -> None:
        options = [
            "--force",
            "--prune",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--quiet",
        ]
        if len(refspecs) == 1:
            options.remove("--prune")
        self._ask_remote(["fetch", *options, "--end-of-options", self._repository, *refspecs])

    def push(self, commit: str, branch: str, *, expected: str, limit: float, dry: bool = False) -> None:
        """Have the branch be at `commit` if it is at `expected` now, within `limit` seconds; `dry` only asks.

        Raises Conflict where it is not, AccessDenied where the server refuses, and UpstreamUnavailable, after
        which nobody knows whether it landed.
        """
        ref = f"refs/heads/{branch}"
        options = ["--porcelain", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no"]
        options += [f"--force-with-lease={ref}:{expected}", *(["--dry-run"] if dry else [])]
        command = ["push", *options, "--end-of-options", self._repository, f"{commit}:{ref}"]
        self._ask_remote(command, limit=limit, failed=git_refusals.of_push)

    def make(self, *arguments: str, feed: bytes = b"", index: Path | None = None) -> str:
        """Return what Git prints of an object that it makes in the mirror, under the settings' identity."""
        added = self._access.identity | ({} if index is None else {"GIT_INDEX_FILE": str(index)})
        return self._run(list(arguments), limit=READ_LIMIT, feed=feed, added=added).decode().strip()

    def _ask_remote(
        self, command: list[str], *, limit: float | None = None, failed: Failed | None = None
    ) -> None:
        resolved = None if self.local else self._reach(self._repository)
        settings = [("http.curloptResolve", resolved)] if resolved else []
        self._run(
            command,
            limit=limit,
            settings=[*settings, *self._access.settings()],
            added=self._access.environment,
            failed=failed,
        )

    def _create(self) -> None:
        """Make the bare repository; what a killed fetch left locked is unlocked: we hold the real lock."""
        if not (self._path / "HEAD").exists():
            shutil.rmtree(self._path, ignore_errors=True)
            self._path.mkdir(parents=True, mode=0o700)
            self._run(["init", "--quiet", "--bare", "--template="])
        for stale in self._path.glob("*.lock"):
            stale.unlink(missing_ok=True)
        for stale in (self._path / "refs").rglob("*.lock"):
            stale.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of this mirror among all processes of this machine."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.with_suffix(".lock").open("w") as lock:
            if not locked(lock.fileno(), LOCK_LIMIT):
                raise UpstreamUnavailable("Another fetch of this repository does not end.", upstream="git")
            yield

    def _run(
        self,
        arguments: Sequence[str],
        *,
        limit: float | None = None,
        settings: Sequence[tuple[str, str]] = (),
        feed: bytes | None = None,
        added: Mapping[str, str] | None = None,
        failed: Failed | None = None,
    ) -> bytes:
        limit = FETCH_LIMIT if limit is None else limit
        command = ["git", f"--git-dir={self._path}", "--no-pager", *arguments]
        try:
            with _readable(feed) as read:
                answer = Git(str(self._path.parent)).execute(
                    command,
                    istream=read,
                    env={**self._environment([*_SETTINGS.items(), *settings]), **(added or {})},
                    kill_after_timeout=limit,
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                )
        except (GitCommandError, GitCommandNotFound) as error:
            if failed is not None and (refusal := failed(error, self._repository)) is not None:
                raise refusal from error
            raise of_any(error, self._repository, limit, local=self.local) from error
        return answer if isinstance(answer, bytes) else b""

    def _environment(self, settings: Sequence[tuple[str, str]]) -> dict[str, str]:
        known = {
            "GIT_ALLOW_PROTOCOL": "https:http:ssh" + (":file" if self.local else ""),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "SSH_ASKPASS": "",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for index, (key, value) in enumerate(settings):
            known |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
        if self.local:
            known |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": str(self._trusting())}
        return known

    def _trusting(self) -> Path:
        """Return settings that let Git read a local repository that another user owns.

        Git passes only this file to the process that serves a local repository, not our other settings.
        Reading needs no trust: hooks and filters do not run on the serving side.
        """
        file = self._path.parent / "local.gitconfig"
        if not file.exists():
            file.write_text("[safe]\n\tdirectory = *\n[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n")
        return file


@contextlib.contextmanager
def _readable(feed: bytes | None) -> Iterator[BinaryIO | None]:
    """Give a file that Git reads these bytes from; None where it reads nothing."""
    if feed is None:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        file.write(feed)
        file.seek(0)
        yield cast(BinaryIO, file)  # typeshed has an IO[bytes]


def check(repository: str, *, allow_local: bool) -> bool:
    """Return whether the repository is on this machine's disk. Raises InvalidChange if it may not be."""
    local = repository.startswith("file://") or (
        "://" not in repository and "@" not in repository.split("/", 1)[0]
    )
    try:
        check_repository(repository)
        Git.check_unsafe_protocols(repository)
    except (ValueError, UnsafeProtocolError) as error:
        raise invalid(REPOSITORY, repository, "a path or an https, http, ssh or file URL") from error
    if local and not allow_local:
        raise invalid(REPOSITORY, repository, "a URL: local paths are for the embedded stack only")
    if local and not Path(repository.removeprefix("file://")).is_absolute():
        raise invalid(REPOSITORY, repository, "an absolute path")
    return local
