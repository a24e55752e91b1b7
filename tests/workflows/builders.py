"""Values for tests, each with everything but what the test is about filled in."""

from datetime import UTC, datetime
from typing import Any

from temporalio.exceptions import ApplicationError

from holdpoint.models.activity_calls import (
    Confirmation,
    Evaluation,
    Gate,
    Judgement,
    Promotion,
    Quorum,
    StepOutcome,
)
from holdpoint.models.analysis import Analysis, ErrorRatio
from holdpoint.models.checks import CheckAttempt, PlannedCheck
from holdpoint.models.plan import PlannedStep, WeightPlan
from holdpoint.models.plan_diff import PlanDiffSummary
from holdpoint.models.policy import ApprovalNeed, Decision, Obligations
from holdpoint.models.ticket import Hold, HoldCode, Risk, Verdict, VerdictCode
from holdpoint.models.workflow_messages import (
    ApprovalGiven,
    ConfirmationGiven,
    Control,
    PromotionGiven,
    RolloutStart,
    TicketStart,
)

ANALYSIS = Analysis(errorRatio=ErrorRatio(max=0.01))


def a_digest(letter: str = "a") -> str:
    return "sha256:" + letter * 64


def a_start(ticket: str, **changes: Any) -> TicketStart:
    values: dict[str, Any] = {
        "ticket": ticket,
        "title": "shop 1.2.3",
        "service": "shop",
        "environment": "production",
        "type": "normal",
        "requester": "ci",
        "target": f"sandbox/default/{ticket}",
        "verify": 5.0,
        "analysis": ANALYSIS,
    }
    return TicketStart(**{**values, **changes})


def a_canary(weights: tuple[int, ...] = (10, 50), bake: float = 30.0, index: int = 0) -> PlannedStep:
    return PlannedStep(
        index=index,
        name=f"canary {index}",
        kind="canary",
        config={"deployment": "shop"},
        weights=[WeightPlan(asked=w, reached=float(w), canary=w // 10, stable=10 - w // 10) for w in weights],
        bake=bake,
    )


def a_switch(bake: float = 30.0, scale_down: float = 300.0, stable: int = 10) -> PlannedStep:
    return PlannedStep(
        index=0,
        name="switch",
        kind="blueGreen",
        config={"deployment": "shop", "service": "shop", "scaleDown": scale_down, "timeout": 600.0},
        weights=[WeightPlan(asked=100, reached=100.0, canary=10, stable=stable)],
        bake=bake,
    )


def an_apply(index: int = 0) -> PlannedStep:
    return PlannedStep(index=index, name=f"apply {index}", kind="apply", config={})


def a_wait(seconds: float = 600.0, index: int = 0) -> PlannedStep:
    return PlannedStep(index=index, name=f"wait {index}", kind="wait", config={"for": seconds})


def an_analysis(seconds: float = 60.0, index: int = 0) -> PlannedStep:
    return PlannedStep(index=index, name=f"analysis {index}", kind="analysis", config={"for": seconds})


def a_manual(timeout: float = 3600.0, index: int = 0, **config: Any) -> PlannedStep:
    asked = {"who": "sre", "what": "Fail the database over.", "runbook": "https://wiki.example/failover"}
    values = {**asked, "timeout": timeout, **config}
    return PlannedStep(index=index, name=f"by hand {index}", kind="manual", config=values)


def a_confirmation(by: str = "sre", step: int = 0, *, done: bool = True) -> ConfirmationGiven:
    return ConfirmationGiven(
        by=by,
        step=step,
        done=done,
        entry=f"manual/{step}",
        at=datetime.now(UTC),
        reason="Replica is primary.",
    )


def in_the_ledger(by: str = "sre", *, done: bool = True) -> Gate:
    """Return what the ledger answers once it has a word on the manual step that is asked about."""
    return Gate(confirmation=Confirmation(done=done, by=by, reason="Replica is primary."))


def a_word_on_the_verdict(digest: str, *, weight: int | None = None) -> PromotionGiven:
    return PromotionGiven(
        by="sre", digest=digest, entry="promote/1", at=datetime(2026, 3, 2, tzinfo=UTC), weight=weight
    )


def a_promotion(holds: list[dict[str, Any]], *, weight: int | None = None) -> Gate:
    """Return what the ledger answers once a person has promoted what these holds lie on."""
    word = {"by": "sre", "reason": "no one is awake there", "digest": a_digest(), "entry": "promote/1"}
    since = [hold["since"] for hold in holds]
    return Gate(promotion=Promotion.model_validate({**word, "since": since, "weight": weight}))


def an_evaluation(
    *,
    plan: list[PlannedStep] | None = None,
    deny: list[str] | None = None,
    approvals: int = 0,
    digest: str | None = None,
    met: bool = True,
    counted: int = 0,
    need: dict[str, Any] | None = None,
    obligations: dict[str, Any] | None = None,
    risk: str = "low",
    plan_diff: str | None = None,
    moved: list[str] | None = None,
    prechecks: list[PlannedCheck] | None = None,
    postchecks: list[PlannedCheck] | None = None,
) -> Evaluation:
    decision = Decision(
        deny=deny or [],
        risk=Risk(level=risk),
        approvals=ApprovalNeed(count=approvals, groups=["approver"], **(need or {})),
        obligations=Obligations(**(obligations or {})),
        revision="r1",
        digest=a_digest("d"),
    )
    return Evaluation(
        decision=decision,
        digest=digest or a_digest(),
        plan=plan if plan is not None else [a_canary()],
        quorum=Quorum(met=met, counted=counted, required=approvals, message="0 of 1 in the ledger."),
        plan_diff=PlanDiffSummary(digest=plan_diff) if plan_diff else None,
        moved=moved or [],
        prechecks=prechecks or [],
        postchecks=postchecks or [],
    )


def a_check(name: str = "errors", *, attempts: int = 3, by: Any = "plan") -> PlannedCheck:
    config = {"promql": "errors", "max": 0.01}
    return PlannedCheck(name=name, kind="query", config=config, attempts=attempts, timeout=10.0, by=by)


def a_try(message: str = "The value is 0.", *, passed: bool = True) -> CheckAttempt:
    return CheckAttempt(passed=passed, message=message, at=datetime.now(UTC), answer={"series": 1})


def a_verdict(code: str = "pass", message: str = "", weight: float = 10.0) -> Judgement:
    verdict = Verdict(
        verdict=VerdictCode(code), weight=weight, message=message or f"It is {code}.", at=datetime.now(UTC)
    )
    return Judgement(verdict=verdict, watched=0.0)


def a_hold(code: HoldCode = HoldCode.FROZEN, ref: str = "frz-1", **changes: Any) -> Hold:
    values = {"message": "Frozen: INC-7", "by": "commander", "since": datetime.now(UTC), "lift": "lift it"}
    return Hold(code=code, ref=ref, **{**values, **changes})


def held(*holds: Hold, mutated: bool = False) -> StepOutcome:
    return StepOutcome(status="held", holds=list(holds) or [a_hold()], mutated=mutated)


def an_approval(by: str = "approver", digest: str | None = None) -> ApprovalGiven:
    return ApprovalGiven(by=by, digest=digest or a_digest(), entry=f"given/{by}", at=datetime.now(UTC))


def a_control(verb: str, by: str = "sre", reason: str = "INC-7", code: str | None = None) -> Control:
    return Control(verb=verb, by=by, reason=reason, code=code)


def a_rollout(ticket: str, **changes: Any) -> RolloutStart:
    values: dict[str, Any] = {
        "ticket": ticket,
        "target": f"sandbox/default/{ticket}",
        "service": "shop",
        "environment": "production",
        "type": "normal",
        "plan": [a_canary()],
        "verify": 5.0,
        "analysis": ANALYSIS,
    }
    return RolloutStart(**{**values, **changes})


def down(what: str = "The cluster") -> ApplicationError:
    return ApplicationError(f"{what} does not answer.", type="upstream_unavailable")


def broken(code: str = "step_config", message: str = "It cannot run as configured.") -> ApplicationError:
    return ApplicationError(message, type=code, non_retryable=True)
