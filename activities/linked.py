"""What counts for a ticket that follows from another: a rollback after success, or a retry.

Asked at submit and again before release, for others may have run on the target meanwhile.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from activities.exchanges import steps_asked
from activities.manifests import Files, load
from holdpoint.ledger import intents, linked, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.errors import InvalidChange, NotFound, StepConfig, UpstreamUnavailable
from holdpoint.models.record import ObjectRef
from holdpoint.models.ticket import RollsBack
from holdpoint.models.way_back import left_out

MOST_NAMED = 10
"""Objects that a warning lists."""


@dataclass(frozen=True)
class Links:
    """What the ledger knows of the tickets that this one follows from, at one moment."""

    undone: StoredChange | None = None
    restored: StoredChange | None = None
    made: list[ObjectRef] = field(default_factory=list)
    objections: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


async def links_of(ledger: Ledger, stored: StoredChange, target: str, *, holds_target: bool) -> Links:
    """Return what the ledger knows; of a change that follows from no other there is nothing to know.

    Raises UpstreamUnavailable while the end of who held the target before is not recorded yet: whether its
    version stands there decides whether a rollback may still run.
    """
    if stored.rolls_back is None and stored.retries is None:
        return Links()
    return await ledger.read(_look, stored, target, holds_target=holds_target)


def _look(db: Connection, stored: StoredChange, target: str, *, holds_target: bool) -> Links:
    if stored.rolls_back is not None:
        ending = linked.giving_back(db, stored.ticket, target) if holds_target else None
        if ending is not None:
            raise UpstreamUnavailable(f"The ledger has yet to record how {ending} ended on {target}.")
        return _of_rollback(db, stored.rolls_back, target)
    if stored.retries is not None:
        return Links(warnings=_of_retry(db, stored.retries, target))
    return Links()


def _of_rollback(db: Connection, back: RollsBack, target: str) -> Links:
    now, objections = linked.standing(db, target), []
    if now is not None and now.ticket != back.ticket:
        objections.append(
            f"{now.brought_by} has succeeded on {target} since {back.ticket}: going back would undo that "
            "as well."
        )
    return Links(
        undone=tickets.change_of(db, back.ticket).at(target),
        restored=tickets.change_of(db, back.to).at(target),
        made=[ref for ref in intents.made_by(db, back.ticket) if ref.cluster == target.partition("/")[0]],
        objections=objections,
    )


def _of_retry(db: Connection, before: str, target: str) -> list[str]:
    view, now = tickets.get_ticket(db, before), linked.standing(db, target)
    if now is None or view.closed_at is None or now.since <= view.closed_at:
        return []
    return [
        f"{now.brought_by} has succeeded on {target} since {before} ended: this puts the commit of {before} "
        "in its place."
    ]


async def warnings(
    repositories: Files, manifests: list[dict[str, Any]], links: Links, *, named: set[str]
) -> list[str]:
    """Return what people must know before they let it run; `named` are objects that it says something of."""
    said = list(links.warnings)
    if links.restored is not None:
        skipped = left_out(links.restored.change.spec.plan)
        words = f"Steps of {links.restored.ticket} that going back leaves out: {', '.join(skipped)}."
        said += [words] if skipped else []
    if links.undone is not None:
        jobs = [step.job.name for step in links.undone.change.spec.plan.steps if step.job is not None]
        words = f"What these Jobs of {links.undone.ticket} did stays: {', '.join(jobs)}."
        said += [words] if jobs else []
        asked = steps_asked(links.undone.change)
        words = f"What these requests of {links.undone.ticket} did stays: {', '.join(asked)}."
        said += [words] if asked else []
        said += await _left_behind(repositories, manifests, links.undone, named)
    return said


async def _left_behind(
    repositories: Files, manifests: list[dict[str, Any]], undone: StoredChange, named: set[str]
) -> list[str]:
    """Name the objects that only the undone change has and did not make: they were there before, and stay."""
    try:
        theirs = await load(repositories, undone)
    except (InvalidChange, NotFound, StepConfig) as error:
        return [f"What only {undone.ticket} has cannot be named, and stays: {error.message}"]
    ours = {_name(manifest) for manifest in manifests}
    left = sorted({_name(manifest) for manifest in theirs} - ours - named)
    if not left:
        return []
    more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
    return [f"Only {undone.ticket} has these objects, and they stay: {', '.join(left[:MOST_NAMED])}{more}."]


def _name(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"
