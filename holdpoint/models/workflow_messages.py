"""What is sent to a workflow and what it answers: starts, results, updates, signals and queries."""

from typing import Any, Literal

from pydantic import Field

from holdpoint.models.analysis import Analysis
from holdpoint.models.base import Digest, Instant, Model
from holdpoint.models.checks import CheckView, PlannedCheck
from holdpoint.models.phases import Phase
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import Record
from holdpoint.models.ticket import Hold, Reason, RollbackView, StepView, Verdict
from holdpoint.models.waves import WavePlan


class TicketStart(Model):
    """Begin the life of a ticket. Everything large is in the ledger, under the ticket's ID."""

    ticket: str
    title: str
    service: str
    environment: str
    type: str
    requester: str
    target: str
    verify: float = Field(description="seconds of watching at 100 %")
    analysis: Analysis | None = None
    rolls_back: str | None = Field(default=None, description="the succeeded ticket that this one rolls back")
    rehearsal: bool = Field(default=False, description="undo everything when all of it has run")
    waves: WavePlan | None = Field(default=None, description="where there are many targets")
    resumed: dict[str, Any] | None = Field(
        default=None, description="state carried over a continue-as-new inside a wait"
    )


class Prechecked(Model):
    """When the prechecks have begun that a rollout stands on, and what runs again when they are old."""

    at: Instant
    again_after: float = Field(description="seconds, if nothing was written by then")
    demanded: list[str] = []
    checks: list[PlannedCheck] = []


class RolloutStart(Model):
    """Run the plan on one target, or only undo what an earlier run left there."""

    ticket: str
    target: str
    service: str
    environment: str
    type: str
    mode: Literal["forward", "undo"] = "forward"
    plan: list[PlannedStep]
    verify: float
    analysis: Analysis | None = None
    rehearsal: bool = Field(default=False, description="undo everything when all of it has run")
    hold_bound: float = 4 * 3600
    pause_bound: float = 24 * 3600
    prechecked: Prechecked | None = None
    postchecks: list[PlannedCheck] = []
    checks: list[CheckView] = Field(default=[], description="all checks of the ticket as they stand")
    reason: Reason | None = Field(default=None, description="why, when `mode` is undo")
    record: Record | None = Field(
        default=None, description="what waited in the ticket to be recorded; it rides on the first activity"
    )
    wave: int | None = Field(
        default=None,
        description="of a ticket with many targets: which wave this is of, from 1. Such a rollout keeps its "
        "target after it was verified, until the ticket lets it go",
    )


class RolloutResult(Model):
    """How a rollout ended: Succeeded, Aborted or Failed (both unmutated), RolledBack or RollbackFailed."""

    phase: Phase
    reason: Reason
    rollback: RollbackView = RollbackView()
    verdicts: list[Verdict] = []


class CloseStart(Model):
    """Close a ticket whose workflow is gone, or try a failed rollback again. Undoes first what is dirty."""

    ticket: str
    by: str
    reason: Reason
    handed_back: bool = Field(
        default=False, description="a person is done with the target by hand: compare, and free it"
    )


class RolloutState(Model):
    """What a rollout answers when it is asked how it stands."""

    ticket: str
    target: str
    phase: Phase
    reason: Reason | None = None
    holds: list[Hold] = []
    steps: list[StepView] = []
    rollback: RollbackView = RollbackView()


class ApprovalGiven(Model):
    """Wake the ticket: an approval is in the ledger. Counted again from there before anything runs."""

    by: str
    digest: Digest
    entry: str
    at: Instant
    reason: str = ""


class ConfirmationGiven(Model):
    """Wake the ticket: a word on a manual step is in the ledger. It is read from there before it counts."""

    by: str
    step: int = Field(description="the index of the step in the plan")
    done: bool = Field(description="false: it failed")
    entry: str
    at: Instant
    reason: str = ""


class PromotionGiven(Model):
    """Wake the ticket: a word on a hold without a verdict is in the ledger, and is read from there."""

    by: str
    digest: Digest
    entry: str
    at: Instant
    weight: int | None = Field(default=None, description="the weight to go on with, in percent")
    reason: str = ""


class Control(Model):
    """A person's or a pipeline's word on a running ticket."""

    verb: Literal["pause", "resume", "abort", "rollback", "promote"]
    by: str
    reason: str = ""
    digest: Digest | None = Field(default=None, description="what it is bound to, where it is bound")
    code: str | None = Field(
        default=None,
        description="the reason's code, of an abort that the ledger orders (no running ticket takes such), "
        "or of a rollback that the ticket orders of one of its targets",
    )


class Wake(Model):
    """Look again at what you wait for. Carries no fact: the ledger is asked."""

    cause: str
    word: bool = Field(default=False, description="what the ledger may have is a word on a verdict")


class Progress(Model):
    """A rollout tells its ticket in which phase it is.

    One of many names its target, and says whether it `stands`: verified, and keeping its target.
    """

    phase: Phase
    target: str | None = None
    stands: bool = False
    reason: Reason | None = None


class StandBy(Model):
    """A ticket tells a rollout of one of its targets that stands: watch for so many seconds, or let go."""

    bake: float | None = Field(default=None, description="seconds; none: let go")


class Answer(Model):
    """What an update answers: the ticket's phase after it was taken in."""

    phase: Phase
    message: str = ""
