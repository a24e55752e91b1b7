"""What the routes stand on: the parts of one installation, and who asks."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from temporalio.converter import PayloadCodec

from holdpoint.clients.git import Repositories
from holdpoint.clients.kubernetes import Clusters
from holdpoint.clients.temporal import Temporal
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import Unauthenticated
from holdpoint.models.settings import Settings
from holdpoint.service.feed import Feed
from holdpoint.service.outbox import Delivery
from holdpoint.service.preview import Evaluator, PreviewParts
from holdpoint.service.roles import Actor, Permission, require
from holdpoint.service.tokens import Verifier
from holdpoint.service.turns import Turns
from holdpoint.telemetry.metrics import Metrics


@dataclass(frozen=True)
class Parts:
    """Everything that the API of one installation needs; built by its composition root."""

    settings: Settings
    ledger: Ledger
    blobs: Blobs
    temporal: Temporal
    repositories: Repositories
    clusters: Clusters
    evaluator: Evaluator
    signer: Signer
    archive: Path
    verifier: Verifier
    delivery: Delivery
    feed: Feed
    codec: PayloadCodec | None = None
    metrics: Metrics = field(default_factory=Metrics)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    turns: Turns = field(default_factory=Turns)

    def preview(self) -> PreviewParts:
        """Return what looking at a change without opening it takes."""
        return PreviewParts(
            ledger=self.ledger,
            repositories=self.repositories,
            evaluator=self.evaluator,
            settings=self.settings,
        )


_BEARER = HTTPBearer(auto_error=False, description="A token of `holdpoint login --as NAME`.")


def parts_of(request: Request) -> Parts:
    """Return the parts that the app was created with."""
    parts = request.app.state.parts
    assert isinstance(parts, Parts)  # noqa: S101 - set by create_app only
    return parts


def actor_of(
    parts: Annotated[Parts, Depends(parts_of)],
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Actor:
    """Return who asks; any account with a role may read. Raises Unauthenticated and AccessDenied."""
    if given is None:
        raise Unauthenticated("This needs a bearer token: holdpoint login --as NAME, or set HOLDPOINT_TOKEN.")
    actor = parts.verifier.verify(given.credentials)
    require(actor, Permission.READ)
    return actor


HasParts = Annotated[Parts, Depends(parts_of)]
Caller = Annotated[Actor, Depends(actor_of)]
