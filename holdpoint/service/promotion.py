"""Promotion: bring to one environment exactly what succeeded in another, by the commit that it had there.

The file still says where and how; what it renders at that commit must be the same artifact.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection

from holdpoint.ledger import ladder, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.artifact import Artifact
from holdpoint.models.errors import Conflict, InvalidRequest
from holdpoint.models.settings import Settings
from holdpoint.models.ticket import TicketView
from holdpoint.service.prepare import Asked

FIELD = "promote_from"
MOST_NAMED = 5
"""Images that an error lists of each side."""


@dataclass(frozen=True)
class Origin:
    """The success that a change is promoted from."""

    ticket: str
    commit: str
    repository: str
    artifact: Artifact
    environment: str


def check(asked: Asked, environment: str, settings: Settings) -> Asked:
    """Return what is asked for, as something else than the file alone. Raises InvalidRequest."""
    own = asked.change.metadata.environment
    allowed = ", ".join(name for name in settings.environments if name != own)
    if environment == own or environment not in settings.environments:
        why = "is where the change goes" if environment == own else "is no environment of the settings"
        message = f"{FIELD} is {environment!r}, which {why}; allowed: {allowed}."
        mistake = {"field": FIELD, "found": environment, "allowed": allowed, "message": message}
        raise InvalidRequest(message, mistakes=[mistake])
    text = f"{asked.digest}\0promoted from\0{environment}"
    return asked.model_copy(update={"digest": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"})


async def promoted(asked: Asked, environment: str, *, ledger: Ledger) -> tuple[Asked, Origin]:
    """Return the change at the commit of the service's last success there. Raises Conflict."""
    service = asked.change.metadata.service
    found = await ledger.read(_last, service, environment)
    if found is None:
        raise Conflict(
            f"Nothing of {service} has succeeded in {environment}, so there is nothing to promote. Submit it "
            f"to {environment} first.",
            environment=environment,
        )
    if found.repository != asked.repository:
        raise Conflict(
            f"{found.ticket}, the last success of {service} in {environment}, came from {found.repository}, "
            f"and spec.source.repository is {asked.repository}. Only the same repository has its commit.",
            ticket=found.ticket,
        )
    spec = asked.change.spec
    source = spec.source.model_copy(update={"revision": found.commit})
    change = asked.change.model_copy(update={"spec": spec.model_copy(update={"source": source})})
    return asked.model_copy(update={"change": change}), found


def check_same(origin: Origin, artifact: Artifact) -> None:
    """Return if that is what succeeded. Raises Conflict, naming what differs."""
    if artifact.digest == origin.artifact.digest:
        return
    raise Conflict(
        f"At {origin.commit[:12]}, the commit of {origin.ticket}, this file renders another artifact than "
        f"the one that succeeded in {origin.environment}: {_named(artifact)} instead of "
        f"{_named(origin.artifact)}. Bring its paths to the same images, have that commit succeed in "
        f"{origin.environment}, and promote it then.",
        ticket=origin.ticket,
        found=artifact.digest,
        succeeded=origin.artifact.digest,
    )


def _last(db: Connection, service: str, environment: str) -> Origin | None:
    ticket = ladder.last_success(db, service=service, environment=environment)
    if ticket is None:
        return None
    view: TicketView = tickets.get_ticket(db, ticket)
    stored: StoredChange = tickets.change_of(db, ticket)
    if view.artifact is None:
        return None
    return Origin(ticket, stored.commit, stored.repository, view.artifact, environment)


def _named(artifact: Artifact) -> str:
    """Return an artifact in words."""
    if not artifact.images:
        return f"objects without an image ({artifact.digest[:19]})"
    more = len(artifact.images) - MOST_NAMED
    return ", ".join(artifact.images[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
