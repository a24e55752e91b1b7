"""A ticket as people and pipelines see it: the document of `holdpoint show --output json`."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from holdpoint.models.artifact import Artifact
from holdpoint.models.base import Digest, Instant, Model
from holdpoint.models.change import ChangeType
from holdpoint.models.checks import CheckView
from holdpoint.models.phases import Phase
from holdpoint.models.plan_diff import PlanDiffSummary
from holdpoint.models.record import freeze_type


class HoldCode(StrEnum):
    """Why a ticket does not move although nothing is wrong with it."""

    PAUSED = "paused"
    FROZEN = "frozen"
    WAVE_FAILED = "wave_failed"
    MANUAL = "manual"
    WINDOW = "window"
    SOAK = "soak"
    DEPENDENCY = "dependency"
    LANE = "lane"
    TARGET_DIRTY = "target_dirty"
    DRIFT = "drift"
    NO_DATA = "no_data"
    LOW_SAMPLE = "low_sample"
    INCONCLUSIVE = "inconclusive"
    PROVIDER_DOWN = "provider_down"
    CLUSTER_DOWN = "cluster_down"
    PAYLOAD_KEY = "payload_key"
    POLICY_REVISION = "policy_revision"
    POLICY_DOWN = "policy_down"
    LEDGER_DOWN = "ledger_down"
    GIT_DOWN = "git_down"


SEVERITY = tuple(HoldCode)
"""The most severe hold first: it is the one shown as `hold`."""


class Hold(Model):
    """One reason why the ticket waits: what, by whom, since when, until when, and the verb that lifts it."""

    code: HoldCode
    message: str
    by: str
    since: Instant
    until: Instant | None = None
    lift: str = Field(description="the command or the event that removes this hold")
    ref: str | None = Field(default=None, description="what placed it, such as a freeze's ID")
    target: str | None = Field(default=None, description="which of many targets it lies on; none: on all")


def most_severe(holds: list[Hold]) -> Hold | None:
    """Return the hold that is shown first, or None."""
    return min(holds, key=lambda hold: (SEVERITY.index(hold.code), hold.since), default=None)


class Reason(Model):
    """Why the ticket is in its phase: a constant for programs and a sentence for people."""

    code: str
    message: str


class Risk(Model):
    """How risky the policy thinks the change is, and why."""

    level: str
    reasons: list[str] = []


class VerdictCode(StrEnum):
    """What an analysis concluded. Only `fail` rolls back by itself; only `pass` promotes."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    LOW_SAMPLE = "low_sample"
    PROVIDER_DOWN = "provider_down"
    SUSPECT_POD = "suspect_pod"


class Verdict(Model):
    """One judgement of one weight: the sentence carries the numbers, `evidence` the queries and answers."""

    verdict: VerdictCode
    weight: float = Field(description="the weight really reached, in percent")
    message: str
    at: Instant
    metrics: dict[str, dict[str, Any]] = {}
    evidence: Digest | None = None


class StepStatus(StrEnum):
    """How far one step has come."""

    PENDING = "pending"
    RUNNING = "running"
    HELD = "held"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNDONE = "undone"


class StepView(Model):
    """One step as shown: `weight` is the share really reached, in percent; `planned` what was asked for."""

    name: str
    kind: str
    status: StepStatus = StepStatus.PENDING
    weight: float | None = None
    planned: list[dict[str, float]] = Field(
        default=[], description="for a canary: {asked, reached, canary, stable} of each weight"
    )
    does: str = Field(default="", description="what a step that has no weights does, in one line")
    ends_at: Instant | None = Field(
        default=None, description="when the time of a step that runs is over, if nothing holds it until then"
    )
    left: float | None = Field(
        default=None, description="seconds that a step has left while something holds it; they do not run"
    )
    warnings: list[str] = []
    verdicts: list[Verdict] = []


class Approval(Model):
    """One approval or rejection, bound to the digest that was read."""

    by: str
    decision: str
    digest: Digest
    at: Instant
    reason: str = ""
    void: bool = False


class ApprovalsView(Model):
    """What approvals are needed, which were given, and the times of the ladder."""

    required: int = 0
    groups: list[str] = []
    given: list[Approval] = []
    remind_at: Instant | None = None
    escalate_at: Instant | None = None
    expire_at: Instant | None = None
    escalated: bool = False
    voided: str = Field(default="", description="why what was given before is void, if it is")


class RollbackResult(StrEnum):
    """What the comparison with the snapshot said after the undo."""

    RESTORED = "restored"
    PARTIAL = "partial"
    DIVERGED = "diverged"


class RollbackView(Model):
    """What a rollback came to, with each difference from the snapshot as `object: field: was -> is`.

    `stays` is what Jobs did and nothing takes back, as the change file said (`cannotBeUndone`).
    """

    result: RollbackResult | None = None
    differences: list[str] = []
    stays: list[str] = []
    attempts: int = 0


class Takeover(Model):
    """A person who has, or had, a target in hand that a failed rollback left; and what came of it.

    From `done_by` on they are done; from `done_at` on that is compared, and the target is free.
    """

    by: str
    reason: str
    since: Instant
    fenced_at: Instant | None = Field(
        default=None, description="when our writes that were under way had been fenced, but those in doubt"
    )
    in_doubt: list[str] = Field(default=[], description="objects that a late write of ours may still change")
    done_by: str | None = None
    done_reason: str = ""
    done_at: Instant | None = None
    result: RollbackResult | None = None
    differences: list[str] = []


REHEARSED = "rehearsed"
"""Code of the reason of a rehearsal that went well: everything ran, was verified, and was undone."""


class Rehearsal(Model):
    """The last rehearsal of the same objects under the same plan, and what came of it."""

    ticket: str
    target: str
    at: Instant = Field(description="when it was over")
    passed: bool = Field(description="every step was promoted and verified, and all of it was restored")
    result: RollbackResult | None = Field(description="what the comparison said after its rollback")
    message: str
    plan_shape: Digest


class RollsBack(Model):
    """What a rollback after success undoes, and the ticket whose version it brings back."""

    ticket: str
    to: str


class TargetView(Model):
    """One of the targets of a ticket that has many: which wave it is of, and how it stands."""

    target: str
    wave: int = Field(description="from 1")
    phase: Phase | None = Field(default=None, description="of its rollout; none: it has not begun")
    reason: Reason | None = None
    holds: list[Hold] = []
    steps: list[StepView] = []
    checks: list[CheckView] = []
    rollback: RollbackView = RollbackView()

    @property
    def cluster(self) -> str:
        """Return the cluster's name."""
        return self.target.partition("/")[0]


class Review(Model):
    """The review that an emergency owes: when it is due, why, and whether it was held."""

    due_at: Instant
    reason: str
    state: str = "open"


class TicketView(Model):
    """The whole ticket as shown.

    Written only as patches by the workflow's records.
    """

    id: str
    title: str
    service: str
    environment: str
    type: ChangeType
    phase: Phase
    hold: Hold | None = None
    holds: list[Hold] = []
    risk: Risk | None = None
    approvals: ApprovalsView = ApprovalsView()
    steps: list[StepView] = []
    checks: list[CheckView] = Field(
        default=[], description="the checks that plan, catalog and policy ask for, and what came of them"
    )
    rollback: RollbackView = RollbackView()
    reason: Reason | None = None
    created_at: Instant
    closed_at: Instant | None = None
    digest: Digest | None = Field(
        default=None, description="what approvals bind: artifact, plan, diffs and decision"
    )
    plan_diff: PlanDiffSummary | None = Field(
        default=None, description="what the plan alters on the cluster; null until it is evaluated"
    )
    requester: str
    commit: str
    repository: str
    revision: str
    target: str = Field(description="the target; of many, the first one")
    artifact: Artifact | None = Field(
        default=None, description="what it brings; null until it is evaluated, and where it writes nothing"
    )
    promoted_from: str | None = Field(
        default=None, description="the succeeded ticket whose commit this one takes on (`--promote-from`)"
    )
    targets: list[TargetView] = Field(
        default=[], description="where there are many: each with its own steps, in the order of the waves"
    )
    depends_on: list[str] = Field(
        default=[], description="tickets that must have succeeded before this one may run"
    )
    previous: str | None = Field(default=None, description="the ticket of the same change that ended before")
    supersedes: list[str] = Field(
        default=[], description="older tickets that waited for the same target, and were replaced by this one"
    )
    superseded_by: str | None = Field(default=None, description="the newer ticket that has replaced this one")
    retried_by: str | None = Field(default=None, description="the last ticket that re-runs this one")
    rolls_back: str | None = Field(default=None, description="the succeeded ticket that this one rolls back")
    restores: str | None = Field(
        default=None, description="for a rollback: the ticket whose version it brings back"
    )
    rolled_back_by: str | None = Field(
        default=None, description="the ticket that rolls this one back: it is open, or has succeeded"
    )
    warnings: list[str] = []
    review: Review | None = Field(default=None, description="the review that is due after an emergency")
    is_rehearsal: bool = Field(
        default=False, description="it is a rehearsal: when everything has run and is verified, it undoes it"
    )
    rehearses: Digest | None = Field(
        default=None, description="what a rehearsal is of, and what one must be of: objects and plan shape"
    )
    rehearsal: Rehearsal | None = Field(
        default=None, description="the last rehearsal of exactly this, as its last evaluation found it"
    )
    takeover: Takeover | None = Field(
        default=None, description="who has taken the target over after its rollback failed"
    )

    @property
    def in_hand(self) -> bool:
        """Tell whether a person has the target in hand now."""
        return self.takeover is not None and self.takeover.done_at is None

    @property
    def every_target(self) -> list[str]:
        """Return the key of each target."""
        return [one.target for one in self.targets] or [self.target]

    @property
    def freeze_type(self) -> str:
        """Return the type that a freeze looks at."""
        return freeze_type(self.type, rolls_back=self.rolls_back is not None)
