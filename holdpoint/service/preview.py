"""Look at a change without opening it: the plan as it would run, what it would alter, and the decision now.

The evaluation is the ticket's own, given by the composition root, so that a dry run can never say something
else than the ticket does a moment later.
"""

from dataclasses import dataclass
from typing import Protocol

from holdpoint.clients.git import Repositories
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.artifact import Artifact
from holdpoint.models.base import Model
from holdpoint.models.checks import CheckView
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.plan import PlannedStep
from holdpoint.models.plan_diff import PlanDiff
from holdpoint.models.policy import Decision
from holdpoint.models.settings import Settings
from holdpoint.service import promotion
from holdpoint.service.prepare import read_asked, resolve
from holdpoint.service.roles import Actor, Permission, require

NO_TICKET = "dry-run"
"""Stands where a ticket's ID would be."""


class SubmittedFile(Model):
    """A change file's text, the folder it lies in, and the environment that it is promoted from."""

    text: str
    base: str | None
    promote_from: str | None = None


class Preview(Model):
    """What would happen."""

    plan: list[PlannedStep]
    plan_diff: PlanDiff
    decision: Decision
    warnings: list[str]
    checks: list[CheckView] = []
    waves: list[list[str]] = []


class Evaluator(Protocol):
    """The evaluation that every ticket goes through first."""

    async def preview(self, stored: StoredChange) -> Preview:
        """Return plan and decision for a change that is not in the ledger.

        Raises what an evaluation raises.
        """

    async def artifact(self, stored: StoredChange) -> Artifact:
        """Return what a change brings. Raises InvalidChange, NotFound, StepConfig, UpstreamUnavailable."""


class NoEvaluator:
    """The null: knows nothing, so nothing is shown as if it were known."""

    async def preview(self, stored: StoredChange) -> Preview:
        """Raise UpstreamUnavailable."""
        raise UpstreamUnavailable("This server has no evaluation; submit the change to have it evaluated.")

    async def artifact(self, stored: StoredChange) -> Artifact:
        """Raise UpstreamUnavailable."""
        raise UpstreamUnavailable("This server has no evaluation, so it cannot say what a change brings.")


@dataclass(frozen=True)
class PreviewParts:
    """What looking at a change takes."""

    ledger: Ledger
    repositories: Repositories
    evaluator: Evaluator
    settings: Settings


async def preview(file: SubmittedFile, actor: Actor, parts: PreviewParts) -> Preview:
    """Return what would happen.

    Raises AccessDenied, InvalidChange, NotFound, StepConfig, UpstreamUnavailable.
    """
    require(actor, Permission.SUBMIT)
    asked, origin = read_asked(file.text, file.base, settings=parts.settings), None
    if file.promote_from is not None:
        asked = promotion.check(asked, file.promote_from, parts.settings)
        asked, origin = await promotion.promoted(asked, file.promote_from, ledger=parts.ledger)
    prepared = await resolve(asked, repositories=parts.repositories)
    stored = StoredChange(
        ticket=NO_TICKET,
        change=prepared.change,
        commit=prepared.commit,
        repository=prepared.repository,
        requester=actor.account,
        digest=prepared.digest,
        promoted_from=None if origin is None else origin.ticket,
        targets=prepared.many,
    )
    if origin is not None:
        promotion.check_same(origin, await parts.evaluator.artifact(stored))
    return await parts.evaluator.preview(stored)
