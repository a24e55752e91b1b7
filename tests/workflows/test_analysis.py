"""Judging a canary: bake, holds without a verdict, and what ends them."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from holdpoint.models import contracts
from holdpoint.models.activity_calls import Gate, JudgeCall, Judgement
from holdpoint.models.analysis import SHORTEST_DEADLINE
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import VerdictCode
from holdpoint.models.workflow_messages import Control
from tests.workflows.builders import (
    a_canary,
    a_control,
    a_hold,
    a_promotion,
    a_verdict,
    a_word_on_the_verdict,
    an_apply,
    an_evaluation,
    down,
)
from tests.workflows.promotion import promoted
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

WITHOUT_A_VERDICT = ["no_data", "low_sample", "inconclusive", "provider_down"]


def baking(world: World, bake: float = 30.0, **obligations: float) -> None:
    """Have a ticket with one weight."""
    plan = [a_canary(weights=(10,), bake=bake)]
    world.answers["evaluate"] = an_evaluation(plan=plan, obligations=obligations)


async def test_a_fail_rolls_back_with_the_sentence_of_the_verdict(world: World) -> None:
    baking(world)
    world.answers["judge"] = a_verdict("fail", "5 % of 1000 requests failed, 1 % is allowed.")

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"] == {
        "code": "analysis_failed",
        "message": "5 % of 1000 requests failed, 1 % is allowed.",
    }
    assert world.phases[-3:] == ["Executing", "RollingBack", "RolledBack"]
    assert world.view["rollback"]["result"] == "restored"
    assert world.view["steps"][0]["status"] == "undone"


@pytest.mark.parametrize("code", WITHOUT_A_VERDICT)
async def test_no_verdict_is_never_a_pass_and_holds_until_the_bound_rolls_back(
    world: World, code: str
) -> None:
    baking(world, hold_bound=600)
    world.answers["judge"] = a_verdict(code, f"It is {code}.")

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    placed = world.bodies("hold.placed")
    assert [(hold["code"], hold["message"]) for hold in placed] == [(code, f"It is {code}.")]
    assert world.view["reason"]["code"] == "hold_expired"
    assert [call.stage for call in world.calls_of(contracts.APPLY_STEP)] == ["weight"]


@pytest.mark.parametrize("code", [code for code in WITHOUT_A_VERDICT if code != "inconclusive"])
async def test_a_hold_without_a_verdict_ends_with_a_pass(world: World, code: str) -> None:
    baking(world, bake=5)
    world.answers["judge"] = [*[a_verdict(code)] * 4, a_verdict("pass")]

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert [hold["code"] for hold in world.bodies("hold.lifted")] == [code]


@pytest.mark.parametrize("code", ["no_data", "low_sample", "inconclusive"])
async def test_before_the_bake_is_over_no_verdict_holds_nothing(world: World, code: str) -> None:
    baking(world, bake=60)
    world.answers["judge"] = [a_verdict(code), a_verdict(code), a_verdict("pass")]

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert "hold.placed" not in world.kinds


async def test_what_is_inconclusive_is_judged_on_without_a_hold_until_the_deadline(world: World) -> None:
    baking(world, bake=5)
    world.answers["judge"] = [*[a_verdict("inconclusive")] * 4, a_verdict("pass")]

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert "hold.placed" not in world.kinds


async def test_what_is_inconclusive_at_the_deadline_is_held_and_may_still_pass(world: World) -> None:
    baking(world, bake=5)
    world.answers["judge"] = [*[a_verdict("inconclusive")] * 20, a_verdict("pass")]

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    at = {entry.kind: entry.at for entry in world.entries.values()}
    assert [hold["code"] for hold in world.bodies("hold.placed")] == ["inconclusive"]
    assert (at["hold.placed"] - at["weight.reached"]).total_seconds() >= SHORTEST_DEADLINE


async def test_the_judge_knows_the_deadline_and_since_when_the_canary_runs(world: World) -> None:
    plan = [a_canary(weights=(10, 50), bake=30)]
    world.answers["evaluate"] = an_evaluation(plan=plan)

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    calls = [call for call in world.calls_of(contracts.JUDGE) if call.step is not None]
    assert len({call.began for call in calls}) == 1
    assert {call.since for call in calls} > {call.began for call in calls}
    assert {call.deadline - call.since for call in calls if call.deadline} == {timedelta(seconds=300)}
    assert {call.deadline for call in world.calls_of(contracts.JUDGE) if call.step is None} == {None}


async def test_a_provider_that_is_down_holds_at_once_and_that_time_is_not_bake(world: World) -> None:
    baking(world, bake=60)
    world.answers["judge"] = [*[a_verdict("provider_down")] * 6, a_verdict("pass")]

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    at = {entry.kind: entry.at for entry in world.entries.values()}
    held = (at["hold.lifted"] - at["hold.placed"]).total_seconds()
    assert (at["hold.placed"] - at["weight.reached"]).total_seconds() < 2
    assert held > 5
    assert (at["step.finished"] - at["weight.reached"]).total_seconds() >= 60 + held


async def test_a_judge_that_cannot_be_asked_holds_and_never_passes(world: World) -> None:
    baking(world, hold_bound=300)
    world.answers["judge"] = down("Prometheus")

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert [hold["code"] for hold in world.bodies("hold.placed")] == ["provider_down"]
    assert world.view["reason"]["code"] == "hold_expired"


async def test_changing_words_do_not_give_a_hold_more_time(world: World) -> None:
    baking(world, bake=5, hold_bound=300)
    verdicts = [a_verdict("no_data"), a_verdict("low_sample")]
    world.answers["judge"] = lambda call: verdicts[len(world.calls_of(contracts.JUDGE)) % 2]

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    placed = [entry for entry in world.entries.values() if entry.kind == "hold.placed"]
    rolled = [entry.at for entry in world.entries.values() if entry.body.get("phase") == "RollingBack"]
    assert (rolled[0] - placed[0].at).total_seconds() == pytest.approx(300, abs=20)


async def test_a_paused_canary_is_still_judged_and_a_fail_rolls_it_back(world: World) -> None:
    baking(world, bake=600)
    await world.submit()
    await world.asked(contracts.JUDGE)
    await world.tell(contracts.PAUSE, a_control("pause"))
    await world.is_held("paused")

    world.answers["judge"] = a_verdict("fail", "It fails.")

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "analysis_failed"


async def test_paused_time_is_not_bake(world: World) -> None:
    baking(world, bake=60)
    await world.submit()
    await world.asked(contracts.JUDGE)
    await world.tell(contracts.PAUSE, a_control("pause"))
    await world.is_held("paused")
    await world.pass_time(minutes=30)
    assert world.view["steps"][0]["status"] == "held"
    assert [call.stage for call in world.calls_of(contracts.APPLY_STEP)] == ["weight"]

    await world.tell(contracts.RESUME, a_control("resume"))

    assert await world.ends() is Phase.SUCCEEDED
    at = {entry.kind: entry.at for entry in world.entries.values()}
    held = (at["hold.lifted"] - at["hold.placed"]).total_seconds()
    baked = (at["step.finished"] - at["weight.reached"]).total_seconds() - held
    assert held >= 1800
    assert 60 <= baked < 90
    assert next(e for e in world.entries.values() if e.kind == "hold.lifted").actor == "sre"


async def test_a_pause_that_nobody_lifts_rolls_back_at_its_bound(world: World) -> None:
    baking(world, bake=30, pause_bound=3600)
    await world.submit()
    await world.asked(contracts.JUDGE)

    await world.tell(contracts.PAUSE, a_control("pause"))

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "hold_expired"
    assert len(world.calls_of(contracts.JUDGE)) < 60


async def test_a_freeze_in_mid_bake_holds_and_its_lift_goes_on(world: World) -> None:
    baking(world, bake=60)
    await world.submit()
    await world.asked(contracts.JUDGE)
    world.answers["gate"] = Gate(holds=[a_hold()])
    await world.wake()
    await world.is_held("frozen")
    await world.pass_time(minutes=5)
    assert [call.stage for call in world.calls_of(contracts.APPLY_STEP)] == ["weight"]

    world.answers["gate"] = Gate()
    await world.wake()
    await world.is_free()

    assert await world.ends() is Phase.SUCCEEDED
    at = {entry.kind: entry.at for entry in world.entries.values()}
    held = (at["hold.lifted"] - at["hold.placed"]).total_seconds()
    assert held >= 300
    assert (at["step.finished"] - at["weight.reached"]).total_seconds() >= 60 + held


async def test_lifting_one_of_two_freezes_leaves_the_other(world: World) -> None:
    baking(world, bake=60)
    await world.submit()
    await world.asked(contracts.JUDGE)
    world.answers["gate"] = Gate(holds=[a_hold(ref="frz-1"), a_hold(ref="frz-2")])
    await world.wake()
    await world.until(lambda: len(world.view.get("holds", [])) == 2)

    world.answers["gate"] = Gate(holds=[a_hold(ref="frz-2")])
    await world.wake()
    await world.until(lambda: len(world.view["holds"]) == 1)

    assert world.view["holds"][0]["ref"] == "frz-2"
    world.answers["gate"] = Gate()
    await world.wake()
    await world.is_free()


async def test_verifying_goes_on_under_a_freeze(world: World) -> None:
    baking(world, bake=5)
    await world.submit(verify=600.0)
    await world.pass_time(seconds=60)
    await world.enters(Phase.VERIFYING)

    world.answers["gate"] = Gate(holds=[a_hold()])
    await world.wake()

    assert await world.ends() is Phase.SUCCEEDED
    assert "hold.placed" not in world.kinds


async def test_a_regression_while_verifying_still_rolls_back(world: World) -> None:
    baking(world, bake=5)
    world.answers["judge"] = lambda call: a_verdict("pass" if call.step else "fail", weight=call.weight)

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.phases[-3:] == ["Verifying", "RollingBack", "RolledBack"]


async def test_a_service_without_traffic_is_held_while_verifying(world: World) -> None:
    baking(world, bake=5, hold_bound=900)
    world.answers["judge"] = lambda call: a_verdict("pass" if call.step else "no_data", weight=call.weight)

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "hold_expired"


async def test_every_verdict_is_recorded_and_repeated_ones_are_shown_once(world: World) -> None:
    baking(world, bake=60)
    await world.submit()
    await world.ends()

    shown = world.view["steps"][0]["verdicts"]
    assert [verdict["verdict"] for verdict in shown] == ["pass", "pass"]  # at 10 %, and verifying at 100 %
    assert len(world.bodies("analysis.judged")) == len(world.calls_of(contracts.JUDGE))


async def test_a_day_of_bake_stays_within_the_history(world: World) -> None:
    baking(world, bake=86400)

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert len(world.calls_of(contracts.JUDGE)) < 150


async def test_two_causes_lie_on_a_canary_and_each_is_lifted_by_itself(live: World) -> None:
    baking(live, bake=0.5)
    live.answers["judge"] = a_verdict("no_data")
    await live.submit(verify=0.1)
    await live.is_held("no_data")

    await live.tell(contracts.PAUSE, a_control("pause"))
    await live.is_held("paused")
    state = await live.rollout_state()
    assert [hold.code.value for hold in state.holds] == ["paused", "no_data"]

    live.answers["judge"] = a_verdict("pass")
    await live.until(lambda: live.held_by() == {"paused"})
    await live.tell(contracts.RESUME, Control(verb="resume", by="sre"))

    assert await live.ends() is Phase.SUCCEEDED
    assert {VerdictCode(body["verdict"]) for body in live.bodies("analysis.judged")} == {
        VerdictCode.NO_DATA,
        VerdictCode.PASS,
    }


@pytest.mark.parametrize("code", ["no_data", "low_sample", "provider_down"])
async def test_a_person_lets_a_canary_go_on_that_is_held_for_want_of_a_verdict(
    world: World, code: str
) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[a_canary(weights=(10, 50), bake=0.5)])
    world.answers["judge"] = lambda call: a_verdict(code if call.weight == 10 else "pass")
    await world.submit()
    await world.is_held(code)

    await promoted(world)

    assert await world.ends() is Phase.SUCCEEDED
    [said] = world.bodies("promote.requested")
    assert (said["over"], said["reason"]) == (code, "no one is awake there")
    assert [hold["code"] for hold in world.bodies("hold.placed")] == [code]


async def test_a_person_lets_a_canary_go_on_whose_judge_cannot_be_asked(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[a_canary(weights=(10, 50), bake=0.5)])

    def judge(call: JudgeCall) -> Judgement:
        if call.weight == 10:
            raise down("Prometheus")
        return a_verdict("pass")

    world.answers["judge"] = judge
    await world.submit()
    await world.is_held("provider_down")

    await promoted(world)

    assert await world.ends() is Phase.SUCCEEDED
    assert [said["over"] for said in world.bodies("promote.requested")] == ["provider_down"]


@pytest.mark.parametrize(
    ("weight", "brought"), [(10, [20, 50]), (50, [50]), (100, [])], ids=["it stands at", "later", "whole"]
)
async def test_a_person_names_the_weight_to_go_on_with(world: World, weight: int, brought: list[int]) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[a_canary(weights=(10, 20, 50), bake=0.5)])
    world.answers["judge"] = lambda call: a_verdict("no_data" if call.weight == 10 else "pass")
    await world.submit()
    await world.is_held("no_data")

    await promoted(world, weight=weight)

    assert await world.ends() is Phase.SUCCEEDED
    assert [body["asked"] for body in world.bodies("weight.reached")] == [10, *brought]
    assert {call.weight for call in world.calls_of(contracts.JUDGE)} >= {*brought, 100}
    assert [said["weight"] for said in world.bodies("promote.requested")] == [weight]


async def test_the_weight_that_a_person_named_is_of_one_step(world: World) -> None:
    plan = [a_canary(weights=(10, 50), bake=0.5), a_canary(weights=(20, 40), bake=0.5, index=1)]
    world.answers["evaluate"] = an_evaluation(plan=plan)
    world.answers["judge"] = lambda call: a_verdict("no_data" if call.weight == 10 else "pass")
    await world.submit()
    await world.is_held("no_data")

    await promoted(world, weight=100)

    assert await world.ends() is Phase.SUCCEEDED
    assert [body["asked"] for body in world.bodies("weight.reached")] == [10, 20, 40]


async def test_a_word_is_heard_while_everything_is_watched_at_100(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[an_apply()])
    world.answers["judge"] = a_verdict("no_data")
    await world.submit(verify=0.5)
    await world.is_held("no_data")
    assert world.view["phase"] == "Verifying"

    await promoted(world)

    assert await world.ends() is Phase.SUCCEEDED


async def test_a_word_that_the_ledger_could_not_tell_at_once_is_asked_for_again(world: World) -> None:
    baking(world, bake=0.5)
    world.answers["judge"] = a_verdict("no_data")
    await world.submit()
    await world.is_held("no_data")
    given_up = ApplicationError("The ledger is down.", type="upstream_unavailable", non_retryable=True)
    world.answers["gate"] = [given_up, a_promotion(world.view["holds"])]

    await world.tell(contracts.PROMOTION, a_word_on_the_verdict(world.answers["evaluate"].digest))
    await world.asked(contracts.GATE)
    await world.pass_time(seconds=30)

    await world.until(lambda: "promote.requested" in world.kinds)
    world.answers["judge"] = a_verdict("pass")
    assert await world.ends() is Phase.SUCCEEDED


async def test_what_only_reaches_temporal_promotes_nothing(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(
        plan=[a_canary(weights=(10, 50), bake=0.5)], obligations={"hold_bound": 600}
    )
    world.answers["judge"] = a_verdict("no_data")
    await world.submit()
    await world.is_held("no_data")
    digest = world.answers["evaluate"].digest
    forged = Control(verb="promote", by="sre", reason="let me", digest=digest)

    with pytest.raises(WorkflowUpdateFailedError):
        await world.tell(contracts.PROMOTE, forged)
    await world.settles()
    await world.of_rollout.signal(contracts.SIGNAL_CONTROL, forged)
    await world.tell(contracts.PROMOTION, a_word_on_the_verdict(digest))
    await world.until(lambda: any(call.promotion for call in world.calls_of(contracts.GATE)))

    assert await world.ends() is Phase.ROLLED_BACK
    assert [body["verb"] for body in world.bodies("attempt.denied")] == ["promote", "promote"]
    assert "promote.requested" not in world.kinds


async def test_a_word_on_an_earlier_hold_comes_too_late_for_this_one(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(
        plan=[a_canary(weights=(10, 50), bake=0.5)], obligations={"hold_bound": 600}
    )
    world.answers["judge"] = a_verdict("no_data")
    await world.submit()
    await world.is_held("no_data")
    earlier = [{"since": "2026-01-01T00:00:00Z", "code": "no_data"}]
    world.answers["gate"] = a_promotion(earlier)

    await world.tell(contracts.PROMOTION, a_word_on_the_verdict(world.answers["evaluate"].digest))
    await world.until(lambda: "promote.came_too_late" in world.kinds)

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.kinds.count("promote.came_too_late") == 1


async def test_a_persons_word_is_on_one_weight(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(
        plan=[a_canary(weights=(10, 50), bake=0.5)], obligations={"hold_bound": 600}
    )
    world.answers["judge"] = a_verdict("no_data")
    await world.submit()
    await world.is_held("no_data")

    await promoted(world)

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "hold_expired"
    assert [hold["code"] for hold in world.bodies("hold.placed")] == ["no_data", "no_data"]


async def test_a_fail_is_not_overruled(world: World) -> None:
    baking(world, bake=600)
    await world.submit()
    await world.asked(contracts.JUDGE)
    world.answers["judge"] = a_verdict("fail", "It fails.")

    await promoted(world, weight=100)

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.bodies("promote.requested") == []


async def test_a_pause_outlasts_a_persons_word_on_the_verdict(world: World) -> None:
    baking(world, bake=0.5)
    world.answers["judge"] = a_verdict("no_data")
    await world.submit()
    await world.is_held("no_data")
    await world.tell(contracts.PAUSE, a_control("pause"))
    await world.is_held("paused")
    await promoted(world)

    world.answers["judge"] = a_verdict("pass")
    await world.tell(contracts.RESUME, a_control("resume"))

    assert await world.ends() is Phase.SUCCEEDED
    at = {entry.kind: entry.at for entry in world.entries.values()}
    assert at["step.finished"] > at["resume.requested"]


@pytest.mark.parametrize(
    ("phase", "digest"), [("executing", "sha256:" + "0" * 64), ("waiting", None)], ids=["digest", "phase"]
)
async def test_a_word_on_something_else_is_refused(world: World, phase: str, digest: str | None) -> None:
    world.answers["evaluate"] = an_evaluation(
        plan=[a_canary(weights=(10,), bake=0.5)], approvals=0 if phase == "executing" else 1
    )
    world.answers["judge"] = a_verdict("no_data")
    await world.submit()
    if phase == "executing":
        await world.is_held("no_data")

    with pytest.raises(WorkflowUpdateFailedError):
        await promoted(world, digest=digest)

    await world.tell(contracts.ABORT, a_control("abort"))
    assert (await world.ends()).terminal
