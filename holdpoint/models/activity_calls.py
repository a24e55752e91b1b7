"""What every activity is asked and what it answers."""

from typing import Literal

from pydantic import Field

from holdpoint.models.analysis import Analysis
from holdpoint.models.artifact import Soak
from holdpoint.models.base import Digest, Instant, Model
from holdpoint.models.checks import CheckView, PlannedCheck, When, views_of
from holdpoint.models.phases import Phase
from holdpoint.models.plan import PlannedStep
from holdpoint.models.plan_diff import PlanDiffSummary
from holdpoint.models.policy import Decision
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import Hold, Reason, RollbackResult, Verdict
from holdpoint.models.workflow_messages import RolloutStart


class Call(Model):
    """What every activity gets: its ticket, and what waited in workflow state to be recorded."""

    ticket: str
    record: Record | None = None


class Done(Model):
    """An activity's answer when there is nothing to say but that it is done."""


class EvaluateCall(Call):
    """Evaluate policy at submit, or again at release, where approvals are counted from the ledger."""

    purpose: Literal["submit", "release"]
    digest: Digest | None = Field(default=None, description="what approvals were bound to, at release")
    plan_diff: Digest | None = Field(default=None, description="the plan's diff of the evaluation before")


class Quorum(Model):
    """How the approvals in the ledger count against what the decision needs, for one digest."""

    met: bool
    counted: int
    required: int
    message: str


class Evaluation(Model):
    """The decision, what it binds, and the plan it was taken on."""

    decision: Decision
    digest: Digest
    plan: list[PlannedStep]
    quorum: Quorum
    warnings: list[str] = []
    plan_diff: PlanDiffSummary | None = None
    moved: list[str] = Field(default=[], description="objects whose part of the plan's diff is another one")
    plans: dict[str, list[PlannedStep]] = Field(
        default={}, description="for many targets: the plan of each; `plan` is the first one's"
    )
    prechecks: list[PlannedCheck] = []
    postchecks: list[PlannedCheck] = []

    @property
    def checks(self) -> list[CheckView]:
        """Return the checks that it asks for as people see them, none tried."""
        return [*views_of(self.prechecks, "before"), *views_of(self.postchecks, "after")]


class ScheduleCall(Call):
    """Ask for the lane. Nothing is granted under a freeze, outside the window, or before the soak is over."""

    target: str
    priority: int
    window: bool
    supersede: bool = Field(
        default=False, description="take the place of older tickets that still wait for the target"
    )
    soak: Soak | None = Field(
        default=None, description="where the ticket's artifact must have run first, and how long"
    )
    targets: list[str] = Field(default=[], description="all of them, where there are many: all or none")


class Scheduled(Model):
    """Granted, or every hold that keeps the ticket waiting, and when to look again at the latest.

    `ended` says why it never will be granted.
    """

    granted: bool
    holds: list[Hold] = []
    ended: Reason | None = None
    look_again: Instant | None = None


class LeaveCall(Call):
    """Leave the lane, and give back a target that no rollout has begun on."""

    target: str
    targets: list[str] = Field(default=[], description="all of them, where there are many")


class PrecheckCall(Call):
    """Run the prechecks, each with its bounded attempts."""

    target: str
    plan: list[PlannedStep]
    checks: list[str] = []
    plans: dict[str, list[PlannedStep]] = Field(
        default={}, description="where there are many targets: those to look at, each with its plan"
    )
    named: list[str] = Field(default=[], description="checks that are run one by one beside these")


class CheckCall(Call):
    """Look once for one check of the plan, the catalog or the policy."""

    check: PlannedCheck
    when: When
    attempt: int = 1
    target: str = Field(default="", description="on which; it may be left out where there is only one")


class Check(Model):
    """One check with all its attempts as evidence."""

    name: str
    kind: str = Field(default="", description="of a check that the plan, the catalog or the policy asks for")
    passed: bool
    message: str
    attempts: int = 1
    unknown: bool = Field(default=False, description="nobody could find out: neither passed nor failed")
    evidence: list[str] = Field(default=[], description="what each attempt said, in order")


class CheckReport(Model):
    """All prechecks. A failed one fails the ticket, and nothing was mutated."""

    passed: bool
    checks: list[Check]


class RolloutCall(Call):
    """What every activity of a rollout gets: the run that must hold the target."""

    target: str
    run: str
    service: str
    environment: str
    type: str


class BeginCall(RolloutCall):
    """Take the target and the snapshot; in undo mode: take it over and fence what is in doubt."""

    start: RolloutStart


class Begun(Model):
    """The snapshot to return to. `absent` tells how many of the objects did not exist."""

    snapshot: Digest
    objects: int
    absent: int
    created_whole: bool = Field(
        default=False, description="the canary's Deployment did not exist: judged by absolute limits only"
    )


class StepCall(RolloutCall):
    """Do one stage of a step: bring it to its next weight, or finish it.

    Returns when the objects are ready.
    """

    step: PlannedStep
    stage: Literal["weight", "finish"]
    weight: int = Field(default=0, description="index into step.weights, for stage `weight`")
    snapshot: Digest


class StepOutcome(Model):
    """What came of a stage.

    `held` means that nothing was sent for what is left: ask again when the holds are gone.
    """

    status: Literal["done", "held", "failed", "lost"] = Field(
        description="lost: this run no longer holds the target, so it must stop writing"
    )
    reached: float | None = Field(default=None, description="the weight that is really there, in percent")
    mutated: bool = Field(
        default=False, description="a forward intent was opened, in this or an earlier attempt"
    )
    holds: list[Hold] = []
    reason: Reason | None = None


class JudgeCall(RolloutCall):
    """Watch for at most `window` seconds, from `since` on; return early on a verdict that decides."""

    step: PlannedStep | None = Field(default=None, description="None while verifying at 100 %")
    weight: float
    since: Instant
    began: Instant | None = Field(
        default=None, description="when the step's first weight was reached: the comparison goes over all"
    )
    deadline: Instant | None = Field(default=None, description="when the deadline's rule may decide")
    window: float
    analysis: Analysis
    snapshot: Digest | None = Field(
        default=None,
        description="if given, a pass also reports whether all is as it was applied",
    )


class Judgement(Model):
    """The verdict over everything seen since `since`, and for how many seconds this call watched."""

    verdict: Verdict
    watched: float
    report: CheckReport | None = None


class GateCall(RolloutCall):
    """Ask which freezes cover this rollout now, and what was said of the manual step that it stands at."""

    manual: int | None = Field(default=None, description="the index of that step, if it stands at one")
    promotion: bool = Field(default=False, description="ask for the last word on a hold without a verdict")


class Confirmation(Model):
    """What the one who was asked said of a manual step: that it is `done`, or that it failed."""

    done: bool
    by: str
    reason: str


class Promotion(Model):
    """A person's word that a rollout goes on without a verdict.

    It is on the holds that lay since exactly these moments, and on no later one.
    """

    by: str
    reason: str
    digest: Digest
    since: list[Instant]
    entry: str
    weight: int | None = Field(default=None, description="the weight to go on with, if one was named")


class Gate(Model):
    """The freezes that cover the rollout, as holds, and what the ledger has on its manual step or verdict."""

    holds: list[Hold] = []
    confirmation: Confirmation | None = None
    promotion: Promotion | None = None


class PostcheckCall(RolloutCall):
    """Ask whether what was applied is still there, at the end of Verifying."""

    snapshot: Digest
    after: float = Field(default=0.0, description="seconds to let pass first")


class UndoCall(RolloutCall):
    """Undo in reverse order from the snapshot.

    Works while the ledger is down; then `deferred` must be recorded later.
    """

    snapshot: Digest
    plan: list[PlannedStep]
    begun: list[int] | None = Field(
        default=None,
        description="the steps that had begun, where the plan has http steps: for when the ledger is down",
    )


class Undone(Model):
    """What the undo did. `deferred` are entries that the ledger could not take yet."""

    complete: bool
    message: str = ""
    deferred: list[EntryDraft] = []


class CompareCall(RolloutCall):
    """Compare the cluster with the snapshot, field by field; `restored` makes the target clean."""

    snapshot: Digest
    plan: list[PlannedStep]


class Compared(Model):
    """The result of the comparison."""

    result: RollbackResult
    differences: list[str] = []
    stays: list[str] = Field(default=[], description="what Jobs and requests did and nothing takes back")


class FinishCall(RolloutCall):
    """Give the target back and wake who waits for it. After success it is clean."""

    succeeded: bool


class ArchiveCall(Call):
    """Archive the ticket's evidence with its redacted history."""

    workflow: str
    run: str


class Archived(Model):
    """The archived statement's digest."""

    digest: Digest


class InspectCall(Call):
    """Ask what is left of a ticket, or of one of its targets whose rollout was lost while others run."""

    target: str | None = None


class Abandoned(Model):
    """What is left of a ticket: the targets that are dirty, and the phase that it must end in if none is."""

    rollouts: list[RolloutStart]
    phase: Phase
    reason: Reason
    closed: bool = Field(description="the ticket is in a terminal phase already")
