"""Abort, rollback and cancel in each phase of a rollout, on a real server: what was begun is undone."""

from asyncio import CancelledError
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from holdpoint.models import contracts
from holdpoint.models.activity_calls import (
    Done,
    FinishCall,
    Scheduled,
    StepCall,
    StepOutcome,
    UndoCall,
    Undone,
)
from holdpoint.models.phases import Phase
from tests.workflows.builders import (
    a_canary,
    a_control,
    a_hold,
    a_verdict,
    an_evaluation,
    down,
    held,
)
from tests.workflows.usual import applied
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def baking(live: World, **changes: float) -> None:
    """Bring a ticket to where its canary bakes."""
    live.answers["evaluate"] = an_evaluation(plan=[a_canary(weights=(10,), bake=600)])
    await live.submit(**changes)
    await live.asked(contracts.JUDGE)


async def verifying(live: World) -> None:
    """Bring a ticket to where it is watched at 100 %."""
    live.answers["evaluate"] = an_evaluation(plan=[a_canary(weights=(10,), bake=0.5)])
    await live.submit(verify=600.0)
    await live.enters(Phase.VERIFYING)


@pytest.mark.parametrize(
    ("update", "verb", "code"),
    [(contracts.ABORT, "abort", "aborted"), (contracts.ROLLBACK, "rollback", "rollback_requested")],
    ids=["abort", "rollback"],
)
async def test_abort_and_rollback_in_mid_canary_undo_everything(
    live: World, update: contracts.Named[Any, Any], verb: str, code: str
) -> None:
    await baking(live)

    answer = await live.tell(update, a_control(verb))

    assert answer.phase is Phase.EXECUTING
    assert await live.ends() is Phase.ROLLED_BACK
    assert live.view["reason"]["code"] == code
    assert live.names.index("undo") < live.names.index("compare") < live.names.index("finish_rollout")
    assert next(e for e in live.entries.values() if e.kind == f"{verb}.requested").actor == "sre"


async def test_abort_while_verifying_undoes_everything(live: World) -> None:
    await verifying(live)

    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.phases[-2:] == ["RollingBack", "RolledBack"]


async def test_abort_of_what_then_does_not_answer_records_no_hold(live: World) -> None:
    async def lost_when_cancelled(call: StepCall) -> StepOutcome:
        try:
            return await live.hang(call)  # type: ignore[no-any-return]  # what usually goes well
        except CancelledError:
            raise down("The cluster") from None

    live.answers["apply_step"] = lost_when_cancelled
    await live.submit()
    await live.asked(contracts.APPLY_STEP)

    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.view["reason"]["code"] == "aborted"
    assert "hold.placed" not in live.kinds


async def test_abort_lets_go_of_a_judge_that_watches(live: World) -> None:
    live.answers["judge"] = live.hang
    await baking(live)

    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.ends() is Phase.ROLLED_BACK


async def test_abort_waits_for_a_step_in_flight_before_it_undoes(live: World) -> None:
    live.answers["apply_step"] = live.hang
    await live.submit()
    await live.asked(contracts.APPLY_STEP)
    live.answers["undo"] = lambda call: Undone(complete=live.hanging == 0)

    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.bodies("rollback.undone")[0]["complete"] is True


async def test_abort_while_nothing_was_sent_yet_ends_in_aborted(live: World) -> None:
    live.answers["apply_step"] = held()
    await live.submit()
    await live.is_held("frozen")

    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.ends() is Phase.ABORTED
    assert contracts.UNDO.name not in live.names
    assert contracts.FINISH.name in live.names


async def test_abort_during_the_snapshot_ends_in_aborted(live: World) -> None:
    live.answers["begin_rollout"] = live.hang
    await live.submit()
    await live.asked(contracts.BEGIN)

    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.ends() is Phase.ABORTED
    assert contracts.APPLY_STEP.name not in live.names


async def test_abort_has_a_signal_that_updates_cannot_lock_out(live: World) -> None:
    await baking(live)

    await live.of_ticket.signal(contracts.SIGNAL_ABORT, a_control("abort"))

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.view["reason"]["code"] == "aborted"


async def test_cancelling_the_ticket_in_temporal_is_an_abort(live: World) -> None:
    await baking(live)

    await live.of_ticket.cancel()

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.view["reason"] == {
        "code": "aborted",
        "message": "Aborted by temporal: the ticket's workflow was cancelled.",
    }
    assert live.names[-1] == contracts.ARCHIVE.name


async def test_cancelling_the_ticket_before_its_rollout_ends_in_aborted(live: World) -> None:
    live.answers["schedule"] = Scheduled(granted=False, holds=[a_hold()])
    await live.submit()
    await live.is_held("frozen")

    await live.of_ticket.cancel()

    assert await live.ends() is Phase.ABORTED
    assert live.names[-2:] == [contracts.LEAVE.name, contracts.ARCHIVE.name]


async def test_cancelling_the_rollout_in_temporal_undoes_it(live: World) -> None:
    await baking(live)

    await live.of_rollout.cancel()

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.view["reason"]["code"] == "cancelled"


async def test_a_cancel_during_the_undo_does_not_stop_it(live: World) -> None:
    async def cancelled_meanwhile(call: UndoCall) -> Undone:
        await live.of_rollout.cancel()
        await live.of_ticket.cancel()
        return Undone(complete=True)

    live.answers["undo"] = cancelled_meanwhile
    live.answers["judge"] = a_verdict("fail", "It fails.")

    await live.submit()

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.view["reason"]["code"] == "analysis_failed"


async def test_nothing_can_be_done_to_a_ticket_that_rolls_back(live: World) -> None:
    live.answers["compare"] = live.hang  # it has no heartbeat timeout, so it stays
    live.answers["judge"] = a_verdict("fail")
    await live.submit()
    await live.asked(contracts.COMPARE)

    for update, verb in (
        (contracts.ABORT, "abort"),
        (contracts.PAUSE, "pause"),
        (contracts.ROLLBACK, "rollback"),
    ):
        with pytest.raises(WorkflowUpdateFailedError):
            await live.tell(update, a_control(verb, by=verb))
    live.release()

    assert await live.ends() is Phase.ROLLED_BACK


async def test_a_word_that_comes_too_late_is_recorded(live: World) -> None:
    async def aborted_meanwhile(call: FinishCall) -> Done:
        await live.tell(contracts.ABORT, a_control("abort"))
        return Done()

    live.answers["evaluate"] = an_evaluation(plan=[a_canary(weights=(10,), bake=0.2)])
    live.answers["finish_rollout"] = aborted_meanwhile

    await live.submit(verify=0.2)

    assert await live.ends() is Phase.SUCCEEDED
    assert "abort.came_too_late" in live.kinds


async def test_a_judge_in_flight_is_let_go_when_the_holds_are_lifted(live: World) -> None:
    async def paused_meanwhile(call: StepCall) -> StepOutcome:
        if call.stage == "weight":
            await live.tell(contracts.PAUSE, a_control("pause"))
            await live.until(lambda: live.held_by() == {"paused"})  # before the judge is asked
        return applied(call)

    live.answers["evaluate"] = an_evaluation(plan=[a_canary(weights=(10,), bake=0.2)])
    live.answers["apply_step"] = paused_meanwhile
    live.answers["judge"] = live.hang
    await live.submit(verify=0.2)
    await live.until(lambda: live.hanging == 1)

    live.answers["judge"] = a_verdict("pass")
    await live.tell(contracts.RESUME, a_control("resume"))

    assert await live.ends() is Phase.SUCCEEDED


async def test_abort_during_the_prechecks_ends_in_aborted_at_once(live: World) -> None:
    live.answers["precheck"] = live.hang
    await live.submit()
    await live.asked(contracts.PRECHECK)

    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.ends() is Phase.ABORTED
    assert contracts.LEAVE.name in live.names
