"""What may be passed to Git: names that it would read as an option or a command are refused by their form.

Every check is a full match over the value, so that a newline at its end cannot smuggle a second line in.
"""

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

_SCP_LIKE = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:(?!:)[^-].*")
_REVISION = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9._/+@#=,-]*")
_GIT_HOST = re.compile(r"((?:\*\.)?[A-Za-z0-9_-][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_SCHEMES = ("https", "http", "ssh", "file")
_WILDCARDS = frozenset("*?[")


def check_repository(value: str) -> str:
    """Return `value` if it is a path or a URL that Git may be given. Raises ValueError."""
    if value.startswith("-") or "::" in value or not value.isprintable():
        raise ValueError(
            "must be a path or an https, http, ssh or file URL, "
            "not an option, a transport helper or control characters"
        )
    head = value.split("/", 1)[0]
    if "://" in value:
        _check_url(value)
    elif ":" in head and not _SCP_LIKE.fullmatch(value):
        # Git reads host:path as an SSH address even without a user.
        raise ValueError("must be a path, a URL, or user@host:path")
    return value


def _check_url(value: str) -> None:
    """Refuse a URL whose host Git or ssh could take for an option, and one that carries a password."""
    try:
        url = urlsplit(value)
        password, _ = url.password, url.port
    except ValueError as error:
        raise ValueError(f"is not a URL that can be read ({error})") from error
    if url.scheme not in _SCHEMES:
        raise ValueError(f"must have one of the schemes {', '.join(_SCHEMES)}, not {url.scheme!r}")
    if url.netloc.startswith("-") or "@-" in url.netloc or "%" in url.netloc or url.path.startswith("/-"):
        raise ValueError("must not have a user, host or path that begins with '-' or holds an escape")
    if " " in value:
        raise ValueError("must not have spaces in a URL; write %20")
    if url.scheme != "file" and not url.hostname:
        raise ValueError(f"must name a host, as a URL of scheme {url.scheme!r} does")
    if password is not None:
        raise ValueError("must not carry a password; give the credentials to the server's settings")


def check_revision(value: str) -> str:
    """Return `value` if it can only be a tag, a branch or a commit. Raises ValueError."""
    inside = ".." in value or "//" in value or "/." in value or ".lock/" in value
    if value == "@" or inside or not _REVISION.fullmatch(value) or value.endswith((".lock", "/", ".")):
        raise ValueError("must be the name of a tag or a branch, or a commit, and may not begin with '-'")
    return value


def check_branch(value: str) -> str:
    """Return `value` if it can only be the name of a branch. Raises ValueError."""
    check_revision(value)
    if value == "HEAD" or value.startswith("refs/"):
        raise ValueError("must be the name of a branch, such as main, without refs/")
    return value


def check_absolute(value: str) -> str:
    """Return a repository's address if it means the same everywhere: no path from here. Raises ValueError."""
    if "://" not in value and "@" not in value.split("/", 1)[0] and not value.startswith("/"):
        raise ValueError("must be a URL, or an absolute path in the embedded stack")
    return value


def check_path(value: str) -> str:
    """Return `value` if it is a path that stays inside a repository. Raises ValueError."""
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or value.startswith(("-", ":")) or "\\" in value:
        raise ValueError("must be a path inside the repository, relative to its root")
    if not path.parts:
        raise ValueError("must name a file, not the whole repository")
    if not value.isprintable() or any(part.lower() == ".git" for part in path.parts):
        raise ValueError("must not hold control characters or point into .git")
    if not _WILDCARDS.isdisjoint(value):
        raise ValueError("must name one file or folder; wildcards are not supported")
    return value


def check_folder(value: str) -> str:
    """Return `value` if it is a folder of a repository, which `.` is, too. Raises ValueError."""
    return value if value == "." else check_path(value)


def split_git_host(entry: str) -> tuple[str, int | None]:
    """Return host and port of an entry of `git_hosts`; no port means every one. Raises ValueError."""
    match = _GIT_HOST.fullmatch(entry)
    port = None if match is None or match[2] is None else int(match[2])
    if match is None or not (port is None or 0 < port < 65536):
        raise ValueError("must be a host such as git.example.com, git.example.com:8443 or *.example.com")
    return match[1].strip("[]"), port


def check_git_host(entry: str) -> str:
    """Return an entry of `git_hosts` as it may stand there. Raises ValueError."""
    split_git_host(entry)
    return entry
