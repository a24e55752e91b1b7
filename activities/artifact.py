"""What a change brings, as a digest that is the same wherever it comes, and what the ledger knows of it."""

import hashlib
import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from activities.manifests import Loaded, images
from activities.masking import Fingerprint, masked
from holdpoint.ledger import bans, ladder, tickets
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.artifact import Artifact, ArtifactFacts
from holdpoint.models.errors import NotFound


def artifact_of(stored: StoredChange, loaded: Loaded, fingerprint: Fingerprint) -> Artifact:
    """Return the digests of what a change brings.

    By its images, as the design of environments has it: paths, replicas and settings differ from one to the
    next. A tag counts by its name.
    """
    found = images(loaded.all)
    source = {"repository": stored.repository, "commit": stored.commit}
    objects = [masked(item, fingerprint) for item in loaded.all]
    return Artifact(
        digest=_digest({"images": found} if found else source), content=_digest(objects), images=found
    )


def facts_of(db: Connection, stored: StoredChange, artifact: Artifact, now: datetime) -> ArtifactFacts:
    """Return what policies may know of an artifact at one moment."""
    service = stored.change.metadata.service
    rungs = ladder.ladder_of(
        db, service=service, artifact=artifact.digest, now=now, submitted=_submitted(db, stored, now)
    )
    return ArtifactFacts(
        **artifact.model_dump(),
        written=stored.change.spec.plan.writes,
        ladder=rungs,
        bans=bans.covering(db, service=service, artifact=artifact),
        promoted_from=stored.promoted_from,
    )


def _submitted(db: Connection, stored: StoredChange, now: datetime) -> datetime:
    """Return when the change was submitted; what is only looked at would be submitted now."""
    try:
        return tickets.get_ticket(db, stored.ticket).created_at
    except NotFound:
        return now


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
