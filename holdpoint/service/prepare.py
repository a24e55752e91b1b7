"""From a submitted file to a change that can become a ticket: read, and its revision resolved once."""

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

from holdpoint.clients.git import Repositories
from holdpoint.clients.http_peers import Peers
from holdpoint.models.base import Digest, Model
from holdpoint.models.change import Change
from holdpoint.models.errors import InvalidChange, StepConfig
from holdpoint.models.http_names import masked_url
from holdpoint.models.settings import Settings
from holdpoint.models.waves import matching
from holdpoint.service.change_file import canonical, read_change
from holdpoint.service.change_targets import Labels

LONGEST_BASE = 4096
FIELD = "spec.source.repository"


class Asked(Model):
    """A valid change with its repository: what can be known without asking Git.

    `digest` is of what was submitted, formatting aside.
    """

    change: Change
    repository: str
    targets: list[str]
    digest: Digest

    @property
    def target(self) -> str:
        """Return the target's key; of many, the first one's."""
        return self.targets[0]

    @property
    def many(self) -> list[str]:
        """Return the keys of the targets, in the order of the waves; empty for a change of one `target`."""
        return self.targets if self.change.spec.targets is not None else []


class Prepared(Asked):
    """A valid change with its repository and its commit."""

    commit: str


async def prepare(text: str, base: str | None, *, repositories: Repositories, settings: Settings) -> Prepared:
    """Return the change, ready to be opened. Raises InvalidChange, NotFound and UpstreamUnavailable."""
    return await resolve(read_asked(text, base, settings=settings), repositories=repositories)


def read_asked(text: str, base: str | None, *, settings: Settings) -> Asked:
    """Return what a file asks for. Raises InvalidChange."""
    labels = {name: cluster.labels for name, cluster in settings.clusters.items()}
    change = read_change(
        text,
        environments=settings.environments,
        clusters=list(labels),
        judges=list(settings.judges),
        labels=labels,
    )
    check_requests(change, settings)
    repository = resolve_repository(change.spec.source.repository, base, local=settings.local_repositories)
    return Asked(
        change=change,
        repository=repository,
        targets=target_keys(change, labels),
        digest=content_digest(change, repository),
    )


def check_requests(change: Change, settings: Settings) -> None:
    """Hold that the settings allow every request of the change, an undo's as well. Raises InvalidChange."""
    peers = Peers(settings.http_allow, settings.http_credentials)
    mistakes = []
    for index, step in enumerate(change.spec.plan.steps):
        if step.http is None:
            continue
        at, undo = f"spec.plan.steps[{index}].http", step.http.undo
        asked = [(f"{at}.url", step.http.url)] + ([(f"{at}.undo.url", undo.url)] if undo else [])
        for field, url in asked:
            try:
                peers.permit(url, step.http.credential)
            except StepConfig as error:
                mistakes.append(
                    {
                        "field": field,
                        "found": masked_url(url),
                        "allowed": "what http_allow of Holdpoint's settings covers",
                        "message": f"{field}: {error.message}",
                    }
                )
    if mistakes:
        raise InvalidChange(mistakes[0]["message"], mistakes=mistakes)


async def resolve(asked: Asked, *, repositories: Repositories) -> Prepared:
    """Return the change with its commit. Raises InvalidChange, NotFound and UpstreamUnavailable."""
    source = asked.change.spec.source
    for index, step in enumerate(asked.change.spec.plan.steps):
        if step.gitCommit is not None:
            field = f"spec.plan.steps[{index}].gitCommit.repository"
            repositories.writable(step.gitCommit.repository, field=field)
    commit = await repositories.resolve(asked.repository, source.revision)
    await repositories.check_source(asked.repository, commit, source)
    return Prepared(**dict(asked), commit=commit)


def target_keys(change: Change, labels: Labels) -> list[str]:
    """Return the key of each target's row in the ledger; a selector is resolved here, once."""
    spec = change.spec
    clusters = [spec.place.cluster] if spec.targets is None else matching(spec.targets, labels)
    return [f"{cluster}/{spec.namespace}/{change.metadata.service}" for cluster in clusters]


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
