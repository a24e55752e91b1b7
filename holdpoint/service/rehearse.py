"""Rehearse a change: run its plan on a named staging target, verify it, and undo it again.

A rehearsal is a ticket like any other, of another target and environment: policy, lane, freezes, judge and
record are the same. What it came to is found by the change itself, by its objects and the shape of its plan.
"""

from collections.abc import Iterable

from holdpoint.clients.git import Repositories
from holdpoint.ledger import tickets
from holdpoint.ledger.clock import now
from holdpoint.ledger.store import Ledger
from holdpoint.models.base import Model
from holdpoint.models.change import Change, Target
from holdpoint.models.errors import InvalidRequest
from holdpoint.models.settings import Settings
from holdpoint.service.outbox import Delivery
from holdpoint.service.prepare import Asked, content_digest, read_asked, resolve, target_keys
from holdpoint.service.roles import Actor, Permission, require
from holdpoint.service.submit import (
    DERIVED,
    Submission,
    Submitted,
    check_key,
    derived_key,
    first_entry,
    new_ticket,
    stored_change,
)

PRODUCTION = "production"
LONGEST_TITLE = 200


class Stage(Model):
    """Where a rehearsal takes place."""

    target: Target
    environment: str


async def rehearse(
    submission: Submission,
    stage: Stage,
    actor: Actor,
    *,
    ledger: Ledger,
    repositories: Repositories,
    settings: Settings,
    delivery: Delivery,
) -> Submitted:
    """Return the one rehearsal of this key.

    Raises InvalidChange, InvalidRequest for a stage that is none, NotFound, Conflict and AccessDenied.
    """
    require(actor, Permission.SUBMIT)
    check_key(submission.key)
    asked = read_asked(submission.text, submission.base, settings=settings)
    _check_stage(asked.change, stage, settings)
    staged = _staged(asked, stage)
    derived = submission.key.startswith(DERIVED)
    if not derived:
        earlier = await ledger.read(tickets.opened_by, key=submission.key, content=staged.digest)
        if earlier is not None:
            return Submitted(view=earlier, created=False)
    prepared = await resolve(staged, repositories=repositories)
    view = new_ticket(prepared, actor, at=await ledger.read(now)).model_copy(update={"is_rehearsal": True})
    view, created = await ledger.write(
        tickets.open_ticket,
        view=view,
        stored=stored_change(view.id, prepared, actor, rehearsal=True),
        key=f"{derived_key(prepared)}/rehearsal" if derived else submission.key,
        content=prepared.digest,
        scope_open_only=derived,
        draft=first_entry(view, prepared, submission.key, rehearsal=True),
    )
    delivery.nudge()
    return Submitted(view=view, created=created)


def _staged(asked: Asked, stage: Stage) -> Asked:
    """Return what is asked for with the stage in the target's place; it waits for no other ticket."""
    metadata, spec = asked.change.metadata, asked.change.spec
    title = f"Rehearse: {metadata.title}"[:LONGEST_TITLE].rstrip()
    changes = {"title": title, "environment": stage.environment, "type": "standard"}
    change = asked.change.model_copy(
        update={
            "metadata": metadata.model_copy(update=changes),
            "spec": spec.model_copy(
                update={
                    "target": stage.target,
                    "targets": None,
                    "plan": spec.plan.model_copy(update={"waves": None}),
                    "dependsOn": [],
                }
            ),
        }
    )
    digest = content_digest(change, asked.repository)
    return asked.model_copy(update={"change": change, "targets": target_keys(change, {}), "digest": digest})


def _check_stage(change: Change, stage: Stage, settings: Settings) -> None:
    """Hold that this is a place to rehearse in. Raises InvalidRequest, naming the field."""
    known = [name for name in settings.environments if name != PRODUCTION]
    own = target_keys(change, {name: cluster.labels for name, cluster in settings.clusters.items()})
    place = f"{stage.target.cluster}/{stage.target.namespace}"
    if stage.target.cluster not in settings.clusters:
        raise _invalid(
            "target", stage.target.cluster, f"a cluster that is known: {_names(settings.clusters)}"
        )
    if f"{place}/{change.metadata.service}" in own:
        raise _invalid("target", place, "another target than the change's own")
    if stage.environment not in known:
        raise _invalid("environment", stage.environment, f"one that is not production's: {_names(known)}")


def _names(known: Iterable[str]) -> str:
    return ", ".join(sorted(known))


def _invalid(field: str, found: str, allowed: str) -> InvalidRequest:
    message = f"{field} is {found!r}; a rehearsal takes {allowed}."
    mistake = {"field": field, "found": found, "allowed": allowed, "message": message}
    return InvalidRequest(message, mistakes=[mistake])
