"""What it means to a caller when Git fails: a mistake, a "no" of the server, or an outage."""

import re

from git.exc import GitCommandError, GitCommandNotFound

from holdpoint.models.errors import (
    AccessDenied,
    Conflict,
    HoldpointError,
    InvalidChange,
    NotFound,
    UpstreamUnavailable,
)
from holdpoint.models.redact import redact

REPOSITORY = "spec.source.repository"

LONGEST_WORDS = 300

_ABSENT = (
    "not found",
    "does not appear to be a git repository",
    "does not exist",
    "could not read Username",
    "Authentication failed",
    "Permission denied",
    "not a git repository",
)
_REDIRECTED = re.compile(r"requested URL returned error: 30[12378]")
_ABSENT_HERE = ("Could not read from remote repository",)
"""What Git says of a local file that is no repository; of a remote one it can mean an outage."""

_MOVED = re.compile(
    r"\[rejected\] \((stale info|fetch first|non-fast-forward)\)"
    r"|\[remote rejected\].*\((failed to update ref|incorrect old value|reference already exists)"
    r"|cannot lock ref"
)
_REFUSED = re.compile(r"\[remote rejected\][^(]*\((?P<why>.*)\)")
_DENIED = re.compile(
    r"requested URL returned error: 403|Permission denied|Authentication failed|not allowed to push"
)


def of_push(error: GitCommandError | GitCommandNotFound, repository: str) -> HoldpointError | None:
    """Return what the server said no to; None where it is no answer to a push."""
    said = f"{error.stdout or ''}\n{error.stderr or ''}"
    if _MOVED.search(said):
        return Conflict(f"The branch of {repository} has moved meanwhile.", reason="precondition")
    if match := _REFUSED.search(said):
        words = redact(" ".join([match["why"], *_remote_words(said)]))[:LONGEST_WORDS]
        return AccessDenied(f"{repository} refuses the push: {words}.")
    if _DENIED.search(said):
        return AccessDenied(
            f"{repository} may not be pushed to with these credentials. "
            "Check its entry in git_push of Holdpoint's settings."
        )
    return None


def _remote_words(said: str) -> list[str]:
    """Return what the server's hooks say to people."""
    lines = (line.partition("remote:")[2].strip() for line in said.splitlines())
    return [line for line in lines if line]


def invalid(field: str, found: str, allowed: str) -> InvalidChange:
    """Return the mistake of one field, as the change file's own mistakes look."""
    message = f"{field} is {found[:80]!r}; it must be {allowed}."
    return InvalidChange(
        message,
        mistakes=[{"field": field, "found": found[:80], "allowed": allowed, "message": message}],
    )


def of_any(
    error: GitCommandError | GitCommandNotFound, repository: str, limit: float, *, local: bool
) -> HoldpointError:
    """Return what a failure of Git means to a caller."""
    # GitPython quotes what Git said: "\n  stderr: 'fatal: …'".
    said = str(error.stderr or error).strip().removeprefix("stderr:").strip().strip("'").strip()
    lines = said.splitlines() or [""]
    last = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1])
    if "Timeout: the command" in said:
        return UpstreamUnavailable(
            f"Git did not finish within {limit:g} s: {REPOSITORY} is {repository!r}.", upstream="git"
        )
    if "not allowed" in said and "transport" in said:
        return invalid(REPOSITORY, repository, "a path or an https, http, ssh or file URL")
    if _REDIRECTED.search(said):
        return invalid(REPOSITORY, repository, "the address that its server redirects to: none is followed")
    if "URL using bad/illegal format" in said:
        return invalid(REPOSITORY, repository, "a URL that can be read")
    if any(words in said for words in (*_ABSENT, *(_ABSENT_HERE if local else ()))):
        return NotFound(
            f"Repository not found, or this server may not read it: {REPOSITORY} is {repository!r}.",
            field=REPOSITORY,
        )
    return UpstreamUnavailable(f"Git failed for {REPOSITORY} {repository!r}: {last[:300]}", upstream="git")
