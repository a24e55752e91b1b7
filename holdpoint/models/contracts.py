"""Typed names of workflows, activities, updates and signals, with their arguments and results.

Nobody but the worker imports `workflows`; everyone else speaks to them through these names. A test holds each
name against its registration.
"""

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from holdpoint.models.base import Digest, Instant, Model
from holdpoint.models.change import Analysis
from holdpoint.models.phases import Phase
from holdpoint.models.policy import Decision
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import Hold, Reason, RollbackResult, RollbackView, StepView, Verdict

A = TypeVar("A", bound=Model)
R = TypeVar("R")

TASK_QUEUE = "holdpoint"
DEPLOYMENT = "holdpoint"
SEARCH_SERVICE, SEARCH_ENVIRONMENT, SEARCH_PHASE = (
    "HoldpointService",
    "HoldpointEnvironment",
    "HoldpointPhase",
)

EMERGENCY, NORMAL, STANDARD = 1, 3, 4
"""Task and lane priorities; smaller goes first. A rollback's tasks go with 1."""


def ticket_workflow(ticket: str) -> str:
    """Return the workflow ID of a ticket."""
    return f"change/{ticket}"


def rollout_workflow(target: str) -> str:
    """Return the workflow ID of the one rollout that a target can have."""
    return f"rollout/{target}"


def closing_workflow(ticket: str) -> str:
    """Return the workflow ID of what closes a ticket whose own workflow is gone."""
    return f"close/{ticket}"


@dataclass(frozen=True)
class Named(Generic[A, R]):
    """A name with the type of its one argument and of its result."""

    name: str
    argument: type[A]
    result: type[R]


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
    resumed: dict[str, Any] | None = Field(
        default=None, description="state carried over a continue-as-new inside a wait"
    )


class Call(Model):
    """What every activity gets: its ticket, and what waited in workflow state to be recorded."""

    ticket: str
    record: Record | None = None


class Done(Model):
    """An activity's answer when there is nothing to say but that it is done."""


class WeightPlan(Model):
    """One weight of a canary: what was asked for and what the replicas can give, in percent."""

    asked: int
    reached: float
    canary: int = Field(description="replicas of the new version")
    stable: int = Field(description="replicas of the old version")


class PlannedStep(Model):
    """One step as it will run. `config` is the step kind's own."""

    index: int
    name: str
    kind: str
    config: dict[str, Any]
    weights: list[WeightPlan] = []
    bake: float = 0.0
    warnings: list[str] = []


class EvaluateCall(Call):
    """Evaluate policy at submit, or again at release, where approvals are counted from the ledger."""

    purpose: Literal["submit", "release"]
    digest: Digest | None = Field(default=None, description="what approvals were bound to, at release")


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


class ScheduleCall(Call):
    """Ask for the lane. Nothing is granted while a freeze covers the ticket or its window is closed."""

    target: str
    priority: int
    window: bool


class Scheduled(Model):
    """Granted, or every hold that keeps the ticket waiting, and when to look again at the latest."""

    granted: bool
    holds: list[Hold] = []
    look_again: Instant | None = None


class LeaveCall(Call):
    """Leave the lane, and give back a target that no rollout has begun on."""

    target: str


class PrecheckCall(Call):
    """Run the prechecks, each with its bounded attempts."""

    target: str
    plan: list[PlannedStep]
    checks: list[str] = []


class Check(Model):
    """One check with all its attempts as evidence."""

    name: str
    passed: bool
    message: str
    attempts: int = 1
    unknown: bool = Field(default=False, description="nobody could find out: neither passed nor failed")
    evidence: list[str] = Field(default=[], description="what each attempt said, in order")


class CheckReport(Model):
    """All prechecks. A failed one fails the ticket, and nothing was mutated."""

    passed: bool
    checks: list[Check]


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
    hold_bound: float = 4 * 3600
    pause_bound: float = 24 * 3600
    reason: Reason | None = Field(default=None, description="why, when `mode` is undo")
    record: Record | None = Field(
        default=None, description="what waited in the ticket to be recorded; it rides on the first activity"
    )


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
    window: float
    analysis: Analysis


class Judgement(Model):
    """The verdict over everything seen since `since`, and for how many seconds this call watched."""

    verdict: Verdict
    watched: float


class GateCall(RolloutCall):
    """Ask which freezes cover this rollout now."""


class Gate(Model):
    """The freezes that cover the rollout, as holds."""

    holds: list[Hold] = []


class PostcheckCall(RolloutCall):
    """Ask whether what was applied is still there, at the end of Verifying."""

    snapshot: Digest


class UndoCall(RolloutCall):
    """Undo in reverse order from the snapshot.

    Works while the ledger is down; then `deferred` must be recorded later.
    """

    snapshot: Digest
    plan: list[PlannedStep]


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


class FinishCall(RolloutCall):
    """Give the target back and wake who waits for it. After success it is clean."""

    succeeded: bool


class RolloutResult(Model):
    """How a rollout ended: Succeeded, Aborted or Failed (both unmutated), RolledBack or RollbackFailed."""

    phase: Phase
    reason: Reason
    rollback: RollbackView = RollbackView()
    verdicts: list[Verdict] = []


class ArchiveCall(Call):
    """Archive the ticket's evidence with its redacted history."""

    workflow: str
    run: str


class Archived(Model):
    """The archived statement's digest."""

    digest: Digest


class CloseStart(Model):
    """Close a ticket whose workflow is gone, or try a failed rollback again. Undoes first what is dirty."""

    ticket: str
    by: str
    reason: Reason


class Abandoned(Model):
    """What is left of a ticket: the targets that are dirty, and the phase that it must end in if none is."""

    rollouts: list[RolloutStart]
    phase: Phase
    reason: Reason
    closed: bool = Field(description="the ticket is in a terminal phase already")


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


class Control(Model):
    """A person's or a pipeline's word on a running ticket."""

    verb: Literal["pause", "resume", "abort", "rollback"]
    by: str
    reason: str = ""


class Wake(Model):
    """Look again at what you wait for. Carries no fact: the ledger is asked."""

    cause: str


class Progress(Model):
    """A rollout tells its ticket in which phase it is."""

    phase: Phase


class Answer(Model):
    """What an update answers: the ticket's phase after it was taken in."""

    phase: Phase
    message: str = ""


CHANGE_TICKET = Named("ChangeTicket", TicketStart, Phase)
ROLLOUT = Named("Rollout", RolloutStart, RolloutResult)
CLOSE_ABANDONED = Named("CloseAbandoned", CloseStart, Phase)

EVALUATE = Named("evaluate", EvaluateCall, Evaluation)
RECORD = Named("record", Call, Done)
SCHEDULE = Named("schedule", ScheduleCall, Scheduled)
LEAVE = Named("leave", LeaveCall, Done)
PRECHECK = Named("precheck", PrecheckCall, CheckReport)
BEGIN = Named("begin_rollout", BeginCall, Begun)
APPLY_STEP = Named("apply_step", StepCall, StepOutcome)
JUDGE = Named("judge", JudgeCall, Judgement)
GATE = Named("gate", GateCall, Gate)
POSTCHECK = Named("postcheck", PostcheckCall, CheckReport)
UNDO = Named("undo", UndoCall, Undone)
COMPARE = Named("compare", CompareCall, Compared)
FINISH = Named("finish_rollout", FinishCall, Done)
ARCHIVE = Named("archive", ArchiveCall, Archived)
INSPECT = Named("inspect_abandoned", Call, Abandoned)
ACTIVITIES: tuple[Named[Any, Any], ...] = (
    EVALUATE,
    RECORD,
    SCHEDULE,
    LEAVE,
    PRECHECK,
    BEGIN,
    APPLY_STEP,
    JUDGE,
    GATE,
    POSTCHECK,
    UNDO,
    COMPARE,
    FINISH,
    ARCHIVE,
    INSPECT,
)

APPROVE = Named("approve", ApprovalGiven, Answer)
REJECT = Named("reject", ApprovalGiven, Answer)
PAUSE = Named("pause", Control, Answer)
RESUME = Named("resume", Control, Answer)
ABORT = Named("abort", Control, Answer)
ROLLBACK = Named("rollback", Control, Answer)
UPDATES: tuple[Named[Any, Any], ...] = (APPROVE, REJECT, PAUSE, RESUME, ABORT, ROLLBACK)

SIGNAL_WAKE = "wake"
SIGNAL_ABORT = "abort_signal"
SIGNAL_PROGRESS = "progress"
SIGNAL_CONTROL = "control"
QUERY_STATE = "state"
