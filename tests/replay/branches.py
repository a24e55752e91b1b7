"""The branches of a ticket's life, each driven to its end; `record.py` runs them on a real server."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from temporalio.client import WorkflowUpdateFailedError

from holdpoint.models import contracts
from holdpoint.models.activity_calls import (
    Abandoned,
    Check,
    CheckReport,
    Compared,
    Gate,
    Scheduled,
    StepOutcome,
)
from holdpoint.models.contracts import closing_workflow
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import HoldCode, Reason, RollbackResult
from holdpoint.models.workflow_messages import CloseStart
from tests.workflows import many
from tests.workflows.builders import (
    a_canary,
    a_confirmation,
    a_control,
    a_digest,
    a_hold,
    a_manual,
    a_promotion,
    a_rollout,
    a_verdict,
    a_wait,
    a_word_on_the_verdict,
    an_analysis,
    an_apply,
    an_approval,
    an_evaluation,
    down,
    held,
    in_the_ledger,
)
from tests.workflows.world import World

Branch = Callable[[World], Awaitable[None]]
SHORT = [a_canary(bake=0.5)]
SOON = {"remind_after": 0.3, "escalate_after": 0.6, "expire_after": 30.0}


async def succeeded(world: World) -> None:
    """A canary of two weights."""
    world.answers["evaluate"] = an_evaluation(plan=SHORT)
    await _ends(world, Phase.SUCCEEDED)


async def applied(world: World) -> None:
    """A step without a canary, and nothing to judge by."""
    world.answers["evaluate"] = an_evaluation(plan=[an_apply()])
    world.answers["postcheck"] = world.looking_after_as_long_as_asked
    await world.submit(analysis=None, verify=0.5)
    assert await world.ends() is Phase.SUCCEEDED


async def approved(world: World) -> None:
    """Reminded and escalated, then approved."""
    asked = an_evaluation(plan=SHORT, approvals=1, met=False, need=SOON)
    met = an_evaluation(plan=SHORT, approvals=1, counted=1, need=SOON)
    world.answers["evaluate"] = lambda call: asked if call.purpose == "submit" else met
    world.answers["judge"] = world.judging_for_as_long_as_asked
    await world.submit(verify=0.5)
    await world.until(lambda: "approval.escalated" in world.kinds)
    await world.tell(contracts.APPROVE, an_approval())
    assert await world.ends() is Phase.SUCCEEDED


async def voided(world: World) -> None:
    """Approved, but the second evaluation binds something else: asked anew, then approved again."""
    asked = an_evaluation(plan=SHORT, approvals=1, met=False)
    moved = an_evaluation(plan=SHORT, approvals=1, met=False, digest=a_digest("b"))
    met = an_evaluation(plan=SHORT, approvals=1, counted=1, digest=a_digest("b"))
    answers = [asked, moved, met]
    world.answers["evaluate"] = answers
    await world.submit(verify=0.5)
    await world.enters(Phase.AWAITING_APPROVAL)
    await world.tell(contracts.APPROVE, an_approval())
    await world.until(lambda: "approval.voided" in world.kinds)
    await world.until(lambda: world.phases[-1:] == ["AwaitingApproval"])
    await world.tell(contracts.APPROVE, an_approval(digest=a_digest("b")))
    assert await world.ends() is Phase.SUCCEEDED


async def rejected(world: World) -> None:
    """An approver says no."""
    world.answers["evaluate"] = an_evaluation(approvals=1, met=False)
    await world.submit()
    await world.enters(Phase.AWAITING_APPROVAL)
    await world.tell(contracts.REJECT, an_approval())
    assert await world.ends() is Phase.REJECTED


async def expired(world: World) -> None:
    """Nobody answers."""
    need = {**SOON, "expire_after": 0.9}
    world.answers["evaluate"] = an_evaluation(approvals=1, met=False, need=need)
    await _ends(world, Phase.EXPIRED)


async def denied(world: World) -> None:
    """The policy says no."""
    world.answers["evaluate"] = an_evaluation(deny=["The image floats."])
    await _ends(world, Phase.REJECTED)


async def aborted_in_the_lane(world: World) -> None:
    """Waits for its target, and is aborted."""
    world.answers["schedule"] = Scheduled(granted=False, holds=[a_hold(HoldCode.LANE, ref="chg-other")])
    await world.submit()
    await world.is_held("lane")
    await world.tell(contracts.ABORT, a_control("abort"))
    assert await world.ends() is Phase.ABORTED


async def failed_precheck(world: World) -> None:
    """A precheck says no."""
    check = Check(name="dry_run", passed=False, message="The API server refuses it.")
    world.answers["precheck"] = CheckReport(passed=False, checks=[check])
    await _ends(world, Phase.FAILED)


async def breached(world: World) -> None:
    """The analysis fails; restored."""
    world.answers["evaluate"] = an_evaluation(plan=SHORT)
    world.answers["judge"] = a_verdict("fail")
    await _ends(world, Phase.ROLLED_BACK)


async def diverged(world: World) -> None:
    """The analysis fails, and somebody else edited meanwhile; closed again by hand later."""
    world.answers["evaluate"] = an_evaluation(plan=SHORT)
    world.answers["judge"] = a_verdict("fail")
    world.answers["compare"] = Compared(result=RollbackResult.DIVERGED, differences=["a: b: 1 -> 2"])
    await _ends(world, Phase.ROLLBACK_FAILED)


async def frozen_and_lifted(world: World) -> None:
    """A freeze in mid-canary holds it; lifted, it goes on."""
    world.answers["evaluate"] = an_evaluation(plan=[a_canary(bake=3)])
    await world.submit(verify=0.5)
    await world.asked(contracts.JUDGE)
    world.answers["gate"] = Gate(holds=[a_hold()])
    await world.wake()
    await world.is_held("frozen")
    world.answers["gate"] = Gate()
    await world.wake()
    assert await world.ends() is Phase.SUCCEEDED


async def paused_and_aborted(world: World) -> None:
    """Paused in mid-canary, resumed, and aborted."""
    world.answers["evaluate"] = an_evaluation(plan=[a_canary(bake=600)])
    await world.submit()
    await world.asked(contracts.JUDGE)
    await world.tell(contracts.PAUSE, a_control("pause"))
    await world.is_held("paused")
    await world.tell(contracts.RESUME, a_control("resume"))
    await world.is_free()
    await world.tell(contracts.ABORT, a_control("abort"))
    assert await world.ends() is Phase.ROLLED_BACK


async def metrics_down(world: World) -> None:
    """The metrics are away and come back."""
    world.answers["evaluate"] = an_evaluation(plan=SHORT)
    world.answers["judge"] = [a_verdict("provider_down"), a_verdict("provider_down"), a_verdict()]
    await _ends(world, Phase.SUCCEEDED)


async def lost_rollout(world: World) -> None:
    """Somebody terminates the rollout; the ticket has it undone."""
    world.answers["evaluate"] = an_evaluation(plan=[a_canary(bake=600)])
    _leave_a_rollout(world)
    await world.submit()
    await world.asked(contracts.JUDGE)
    await world.of_rollout.terminate("by hand")
    assert await world.ends() is Phase.ROLLED_BACK


async def closed_for_it(world: World) -> None:
    """A ticket whose workflow is gone is closed by another."""
    start = CloseStart(ticket=world.ticket, by="reconciler", reason=_leave_a_rollout(world))
    handle = await world.run(contracts.CLOSE_ABANDONED, start, closing_workflow(world.ticket))
    assert await handle.result() is Phase.ROLLED_BACK


async def policy_down(world: World) -> None:
    """The policy engine is away for longer than one round of attempts."""
    world.answers["evaluate"] = [*[down("OPA")] * 5, an_evaluation(plan=SHORT)]
    await _ends(world, Phase.SUCCEEDED)


async def paused_in_the_lane(world: World) -> None:
    """Paused while it waits, which gives its place away; after a while nobody has resumed it."""
    world.answers["evaluate"] = an_evaluation(obligations={"pause_bound": 0.5})
    world.answers["schedule"] = Scheduled(granted=False, holds=[a_hold(HoldCode.LANE, ref="chg-other")])
    await world.submit()
    await world.is_held("lane")
    await world.tell(contracts.PAUSE, a_control("pause"))
    assert await world.ends() is Phase.EXPIRED


async def without_a_verdict(world: World) -> None:
    """No data, until the hold has lasted as long as it may."""
    world.answers["evaluate"] = an_evaluation(plan=SHORT, obligations={"hold_bound": 4.0})
    world.answers["judge"] = a_verdict("no_data")
    await _ends(world, Phase.ROLLED_BACK)


async def promoted(world: World) -> None:
    """No data at the first weight, which a person lets go on."""
    world.answers["evaluate"] = an_evaluation(plan=SHORT)
    world.answers["judge"] = lambda call: a_verdict("no_data" if call.weight == 10 else "pass")
    await world.submit(verify=0.5)
    await world.is_held("no_data")
    world.answers["gate"] = a_promotion(world.view["holds"])
    await world.tell(contracts.PROMOTION, a_word_on_the_verdict(a_digest()))
    assert await world.ends() is Phase.SUCCEEDED


async def frozen_before_the_first_write(world: World) -> None:
    """A freeze came before anything was sent, and the ticket is aborted."""
    world.answers["apply_step"] = held()
    await world.submit()
    await world.is_held("frozen")
    await world.tell(contracts.ABORT, a_control("abort"))
    assert await world.ends() is Phase.ABORTED


async def left_partial(world: World) -> None:
    """The undo leaves something of ours, twice."""
    world.answers["evaluate"] = an_evaluation(plan=SHORT)
    world.answers["judge"] = a_verdict("fail")
    world.answers["compare"] = Compared(result=RollbackResult.PARTIAL, differences=["a: b: 1 -> 2"])
    await _ends(world, Phase.ROLLBACK_FAILED)


async def cancelled(world: World) -> None:
    """Temporal's cancel, while a step is in flight and the word of a person crosses it."""
    world.answers["apply_step"] = world.hang
    await world.submit()
    await world.asked(contracts.APPLY_STEP)
    await world.of_ticket.cancel()
    await world.of_rollout.cancel()
    assert await world.ends() is Phase.ROLLED_BACK


async def continued(world: World) -> None:
    """A long wait goes on in a new run, with a denied attempt, and is granted there."""
    world.answers["evaluate"] = an_evaluation(plan=SHORT)
    world.answers["schedule"] = Scheduled(granted=False, holds=[a_hold(HoldCode.LANE, ref="chg-other")])
    ticket = await world.submit(verify=0.5)
    await world.is_held("lane")
    with suppress(WorkflowUpdateFailedError):
        await world.tell(contracts.ROLLBACK, a_control("rollback"))
    while (await world.of_ticket.describe()).run_id == ticket.first_execution_run_id:
        asked = len(world.calls_of(contracts.SCHEDULE))
        await world.wake()
        await world.asked(contracts.SCHEDULE, asked + 1)
    world.answers["schedule"] = Scheduled(granted=True)
    await world.wake()
    assert await world.of_ticket.result() is Phase.SUCCEEDED


async def waited_and_confirmed(world: World) -> None:
    """A wait that is paused, a manual step that is confirmed, an analysis, and then a write."""
    plan = [a_wait(2), a_manual(index=1), an_analysis(0.5, index=2), an_apply(index=3)]
    world.answers["evaluate"] = an_evaluation(plan=plan)
    await world.submit(verify=0.5)
    await world.until(lambda: "step.started" in world.kinds)
    await world.tell(contracts.PAUSE, a_control("pause"))
    await world.is_held("paused")
    await world.tell(contracts.RESUME, a_control("resume"))
    await world.is_held("manual")
    world.answers["gate"] = in_the_ledger()
    await world.tell(contracts.CONFIRM, a_confirmation(step=1))
    assert await world.ends() is Phase.SUCCEEDED


async def left_unconfirmed(world: World) -> None:
    """Nobody does what is asked, in the time that a freeze leaves; what was written before is undone."""
    world.answers["evaluate"] = an_evaluation(plan=[an_apply(), a_manual(timeout=2, index=1)])
    await world.submit()
    await world.is_held("manual")
    world.answers["gate"] = Gate(holds=[a_hold()])
    await world.wake()
    await world.is_held("frozen")
    world.answers["gate"] = Gate()
    await world.wake()
    assert await world.ends() is Phase.ROLLED_BACK


async def waves_succeeded(world: World) -> None:
    """Two waves with a bake between; all targets are given back at the end."""
    await many.submit(world, many.plan_of(world, ["sandbox"], ["eu-2", "eu-3"], bake=0.3), verify=0.2)
    assert await world.ends() is Phase.SUCCEEDED


async def waves_undone(world: World) -> None:
    """A step fails in the second wave: every target is undone, the last wave first."""
    failed = StepOutcome(status="failed", mutated=True)
    world.answers["apply_step"] = many.only_on(many.target(world, "eu-2"), failed)
    await many.submit(world, many.plan_of(world, ["sandbox"], ["eu-2"], bake=0.3), verify=0.2)
    assert await world.ends() is Phase.ROLLED_BACK


async def waves_held_and_resumed(world: World) -> None:
    """A failed target holds the others; it is tried again, and succeeds."""
    answers = [StepOutcome(status="failed", mutated=True), StepOutcome(status="done", mutated=True)]
    again = many.only_on(many.target(world, "eu-2"), lambda call: answers.pop(0))
    world.answers["apply_step"] = again
    plan = many.plan_of(world, ["sandbox"], ["eu-2"], bake=0.3, on_failure="hold")
    await many.submit(world, plan, verify=0.2)
    await world.is_held("wave_failed")
    await world.tell(contracts.RESUME, a_control("resume"))
    assert await world.ends() is Phase.SUCCEEDED


async def waves_aborted(world: World) -> None:
    """Aborted while both targets of a wave bake."""
    plan = many.plan_of(world, ["sandbox", "eu-2"])
    await many.submit(world, plan, [a_canary(weights=(10,), bake=600)])
    await world.until(lambda: len(many.order(world, "judge")) == 2)
    await world.tell(contracts.ABORT, a_control("abort"))
    assert await world.ends() is Phase.ROLLED_BACK


BRANCHES: tuple[Branch, ...] = (
    succeeded,
    applied,
    approved,
    voided,
    rejected,
    expired,
    denied,
    aborted_in_the_lane,
    failed_precheck,
    breached,
    diverged,
    frozen_and_lifted,
    paused_and_aborted,
    metrics_down,
    lost_rollout,
    closed_for_it,
    policy_down,
    paused_in_the_lane,
    without_a_verdict,
    promoted,
    frozen_before_the_first_write,
    left_partial,
    cancelled,
    continued,
    waited_and_confirmed,
    left_unconfirmed,
    waves_succeeded,
    waves_undone,
    waves_held_and_resumed,
    waves_aborted,
)


def _leave_a_rollout(world: World) -> Reason:
    reason = Reason(code="workflow_lost", message="It was terminated.")
    world.answers["inspect_abandoned"] = Abandoned(
        rollouts=[a_rollout(world.ticket)], phase=Phase.ROLLED_BACK, reason=reason, closed=False
    )
    return reason


async def _ends(world: World, phase: Phase) -> None:
    await world.submit(verify=0.5)
    assert await world.ends() is phase
