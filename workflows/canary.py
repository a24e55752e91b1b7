"""Executing: each step is brought to its weights, baked and judged at each, and finished."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from temporalio import workflow

from holdpoint.models.activity_calls import Begun, CheckReport, PostcheckCall, StepCall, StepOutcome
from holdpoint.models.blue_green import SWITCHING
from holdpoint.models.contracts import APPLY_STEP, POSTCHECK
from holdpoint.models.phases import Phase
from holdpoint.models.plan import PlannedStep
from holdpoint.models.ticket import Hold, HoldCode, Reason, StepStatus
from workflows.failures import Broken, Fallen, Lost, seconds
from workflows.held import hold_on, until_clear, until_looked
from workflows.holds import FROZEN, STEP
from workflows.limits import BRIEF, LIMITS
from workflows.manual import Manual
from workflows.recheck import look_again_if_old, postcheck
from workflows.record_keeping import HOLDPOINT
from workflows.rollout_state import RolloutWork, Timed
from workflows.timed import WHOLE, KeptBeside, Standing, Waiting
from workflows.watch import Watch

TIMED: dict[str, Callable[[RolloutWork, PlannedStep], Timed]] = {
    "wait": Waiting,
    "manual": Manual,
    "analysis": Standing,
}
"""The step kinds that write nothing: time passes, or a person's word is awaited, and nothing is applied."""


async def run_steps(work: RolloutWork) -> None:
    """Run every step of the plan, in order."""
    for index, step in enumerate(work.start.plan):
        work.current = index
        work.mark(StepStatus.RUNNING)
        timed = TIMED.get(step.kind)
        reached = await (_run_timed(work, step, timed) if timed else _run_written(work, step))
        work.mark(StepStatus.SUCCEEDED, weight=reached)
        work.clerk.note("step.finished", {"step": step.name}, steps=work.shown_steps())


async def _run_timed(
    work: RolloutWork, step: PlannedStep, timed: Callable[[RolloutWork, PlannedStep], Timed]
) -> None:
    """Run a step that writes nothing; what is left of its time is shown meanwhile."""
    work.timed = timed(work, step)
    try:
        _note_started(work, step)
        await work.timed.run()
    finally:
        work.timed = None


async def _run_written(work: RolloutWork, step: PlannedStep) -> float | None:
    """Run a step that an activity applies; return the weight that it has reached."""
    _note_started(work, step)
    await _run_weights(work, step)
    outcome = await _bring(work, step, "finish")
    work.live = None
    return outcome.reached


def _note_started(work: RolloutWork, step: PlannedStep) -> None:
    work.clerk.note("step.started", {"step": step.name, "kind": step.kind}, steps=work.shown_steps())


async def verify(work: RolloutWork) -> None:
    """Watch everything at 100 %. Nothing is written, so a freeze does not stop it; a pause does."""
    work.check()
    brief = work.start.verify <= BRIEF
    await work.enter(Phase.VERIFYING, tell=not brief)
    work.show_holds(FROZEN, [])
    await watch_whole(work, work.start.verify)


async def watch_whole(work: RolloutWork, bake: float) -> None:
    """Watch everything at 100 % for so many seconds, and look whether it is still as it was applied."""
    watch = Watch(work, None, float(WHOLE), bake, snapshot=_begun(work).snapshot)
    watched = not (bake <= BRIEF and work.start.analysis is None)
    while True:
        if watched:
            await watch.until_passed()
        _still_as_applied(work, watch.report or await _look(work, after=0.0 if watched else watch.bake))
        if watch.over:
            await postcheck(work)
        if watch.over:
            return  # nothing has held it while the postchecks ran
        watched, watch.report = True, None


async def _look(work: RolloutWork, after: float) -> CheckReport:
    """Return, `after` so many seconds, whether everything is still as it was applied."""
    return await work.clerk.insist(
        POSTCHECK,
        work.call(PostcheckCall, snapshot=_begun(work).snapshot, after=after),
        summary="Look whether it is still as it was applied",
        limit=LIMITS[POSTCHECK.name].over(after),
        bound=work.hold_bound,
    )


def _still_as_applied(work: RolloutWork, report: CheckReport) -> None:
    """Hold that what was judged is what was applied. Raises Fallen."""
    work.clerk.note("postcheck.finished", report.model_dump(mode="json"))
    if not report.passed:
        said = "; ".join(check.message for check in report.checks if not check.passed)
        raise Fallen(Reason(code="drifted", message=f"Somebody changed it while it was verified: {said}."))


async def _run_weights(work: RolloutWork, step: PlannedStep) -> None:
    began: datetime | None = None
    work.promoted_to = 0
    for number, weight in enumerate(step.weights):
        if weight.asked >= WHOLE and step.kind != SWITCHING:
            return
        if weight.asked < work.promoted_to:
            continue  # a person has named a later one
        outcome = await _bring(work, step, "weight", number)
        reached = weight.reached if outcome.reached is None else outcome.reached
        work.mark(StepStatus.RUNNING, weight=reached)
        body = {"step": step.name, "asked": weight.asked, "reached": reached}
        work.clerk.note("weight.reached", body, steps=work.shown_steps())
        began = began or workflow.now()
        work.live = Watch(work, step, reached, step.bake, began=began)
        await work.live.until_passed()
        if step.kind == SWITCHING and weight.stable:
            await _keep_beside(work, step, work.live.since)
        if reached >= WHOLE:
            return  # the Deployment was not there before: it was created whole


async def _keep_beside(work: RolloutWork, step: PlannedStep, since: datetime) -> None:
    """Keep the old version running until its time after the switch is over."""
    left = float(step.config["scaleDown"]) - seconds(workflow.now() - since)
    if left <= 0:
        return
    kept = KeptBeside(work, step, left)
    work.timed, work.live = kept, kept.watch
    try:
        work.clerk.note("old_version.kept", {"step": step.name, "seconds": left}, steps=work.shown_steps())
        await kept.run()
    finally:
        work.timed = None


async def _bring(
    work: RolloutWork, step: PlannedStep, stage: Literal["weight", "finish"], number: int = 0
) -> StepOutcome:
    """Bring a step to its next stage, however often it is held.

    Raises Fallen, Lost, Stopped, Overdue, Broken.
    """
    call = work.call(StepCall, step=step, stage=stage, weight=number, snapshot=_begun(work).snapshot)
    while True:
        await until_clear(work)
        await look_again_if_old(work)
        seen = work.clerk.wakes
        outcome = await _apply(work, call)
        if outcome.status == "done":
            work.show_holds(STEP, [])
            return outcome
        if outcome.status == "lost":
            raise Lost(outcome.reason)
        if outcome.status == "failed":
            reason = Reason(code="step_failed", message=f"The step `{step.name}` failed.")
            raise Fallen(outcome.reason or reason)
        _show_held(work, outcome)
        if work.clerk.wakes > seen:
            work.looked = seen  # what woke us may have been answered before this outcome was known
        await until_looked(work, seen)


def _begun(work: RolloutWork) -> Begun:
    if work.begun is None:
        raise Broken(Reason(code="error", message="A step was begun without a snapshot."))
    return work.begun


async def _apply(work: RolloutWork, call: StepCall) -> StepOutcome:
    """Apply one stage. From before it is scheduled it counts as done, until its outcome says otherwise."""
    before, work.touched = work.touched, True
    own = call.step.config.get("timeout", 0.0)
    outcome = await work.clerk.insist(
        APPLY_STEP,
        call,
        summary=_summary(call),
        limit=LIMITS[APPLY_STEP.name].over(float(own)),
        bound=work.hold_bound,
        idle=lambda pause: hold_on(work, pause, work.clerk.wakes),  # until woken from now on
    )
    work.touched = before or outcome.mutated
    return outcome


def _show_held(work: RolloutWork, outcome: StepOutcome) -> None:
    message = "Nothing was sent for this step; it is asked again."
    hold = Hold(
        code=HoldCode.CLUSTER_DOWN,
        message=message,
        by=HOLDPOINT,
        since=workflow.now(),
        lift="the next try",
    )
    holds = outcome.holds or [hold]
    work.show_holds(FROZEN, [hold for hold in holds if hold.code is HoldCode.FROZEN])
    work.show_holds(STEP, [hold for hold in holds if hold.code is not HoldCode.FROZEN])


def _summary(call: StepCall) -> str:
    if call.stage == "finish":
        return f"Finish {call.step.name}"
    return f"Bring {call.step.name} to {call.step.weights[call.weight].asked} %"
