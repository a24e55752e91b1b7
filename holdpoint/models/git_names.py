"""What may be passed to Git: names that Git would read as an option or a command are refused here, by their form."""

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

_SCP_LIKE = re.compile(r"^[A-Za-z0-9._][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:(?!:)[^-].*$")
_REVISION = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._/+-]*$")
_SCHEMES = {"https", "http", "ssh", "file"}


def check_repository(value: str) -> str:
    """Return `value` if it is a path or a URL that Git may be given. Raises ValueError."""
    if value.startswith("-") or "::" in value or any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValueError(
            "must be a path or an https, http, ssh or file URL, not an option or a transport helper"
        )
    if "://" in value:
        url = urlsplit(value)
        if url.scheme not in _SCHEMES:
            raise ValueError(f"scheme {url.scheme!r} is not one of https, http, ssh, file")
        if (url.hostname or "").startswith("-") or (url.path or "").startswith("-"):
            raise ValueError("host and path of a URL may not begin with '-'")
        if url.password is not None:
            raise ValueError("must not carry a password; give the credentials to the server's settings")
    elif "@" in value.split("/", 1)[0] and not _SCP_LIKE.match(value):
        raise ValueError("must be a path, a URL, or user@host:path")
    return value


def check_revision(value: str) -> str:
    """Return `value` if it can only be a tag, a branch or a commit. Raises ValueError."""
    if not _REVISION.match(value) or ".." in value or value.endswith((".lock", "/", ".")) or "//" in value:
        raise ValueError("must be a tag, a branch or a commit, and may not begin with '-'")
    return value


def check_path(value: str) -> str:
    """Return `value` if it is a path that stays inside a repository. Raises ValueError."""
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or value.startswith("-") or "\\" in value:
        raise ValueError("must be a path inside the repository, relative to its root")
    if any(ord(c) < 32 or ord(c) == 127 for c in value) or ".git" in path.parts:
        raise ValueError("must not hold control characters or point into .git")
    return value
