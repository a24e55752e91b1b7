"""What the policy engine is asked, and the one document that it answers."""

from typing import Any, Literal

from pydantic import Field

from holdpoint.models.artifact import ArtifactFacts, Requirement, Soak, Unknown
from holdpoint.models.base import Digest, Instant, Model
from holdpoint.models.checks import CheckSpec, PlannedCheck
from holdpoint.models.phases import Phase
from holdpoint.models.plan_diff import PlanDiffFacts
from holdpoint.models.ticket import Rehearsal, Risk, RollsBack


class Window(Model):
    """A weekly opening.

    Days are `mon`..`sun`; times `HH:MM` in `zone`; an end before its start is the next day.
    """

    days: list[str] = ["mon", "tue", "wed", "thu", "fri"]
    start: str = "09:00"
    end: str = "17:00"
    zone: str = "UTC"


class RequiredRehearsal(Model):
    """A rehearsal that a risky production change of the service needs; the age is in seconds."""

    younger_than: float


class ServiceFacts(Model):
    """What the catalog knows of the service; `known` is false for a service that it does not hold."""

    known: bool
    owner: str | None = None
    backup_owner: str | None = None
    tier: int | Unknown = "unknown"
    windows: list[Window] = []
    prechecks: list[CheckSpec] = Field(default=[], description="what its changes are checked for before")
    postchecks: list[CheckSpec] = Field(default=[], description="and after")
    requires: dict[str, Requirement] = Field(
        default={}, description="for each environment, what must be so elsewhere before a change may go there"
    )
    requires_rehearsal: RequiredRehearsal | None = None


class DiffFacts(Model):
    """How large the change is, against the commit that last succeeded on the target, `base`."""

    base: str | None
    files: int
    added: int
    removed: int
    paths: list[str] = []
    kinds: list[str] = Field(default=[], description="kinds of Kubernetes objects touched")


class Author(Model):
    """Who wrote the commit; `authored_at` is None where the commit states what is no time."""

    author: str
    committer: str
    authored_at: Instant | None
    summary: str


class DependencyFacts(Model):
    """A ticket that must have succeeded before this one may run, and what it has come to."""

    ticket: str
    service: str
    environment: str
    phase: Phase
    outcome: Literal["pending", "succeeded", "failed"]


class PolicyInput(Model):
    """The whole input of one decision.

    Everything the rules may look at is here, so that it can be replayed.
    """

    ticket: str
    purpose: Literal["submit", "release", "check"]
    title: str
    service: str
    environment: str
    type: str
    requester: str
    repository: str
    revision: str
    commit: str
    authors: Author | None = None
    target: str = Field(description="of many targets, the first one")
    targets: list[str] = Field(default=[], description="all of them, where there are many")
    rolls_back: RollsBack | None = Field(
        default=None, description="set where this is a rollback after success: of what, and to what"
    )
    retries: str | None = Field(default=None, description="the finished ticket that this one re-runs")
    depends_on: list[DependencyFacts] = []
    is_rehearsal: bool = Field(default=False, description="it undoes itself when everything has run")
    rehearsal: Rehearsal | None = Field(
        default=None, description="the last rehearsal of the same objects under the same plan"
    )
    images: list[str] = []
    artifact: ArtifactFacts | Unknown = "unknown"
    plan: list[dict[str, Any]] = []
    plan_shape: str = Field(description="digest of the plan without its artifact: kinds, weights, objects")
    shape_succeeded: bool = Field(description="this plan shape has succeeded in this environment before")
    catalog: ServiceFacts
    diff: DiffFacts | Unknown = "unknown"
    plan_diff: PlanDiffFacts | Unknown = Field(
        default="unknown", description="what the plan would alter on the cluster, in numbers"
    )
    prechecks: list[PlannedCheck] = Field(
        default=[], description="the checks of the plan and of the catalog before the first write"
    )
    postchecks: list[PlannedCheck] = Field(default=[], description="and after the last")
    recent_failures: int | Unknown = "unknown"
    recent_flakes: int | Unknown = Field(
        default="unknown", description="recent changes of the service here that had a flaky check"
    )
    error_budget: float | Unknown = "unknown"
    open_incidents: int | Unknown = "unknown"
    freezes: list[str] = []
    now: Instant
    weekday: str
    hour: int
    in_window: bool | Unknown = Field(default="unknown", description="any window of the service open now")


class ApprovalNeed(Model):
    """How many approvals, from which groups, and the ladder's times in seconds since they were asked."""

    count: int = 0
    groups: list[str] = []
    remind_after: float = 3600
    escalate_after: float = 4 * 3600
    expire_after: float = 72 * 3600


class Obligations(Model):
    """What must hold while the change runs. Times are in seconds."""

    window: bool = False
    soak: Soak | None = None
    checks: list[str] = Field(default=[], description="built-in prechecks for which unknown is not enough")
    prechecks: list[CheckSpec] = Field(default=[], description="added to those of the plan, by name")
    postchecks: list[CheckSpec] = []
    recheck_after: float = Field(
        default=30 * 60,
        description="the prechecks run again when nothing was written so long after they have passed",
    )
    smallest_canary: int | None = Field(
        default=None, description="percent that a canary may begin with at most; null allows any"
    )
    review_within: float | None = None
    supersede: bool = Field(
        default=False, description="the change takes the place of older ones that still wait for its target"
    )
    hold_bound: float = Field(
        default=4 * 3600, description="how long an analysis hold may last before the change is rolled back"
    )
    pause_bound: float = 24 * 3600
    schedule_bound: float = Field(default=14 * 86400, description="how long a ticket may wait in Scheduled")


class Decision(Model):
    """One decision, whole.

    `digest` covers the content; a new revision that decides the same keeps approvals.
    """

    deny: list[str] = []
    warn: list[str] = []
    risk: Risk
    approvals: ApprovalNeed = ApprovalNeed()
    obligations: Obligations = Obligations()
    revision: str = Field(description="revision of the policy bundle that decided")
    digest: Digest = Field(description="digest of deny, risk level, approvals and obligations")
