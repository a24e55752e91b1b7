"""From a submitted file to a change that can become a ticket: read, and its revision resolved once."""

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

from holdpoint.clients.git import Repositories
from holdpoint.models.base import Digest, Model
from holdpoint.models.change import Change
from holdpoint.models.errors import InvalidChange
from holdpoint.models.settings import Settings
from holdpoint.service.change_file import canonical, read_change

LONGEST_BASE = 4096
FIELD = "spec.source.repository"


class Prepared(Model):
    """A valid change with its repository and its commit.

    `digest` is of what was submitted, formatting aside.
    """

    change: Change
    repository: str
    commit: str
    target: str
    digest: Digest


async def prepare(text: str, base: str | None, *, repositories: Repositories, settings: Settings) -> Prepared:
    """Return the change, ready to be opened. Raises InvalidChange, NotFound and UpstreamUnavailable."""
    change = read_change(text, environments=settings.environments, clusters=list(settings.clusters))
    repository = resolve_repository(change.spec.source.repository, base, local=settings.local_repositories)
    commit = await repositories.resolve(repository, change.spec.source.revision)
    await repositories.check_paths(repository, commit, change.spec.source.paths)
    return Prepared(
        change=change,
        repository=repository,
        commit=commit,
        target=target_key(change),
        digest=content_digest(change, repository),
    )


def target_key(change: Change) -> str:
    """Return the key of the target's row in the ledger."""
    target = change.spec.target
    return f"{target.cluster}/{target.namespace}/{change.metadata.service}"


def content_digest(change: Change, repository: str) -> Digest:
    """Return the digest of what is asked for; two files that say the same have the same."""
    return "sha256:" + hashlib.sha256(canonical(change) + b"\0" + repository.encode()).hexdigest()


def resolve_repository(repository: str, base: str | None, *, local: bool) -> str:
    """Return an absolute path or a URL; a relative path is taken from `base`. Raises InvalidChange.

    A path names a folder of the machine that the server runs on, so it is taken in the embedded stack only.
    """
    if not is_local(repository):
        return repository
    if not local:
        raise _mistake(repository, "a URL", "this server takes no local paths (`holdpoint up` does)")
    if "://" in repository:
        return repository
    path = Path(repository)
    if path.is_absolute():
        return str(path)
    if base is None or len(base) > LONGEST_BASE or "\0" in base or not Path(base).is_absolute():
        raise _mistake(
            repository, "an absolute path or a URL", "the folder of the change file was not sent with it"
        )
    return os.path.realpath(Path(base) / path)


def is_local(repository: str) -> bool:
    """Tell whether Git would read this from the server's own disk."""
    if "://" in repository:
        return urlsplit(repository).scheme == "file"
    return "@" not in repository.split("/", 1)[0]


def _mistake(found: str, allowed: str, why: str) -> InvalidChange:
    message = f"{FIELD} is {found!r}, but {why}."
    mistake = {"field": FIELD, "found": found, "allowed": allowed, "message": message}
    return InvalidChange(message, mistakes=[mistake])
