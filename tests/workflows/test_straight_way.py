"""A ticket that nothing stops."""

import pytest

from holdpoint.models import contracts
from holdpoint.models.activity_calls import CheckReport, PostcheckCall, StepOutcome
from holdpoint.models.phases import Phase
from tests.workflows.builders import a_canary, a_control, an_apply, an_evaluation
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_change_without_approvals_goes_from_evaluation_to_archive(world: World) -> None:
    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert world.phases == ["Scheduled", "Prechecking", "Executing", "Verifying", "Succeeded"]
    before = [body["from"] for body in world.bodies("phase.entered")]
    assert before == ["Evaluating", "Scheduled", "Prechecking", "Executing", "Verifying"]
    assert world.names[-1] == contracts.ARCHIVE.name
    assert world.view["phase"] == "Succeeded"
    assert world.view["closed_at"] is not None
    assert world.view["steps"][0]["status"] == "succeeded"
    assert world.view["steps"][0]["weight"] == 100.0


async def test_each_weight_is_baked_before_the_next(world: World) -> None:
    await world.submit()
    await world.ends()

    stages = [(call.stage, call.weight) for call in world.calls_of(contracts.APPLY_STEP)]
    reached = [entry for entry in world.entries.values() if entry.kind == "weight.reached"]
    finished = next(entry for entry in world.entries.values() if entry.kind == "step.finished")

    assert stages == [("weight", 0), ("weight", 1), ("finish", 0)]
    assert (reached[1].at - reached[0].at).total_seconds() >= 30
    assert (finished.at - reached[1].at).total_seconds() >= 30


async def test_two_weights_that_come_to_the_same_share_each_show_their_verdict(world: World) -> None:
    world.answers["apply_step"] = StepOutcome(status="done", reached=50.0, mutated=True)

    await world.submit()
    await world.ends()

    # One for each of the two weights, and one of verifying.
    assert [verdict["verdict"] for verdict in world.view["steps"][0]["verdicts"]] == ["pass"] * 3


async def test_a_weight_of_100_is_promoted_without_a_bake_of_its_own(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[a_canary(weights=(50, 100))])

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert [call.stage for call in world.calls_of(contracts.APPLY_STEP)] == ["weight", "finish"]


async def test_a_deployment_that_is_created_whole_needs_no_further_weight(world: World) -> None:
    world.answers["apply_step"] = StepOutcome(status="done", reached=100.0, mutated=True)

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert [call.stage for call in world.calls_of(contracts.APPLY_STEP)] == ["weight", "finish"]
    assert world.calls_of(contracts.JUDGE)[0].weight == 100.0


async def test_steps_run_in_order_and_each_is_finished(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[an_apply(0), a_canary(index=1, weights=(10,))])

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert [call.step.index for call in world.calls_of(contracts.APPLY_STEP)] == [0, 1, 1]
    assert [step["status"] for step in world.view["steps"]] == ["succeeded", "succeeded"]


async def test_verifying_without_an_analysis_lasts_as_long_as_it_is_asked_to(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[an_apply()])

    await world.submit(analysis=None, verify=600.0)

    assert await world.ends() is Phase.SUCCEEDED
    entered = {e.body["phase"]: e.at for e in world.entries.values() if e.kind == "phase.entered"}
    assert (entered["Succeeded"] - entered["Verifying"]).total_seconds() >= 600
    assert world.calls_of(contracts.JUDGE) == []


async def test_what_happened_is_recorded_without_an_activity_of_its_own(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[an_apply()])

    await world.submit(analysis=None)
    await world.ends()

    assert world.names.count(contracts.RECORD.name) <= 1  # before the timer of Verifying


async def test_a_brief_verifying_is_one_activity_that_also_looks_at_its_end(world: World) -> None:
    world.answers["judge"] = world.judging_for_as_long_as_asked
    await world.submit(verify=0.5)
    await world.ends()

    [last] = [call for call in world.calls_of(contracts.JUDGE) if call.step is None]
    assert last.snapshot is not None
    assert world.calls_of(contracts.POSTCHECK) == []
    assert "postcheck.finished" in world.kinds


async def test_a_pause_in_a_brief_verifying_is_waited_out_and_then_looked_again(world: World) -> None:
    async def paused_meanwhile(call: PostcheckCall) -> CheckReport:
        if call.after:
            await world.tell(contracts.PAUSE, a_control("pause"))
            await world.is_held("paused")
            await world.tell(contracts.RESUME, a_control("resume"))
        return CheckReport(passed=True, checks=[])

    world.answers["postcheck"] = paused_meanwhile
    await world.submit(analysis=None, verify=5.0)

    assert await world.ends() is Phase.SUCCEEDED
    assert [call.after for call in world.calls_of(contracts.POSTCHECK)] == [5.0, 0.0]


@pytest.mark.parametrize("changes", [{}, {"analysis": None}], ids=["judged", "without an analysis"])
async def test_a_change_of_one_step_stays_within_75_events(live: World, changes: dict[str, None]) -> None:
    live.answers["evaluate"] = an_evaluation(plan=[an_apply()])
    live.answers["judge"] = live.judging_for_as_long_as_asked
    live.answers["postcheck"] = live.looking_after_as_long_as_asked
    ticket = await live.submit(verify=0.5, **changes)
    await live.ends()

    counts = [len((await handle.fetch_history()).events) for handle in (ticket, live.of_rollout)]

    assert sum(counts) <= 75, counts
