"""What breaks in a rollout, and how it is undone."""

from datetime import UTC, datetime, timedelta

import pytest

from holdpoint.models import contracts
from holdpoint.models.activity_calls import (
    Check,
    CheckReport,
    Compared,
    Done,
    Gate,
    JudgeCall,
    Judgement,
    StepCall,
    StepOutcome,
    Undone,
)
from holdpoint.models.phases import Phase
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import EntryDraft
from holdpoint.models.ticket import Reason, RollbackResult
from tests.workflows.broken_rollouts import BurstingRollout
from tests.workflows.builders import (
    a_canary,
    a_hold,
    a_verdict,
    an_apply,
    an_evaluation,
    broken,
    down,
    held,
)
from tests.workflows.conftest import a_worker
from tests.workflows.usual import applied
from tests.workflows.world import World
from workflows.ticket import ChangeTicket

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_failed_step_rolls_back_with_its_reason(world: World) -> None:
    def fails_at_50(call: StepCall) -> StepOutcome:
        reason = Reason(code="not_ready", message="Deployment/shop-canary was not ready in time.")
        return (
            applied(call) if call.weight == 0 else StepOutcome(status="failed", mutated=True, reason=reason)
        )

    world.answers["apply_step"] = fails_at_50

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "not_ready"


async def test_what_somebody_changed_while_it_was_verified_is_not_a_success(world: World) -> None:
    check = Check(name="as_applied", passed=False, message="Deployment shop spec.image: a -> b")
    world.answers["postcheck"] = CheckReport(passed=False, checks=[check])
    world.answers["compare"] = Compared(result=RollbackResult.DIVERGED, differences=["image: a -> b"])

    await world.submit()

    assert await world.ends() is Phase.ROLLBACK_FAILED
    assert world.phases[-3:] == ["Verifying", "RollingBack", "RollbackFailed"]
    assert "spec.image: a -> b" in world.view["reason"]["message"]


async def test_what_the_last_look_of_the_analysis_reports_as_changed_is_not_a_success(world: World) -> None:
    report = CheckReport(
        passed=False, checks=[Check(name="as_applied", passed=False, message="image: a -> b")]
    )
    world.answers["judge"] = lambda call: a_verdict().model_copy(
        update={"report": report if call.snapshot else None}
    )

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "drifted"
    assert contracts.POSTCHECK.name not in world.names


async def test_a_step_that_fails_before_it_wrote_anything_fails_the_ticket(world: World) -> None:
    world.answers["apply_step"] = StepOutcome(status="failed", mutated=False)

    await world.submit()

    assert await world.ends() is Phase.FAILED
    assert world.view["reason"]["code"] == "step_failed"
    assert contracts.UNDO.name not in world.names


async def test_a_rollout_that_lost_its_target_stops_and_does_not_undo(world: World) -> None:
    def lost_at_50(call: StepCall) -> StepOutcome:
        return applied(call) if call.weight == 0 else StepOutcome(status="lost", mutated=True)

    world.answers["apply_step"] = lost_at_50

    await world.submit()

    assert await world.ends() is Phase.ROLLBACK_FAILED
    assert world.view["reason"]["code"] == "lost"
    assert contracts.UNDO.name not in world.names
    assert contracts.FINISH.name not in world.names


async def test_an_exception_in_a_step_rolls_back(world: World) -> None:
    world.answers["apply_step"] = broken("step_config", "No such Deployment.")

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "step_config"


async def test_a_target_that_cannot_be_taken_ends_in_errored(world: World) -> None:
    world.answers["begin_rollout"] = broken("conflict", "The target is dirty.")

    await world.submit()

    assert await world.ends() is Phase.ERRORED
    assert world.view["reason"]["code"] == "conflict"


async def test_a_freeze_before_the_first_write_holds_and_its_lift_goes_on(world: World) -> None:
    world.answers["apply_step"] = [held(), held(), applied]
    world.answers["gate"] = Gate(holds=[a_hold()])
    await world.submit()
    await world.is_held("frozen")

    world.answers["gate"] = Gate()
    world.answers["apply_step"] = applied
    await world.wake()

    assert await world.ends() is Phase.SUCCEEDED


async def test_a_freeze_that_nobody_lifts_ends_before_the_first_write_in_failed(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(obligations={"pause_bound": 7200})
    world.answers["apply_step"] = held()
    world.answers["gate"] = Gate(holds=[a_hold()])

    await world.submit()

    assert await world.ends() is Phase.FAILED
    assert world.view["reason"]["code"] == "hold_expired"


async def test_a_lift_in_the_moment_of_the_refusal_is_not_lost(world: World) -> None:
    async def lifted_meanwhile(call: StepCall) -> StepOutcome:
        if len(world.calls_of(contracts.APPLY_STEP)) > 1:
            return applied(call)
        await world.wake()
        return held()

    world.answers["apply_step"] = lifted_meanwhile
    await world.submit()

    await world.asked(contracts.JUDGE)  # without any time passing


async def test_a_cluster_that_is_away_holds_and_the_step_goes_on_when_it_is_back(world: World) -> None:
    world.answers["apply_step"] = [*[down("The cluster")] * 5, applied]

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert [hold["code"] for hold in world.bodies("hold.placed")] == ["cluster_down"]


async def test_a_hold_is_recorded_with_the_moment_that_it_ends_at(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(obligations={"hold_bound": 600})
    world.answers["apply_step"] = [*[down("The cluster")] * 5, applied]

    await world.submit()
    await world.ends()

    [placed] = [entry for entry in world.entries.values() if entry.kind == "hold.placed"]
    assert datetime.fromisoformat(placed.body["until"]) == placed.at + timedelta(seconds=600)


async def test_a_cluster_that_stays_away_rolls_back_at_the_bound(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(obligations={"hold_bound": 300})
    world.answers["apply_step"] = down("The cluster")

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "hold_expired"


@pytest.mark.parametrize("result", [RollbackResult.PARTIAL, RollbackResult.DIVERGED])
async def test_an_undo_that_does_not_restore_needs_a_person(world: World, result: RollbackResult) -> None:
    differences = ["Deployment/shop: spec.replicas: 10 -> 7"]
    world.answers["judge"] = a_verdict("fail", "It fails.")
    world.answers["compare"] = Compared(result=result, differences=differences)

    await world.submit()

    assert await world.ends() is Phase.ROLLBACK_FAILED
    assert world.view["rollback"]["result"] == result.value
    assert world.view["rollback"]["differences"] == differences
    assert world.view["reason"]["code"] == "rollback_failed"
    assert world.view["reason"]["message"] == (
        f"A person is needed: The comparison said `{result.value}`, with 1 difference: {differences[0]}. "
        "It was rolled back because: It fails."
    )
    assert world.calls_of(contracts.FINISH)[0].succeeded is False


async def test_what_is_left_after_a_first_undo_is_undone_again(world: World) -> None:
    world.answers["judge"] = a_verdict("fail")
    world.answers["compare"] = [
        Compared(result=RollbackResult.PARTIAL, differences=["x"]),
        Compared(result=RollbackResult.RESTORED),
    ]

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["rollback"] == {"result": "restored", "differences": [], "stays": [], "attempts": 2}


async def test_the_undo_does_not_wait_for_a_ledger_that_is_down(world: World) -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    deferred = EntryDraft(key="i1", kind="intent.deferred", actor="rollout", at=at)

    def fails_as_the_ledger_goes_down(call: JudgeCall) -> Judgement:
        world.ledger_is_down = True
        return a_verdict("fail")

    world.answers["judge"] = fails_as_the_ledger_goes_down
    world.answers["undo"] = Undone(complete=True, deferred=[deferred])
    await world.submit()
    await world.pass_time(minutes=2)

    state = await world.rollout_state()
    assert contracts.UNDO.name in world.names
    assert state.phase is Phase.ROLLING_BACK
    assert [hold.code.value for hold in state.holds] == ["ledger_down"]

    world.ledger_is_down = False

    assert await world.ends() is Phase.ROLLED_BACK
    assert "intent.deferred" in world.kinds


async def test_an_undo_asks_again_for_as_long_as_the_cluster_is_away(world: World) -> None:
    world.answers["judge"] = a_verdict("fail")
    world.answers["undo"] = [*[down("The cluster")] * 9, Undone(complete=True)]

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK


async def test_a_success_that_cannot_be_written_down_is_undone_not_claimed(world: World) -> None:
    world.answers["finish_rollout"] = [broken("conflict", "Intents are open."), Done()]

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "conflict"


async def test_what_no_except_clause_catches_is_undone_too(world: World) -> None:
    world.queue = "bursting"
    workflows = [ChangeTicket, BurstingRollout]
    async with a_worker(world.client, queue=world.queue, workflows=workflows):
        await world.submit()

        assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"] == {"code": "error", "message": "Holdpoint broke: Burst: a bug"}
    assert contracts.COMPARE.name in world.names


async def test_what_nothing_takes_back_is_said_and_its_step_is_not_shown_as_undone(world: World) -> None:
    for_good = PlannedStep(
        index=0, name="migrate", kind="job", config={"name": "migrate", "timeout": 9, "cannotBeUndone": True}
    )
    applying = PlannedStep(index=1, name="apply", kind="apply", config={"paths": [], "timeout": 9})
    world.answers["evaluate"] = an_evaluation(plan=[for_good, applying])
    world.answers["apply_step"] = lambda call: (
        StepOutcome(status="done", reached=100.0, mutated=True)
        if call.step.kind == "job"
        else StepOutcome(
            status="failed", mutated=True, reason=Reason(code="not_ready", message="Not ready: shop.")
        )
    )
    stays = ["Job/migrate-chg-1-0 ran, and nothing takes back what it did (cannotBeUndone)"]
    world.answers["compare"] = Compared(result=RollbackResult.RESTORED, stays=stays)

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["rollback"]["stays"] == stays
    assert world.view["reason"]["message"] == f"Not ready: shop. What stays: {stays[0]}."
    assert [step["status"] for step in world.view["steps"]] == ["succeeded", "undone"]


async def test_an_undo_is_told_which_steps_had_begun_where_a_request_is_among_them(world: World) -> None:
    url = "https://flags.example/new"
    asking = PlannedStep(index=0, name="flag on", kind="http", config={"url": url, "cannotBeUndone": True})
    applying = PlannedStep(index=1, name="apply", kind="apply", config={"paths": [], "timeout": 9})
    later = asking.model_copy(update={"index": 2, "name": "flag off"})
    world.answers["evaluate"] = an_evaluation(plan=[asking, applying, later])
    world.answers["apply_step"] = lambda call: (
        StepOutcome(status="done", reached=100.0, mutated=True)
        if call.step.kind == "http"
        else StepOutcome(status="failed", mutated=True, reason=Reason(code="not_ready", message="Not ready."))
    )
    stays = [f"POST {url} was sent, and nothing takes back what it did (it has no undo)"]
    world.answers["compare"] = Compared(result=RollbackResult.RESTORED, stays=stays)

    await world.submit()

    assert await world.ends() is Phase.ROLLED_BACK
    assert [call.begun for call in world.calls_of(contracts.UNDO)] == [[0, 1]]
    assert [step["status"] for step in world.view["steps"]] == ["succeeded", "undone", "pending"]
    assert world.view["rollback"]["stays"] == stays


async def test_a_rehearsal_that_went_well_undoes_everything_and_says_so(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[a_canary(bake=0.5), an_apply(index=1)])

    await world.submit(rehearsal=True, verify=0.5)

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "rehearsed"
    assert world.view["rollback"]["result"] == "restored"
    assert [step["status"] for step in world.view["steps"]] == ["undone", "undone"]
    assert world.phases[-4:] == ["Executing", "Verifying", "RollingBack", "RolledBack"]


async def test_a_rehearsal_that_fails_ends_for_that_reason(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[a_canary(bake=0.5)])
    world.answers["judge"] = a_verdict("fail", "It fails.")

    await world.submit(rehearsal=True)

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"] == {"code": "analysis_failed", "message": "It fails."}


async def test_a_rehearsal_whose_way_back_does_not_work_is_not_rehearsed(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[an_apply()])
    world.answers["compare"] = Compared(result=RollbackResult.PARTIAL, differences=["a: b: 1 -> 2"])

    await world.submit(rehearsal=True, analysis=None, verify=0.5)

    assert await world.ends() is Phase.ROLLBACK_FAILED
    assert world.view["reason"]["code"] == "rollback_failed"
