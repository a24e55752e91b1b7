"""Many targets: wave by wave, with a bake between, and all of it or none of it."""

import pytest

from holdpoint.models import contracts
from holdpoint.models.activity_calls import (
    Abandoned,
    Check,
    CheckReport,
    Compared,
    StepOutcome,
)
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason, RollbackResult
from tests.workflows.builders import a_canary, a_control, a_rollout, a_verdict
from tests.workflows.many import only_on, order, plan_of, submit, target
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

BROKE = StepOutcome(
    status="failed", reason=Reason(code="step_failed", message="It does not become ready."), mutated=True
)


def phases_of(world: World) -> dict[str, str | None]:
    return {key.partition("/")[0]: one.get("phase") for key, one in world.targets.items()}


async def test_every_target_is_given_back_only_when_all_are_verified(world: World) -> None:
    """Asked for at once; and each wave has prechecks of its own, for hours may have passed."""
    plan = plan_of(world, ["eu-1"], ["eu-2", "eu-3"])
    await submit(world, plan)

    assert await world.ends() is Phase.SUCCEEDED
    assert [call.targets for call in world.calls_of(contracts.SCHEDULE)] == [plan.targets]
    checked = [list(call.plans) for call in world.calls_of(contracts.PRECHECK)]
    assert checked == [plan.targets, plan.waves[1]]
    names = [name for name in world.names if name in ("begin_rollout", "finish_rollout")]
    assert names == ["begin_rollout"] * 3 + ["finish_rollout"] * 3
    assert phases_of(world) == {"eu-1": "Succeeded", "eu-2": "Succeeded", "eu-3": "Succeeded"}
    assert world.phases == ["Scheduled", "Prechecking", "Executing", "Verifying", "Succeeded"]


async def test_everything_touched_is_watched_once_more_before_the_next_wave(world: World) -> None:
    await submit(world, plan_of(world, ["eu-1"], ["eu-2"], ["eu-3"], bake=20.0))

    assert await world.ends() is Phase.SUCCEEDED
    baked = [body["target"].partition("/")[0] for body in world.bodies("target.baked")]
    assert baked[:1] == ["eu-1"]
    assert sorted(baked[1:]) == ["eu-1", "eu-2"]
    begun = [name for name in world.kinds if name in ("wave.started", "wave.baking")]
    assert begun == ["wave.started", "wave.baking", "wave.started", "wave.baking", "wave.started"]


async def test_a_failure_in_the_second_wave_undoes_both_the_last_first(live: World) -> None:
    live.answers["apply_step"] = only_on(target(live, "eu-3"), BROKE)
    await submit(live, plan_of(live, ["eu-1"], ["eu-2", "eu-3"], ["eu-4"], bake=0.1), verify=0.1)

    assert await live.ends() is Phase.ROLLED_BACK
    undone = order(live, "undo")
    assert "eu-3" in undone[:2]
    assert undone[-1] == "eu-1"
    assert "eu-4" not in order(live, "begin_rollout")
    assert live.view["reason"]["code"] == "wave_failed"
    assert live.view["reason"]["message"].startswith("eu-3 (wave 2) failed: It does not become ready.")
    assert live.view["rollback"]["result"] == "restored"
    assert live.phases[-2:] == ["RollingBack", "RolledBack"]


async def test_a_breach_while_a_wave_bakes_undoes_what_was_touched(world: World) -> None:
    world.answers["judge"] = lambda call: a_verdict(
        "fail" if "target.verified" in world.kinds and call.target.startswith("eu-1/") else "pass"
    )
    await submit(world, plan_of(world, ["eu-1"], ["eu-2"], bake=60.0))

    assert await world.ends() is Phase.ROLLED_BACK
    assert order(world, "begin_rollout") == ["eu-1"]
    assert world.targets[target(world, "eu-1")]["rollback"]["result"] == "restored"


async def test_a_precheck_that_says_no_before_the_second_wave_undoes_the_first(world: World) -> None:
    said_no = Check(name="health", passed=False, message="eu-2: it is ill.")
    world.answers["precheck"] = [
        CheckReport(passed=True, checks=[]),
        CheckReport(passed=False, checks=[said_no]),
    ]
    await submit(world, plan_of(world, ["eu-1"], ["eu-2"]))

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"] == {"code": "precheck_failed", "message": "health: eu-2: it is ill."}


async def test_what_was_not_undone_on_one_target_is_named(world: World) -> None:
    world.answers["apply_step"] = only_on(target(world, "eu-2"), BROKE)
    world.answers["compare"] = only_on(
        target(world, "eu-1"),
        Compared(result=RollbackResult.DIVERGED, differences=["Deployment shop: spec.replicas: 3 -> 5"]),
    )
    await submit(world, plan_of(world, ["eu-1"], ["eu-2"]))

    assert await world.ends() is Phase.ROLLBACK_FAILED
    assert world.view["rollback"]["result"] == "diverged"
    assert world.view["rollback"]["differences"] == ["eu-1: Deployment shop: spec.replicas: 3 -> 5"]
    assert "eu-1 ended RollbackFailed" in world.view["reason"]["message"]


async def test_hold_keeps_the_others_where_they_are_and_resume_tries_again(live: World) -> None:
    answers = [BROKE, StepOutcome(status="done", reached=100.0, mutated=True)]
    live.answers["apply_step"] = only_on(
        target(live, "eu-2"), lambda call: answers.pop(0) if len(answers) > 1 else answers[0]
    )
    await submit(live, plan_of(live, ["eu-1"], ["eu-2"], ["eu-3"], bake=0.1, on_failure="hold"), verify=0.1)
    await live.is_held("wave_failed")
    await live.until(lambda: phases_of(live)["eu-2"] == "RolledBack")
    assert "eu-3" not in order(live, "begin_rollout")
    assert live.view["phase"] == "Executing"

    await live.tell(contracts.RESUME, a_control("resume"))

    assert await live.ends() is Phase.SUCCEEDED
    assert [body["target"] for body in live.bodies("target.begun_again")] == [target(live, "eu-2")]


async def test_a_hold_that_nobody_lifts_ends_with_everything_undone(world: World) -> None:
    world.answers["apply_step"] = only_on(target(world, "eu-2"), BROKE)
    plan = plan_of(world, ["eu-1"], ["eu-2"], on_failure="hold")
    await submit(world, plan, obligations={"hold_bound": 3600.0})

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "hold_expired"
    assert sorted(order(world, "undo")) == ["eu-1", "eu-2"]


async def test_a_rollback_by_a_person_ends_a_hold(live: World) -> None:
    live.answers["apply_step"] = only_on(target(live, "eu-2"), BROKE)
    await submit(live, plan_of(live, ["eu-1"], ["eu-2"], bake=0.1, on_failure="hold"), verify=0.1)
    await live.is_held("wave_failed")

    await live.tell(contracts.ROLLBACK, a_control("rollback"))

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.view["reason"]["code"] == "rollback_requested"


async def test_an_abort_in_mid_wave_reaches_every_target(live: World) -> None:
    await submit(live, plan_of(live, ["eu-1", "eu-2"], ["eu-3"]), [a_canary(weights=(10,), bake=600)])
    await live.until(lambda: len(order(live, "judge")) == 2)

    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.view["reason"] == {"code": "aborted", "message": "Aborted by sre: INC-7."}
    assert sorted(order(live, "undo")) == ["eu-1", "eu-2"]
    assert phases_of(live) == {"eu-1": "RolledBack", "eu-2": "RolledBack", "eu-3": None}


async def test_an_abort_before_anything_was_written_ends_aborted(live: World) -> None:
    live.answers["begin_rollout"] = live.hang
    await submit(live, plan_of(live, ["eu-1", "eu-2"]))
    await live.until(lambda: live.hanging == 2)

    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.ends() is Phase.ABORTED
    assert live.calls_of(contracts.UNDO) == []


async def test_a_pause_lets_no_wave_begin_until_it_is_lifted(live: World) -> None:
    live.answers["apply_step"] = live.hang
    await submit(live, plan_of(live, ["eu-1"], ["eu-2"], bake=0.2), verify=0.1)
    await live.until(lambda: live.hanging == 1)
    await live.tell(contracts.PAUSE, a_control("pause"))
    await live.is_held("paused")

    assert order(live, "begin_rollout") == ["eu-1"]
    await live.tell(contracts.RESUME, a_control("resume"))
    live.release()

    assert await live.ends() is Phase.SUCCEEDED


async def test_a_terminated_rollout_of_one_target_fails_its_wave(live: World) -> None:
    key = target(live, "eu-2")
    left = a_rollout(live.ticket, mode="undo", target=key, wave=1)
    lost = Reason(code="workflow_lost", message="It was lost.")
    live.answers["inspect_abandoned"] = Abandoned(
        rollouts=[left], phase=Phase.ROLLED_BACK, reason=lost, closed=False
    )
    await submit(live, plan_of(live, ["eu-1", "eu-2"]), [a_canary(weights=(10,), bake=600)])
    await live.until(lambda: len(order(live, "judge")) == 2)

    await live.rollout_on(key).terminate("by mistake")

    assert await live.ends() is Phase.ROLLED_BACK
    (asked,) = live.calls_of(contracts.INSPECT)
    assert asked.target == key  # the other one runs, and keeps its target
    assert sorted(order(live, "undo")) == ["eu-1", "eu-2"]
    assert "The rollout was lost" in live.view["reason"]["message"]


async def test_a_terminated_ticket_leaves_rollouts_that_undo_themselves(live: World) -> None:
    await submit(live, plan_of(live, ["eu-1"], ["eu-2"], bake=600.0), verify=0.1)
    await live.until(lambda: "wave.baking" in live.kinds)

    await live.of_ticket.terminate("by mistake")
    result = await live.rollout_on(target(live, "eu-1")).result()

    assert result.phase is Phase.ROLLED_BACK
