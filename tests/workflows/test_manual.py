"""A manual step waits for the word of whom it names: from the ledger only, in time only, and once."""

from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from holdpoint.models import contracts
from holdpoint.models.activity_calls import Gate, Scheduled
from holdpoint.models.phases import Phase
from tests.workflows.builders import (
    a_confirmation,
    a_control,
    a_hold,
    a_manual,
    a_wait,
    an_apply,
    an_evaluation,
    down,
    in_the_ledger,
)
from tests.workflows.conftest import VERSION, a_worker
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def asked_by_hand(world: World, *plan: Any) -> None:
    """Bring a ticket to where its manual step, the last of the plan, asks for a word."""
    world.answers["evaluate"] = an_evaluation(plan=list(plan) or [a_manual()])
    await world.submit(analysis=None, verify=1.0)
    await world.is_held("manual")


async def is_said(world: World, **word: Any) -> None:
    """Have the word in the ledger, and tell the ticket."""
    world.answers["gate"] = in_the_ledger(**word)
    await world.tell(contracts.CONFIRM, a_confirmation())


async def refusal(world: World) -> str:
    """Return why the ticket does not take a word on a step."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await world.tell(contracts.CONFIRM, a_confirmation())
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "conflict"
    return caught.value.cause.message


async def test_the_hold_says_who_what_how_and_until_when(world: World) -> None:
    await asked_by_hand(world)

    [hold] = world.view["holds"]
    [step] = world.view["steps"]

    assert hold["message"] == (
        "sre is to do this by hand: Fail the database over. Runbook: https://wiki.example/failover"
    )
    assert hold["lift"] == f"holdpoint confirm {world.ticket} --step 'by hand 0' --reason TEXT"
    assert (step["status"], step["ends_at"]) == ("held", hold["until"])


async def test_a_confirmed_step_lets_the_rollout_go_on(world: World) -> None:
    await asked_by_hand(world, a_manual(), an_apply(index=1))
    assert contracts.APPLY_STEP.name not in world.names

    await is_said(world, by="anna")

    assert await world.ends() is Phase.SUCCEEDED
    assert [step["status"] for step in world.view["steps"]] == ["succeeded", "succeeded"]
    lifted = next(e for e in world.entries.values() if e.kind == "hold.lifted")
    assert (lifted.actor, lifted.body["code"]) == ("anna", "manual")
    assert len(world.calls_of(contracts.APPLY_STEP)) == 1


async def test_what_only_reaches_temporal_confirms_nothing(world: World) -> None:
    await asked_by_hand(world)

    await world.tell(contracts.CONFIRM, a_confirmation())
    await world.asked(contracts.GATE)

    assert world.calls_of(contracts.GATE)[0].manual == 0
    assert "step.finished" not in world.kinds
    assert await world.ends() is Phase.FAILED


async def test_a_step_that_is_said_to_have_failed_fails_the_ticket(world: World) -> None:
    await asked_by_hand(world)

    await is_said(world, by="anna", done=False)

    assert await world.ends() is Phase.FAILED
    said = "anna said that `by hand 0` failed: Replica is primary."
    assert world.view["reason"] == {"code": "step_failed", "message": said}
    assert world.view["steps"][0]["status"] == "failed"


async def test_a_step_that_is_said_to_have_failed_undoes_what_was_written_before(world: World) -> None:
    await asked_by_hand(world, an_apply(), a_manual(index=1))

    await is_said(world, done=False)

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["rollback"]["result"] == "restored"


async def test_past_its_time_a_step_fails_and_never_passes(world: World) -> None:
    await asked_by_hand(world, an_apply(), a_manual(timeout=7200, index=1))

    assert await world.ends() is Phase.ROLLED_BACK
    assert world.view["reason"]["code"] == "not_confirmed"
    assert "sre is to do this by hand" in world.view["reason"]["message"]


async def test_what_was_said_in_time_counts_though_nothing_woke_the_ticket(world: World) -> None:
    await asked_by_hand(world, a_manual(timeout=120))

    world.answers["gate"] = in_the_ledger()

    assert await world.ends() is Phase.SUCCEEDED
    assert len(world.calls_of(contracts.GATE)) == 1


async def test_a_lost_wake_up_is_made_good_long_before_the_end(world: World) -> None:
    await asked_by_hand(world, a_manual(timeout=86400))
    world.answers["gate"] = in_the_ledger()

    await world.pass_time(minutes=20)

    await world.until(lambda: "step.finished" in world.kinds)
    assert await world.ends() is Phase.SUCCEEDED


async def test_a_look_that_was_not_answered_is_made_again_soon(world: World) -> None:
    await asked_by_hand(world, a_manual(timeout=86400))
    world.answers["gate"] = [*[down("The ledger")] * 4, in_the_ledger()]

    await world.tell(contracts.CONFIRM, a_confirmation())
    await world.pass_time(seconds=60)

    await world.until(lambda: "step.finished" in world.kinds)
    assert await world.ends() is Phase.SUCCEEDED


async def test_a_pause_stops_the_clock_and_the_word_is_kept(world: World) -> None:
    await asked_by_hand(world, a_manual(timeout=3600))
    await world.pass_time(seconds=600)
    await world.tell(contracts.PAUSE, a_control("pause"))
    await world.until(lambda: world.held_by() == {"paused"})
    left = world.view["steps"][0]["left"]
    await world.pass_time(hours=5)

    await is_said(world)
    await world.asked(contracts.GATE)
    assert "step.finished" not in world.kinds
    await world.tell(contracts.RESUME, a_control("resume"))

    assert left == pytest.approx(3000, abs=30)
    assert await world.ends() is Phase.SUCCEEDED


async def test_after_a_freeze_it_asks_again_for_the_time_that_was_left(world: World) -> None:
    await asked_by_hand(world, a_manual(timeout=3600))
    world.answers["gate"] = Gate(holds=[a_hold()])
    await world.wake()
    await world.until(lambda: world.held_by() == {"frozen"})
    await world.pass_time(hours=5)

    world.answers["gate"] = Gate()
    await world.wake()
    await world.until(lambda: world.held_by() == {"manual"})

    assert await world.ends() is Phase.FAILED
    assert world.view["reason"]["code"] == "not_confirmed"


@pytest.mark.parametrize("how", ["abort", "rollback", "cancel"])
async def test_a_stop_while_it_asks_undoes_what_was_written_before(live: World, how: str) -> None:
    await asked_by_hand(live, an_apply(), a_manual(index=1))

    if how == "cancel":
        await live.of_rollout.cancel()
    else:
        await live.tell(contracts.ABORT if how == "abort" else contracts.ROLLBACK, a_control(how))

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.view["holds"] == []


async def test_an_end_after_it_says_that_what_was_done_by_hand_stays(live: World) -> None:
    await asked_by_hand(live, a_manual(), a_wait(600, index=1))
    await is_said(live)
    await live.until(lambda: live.kinds.count("step.started") == 2)

    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.ends() is Phase.ABORTED
    assert live.view["reason"]["message"].endswith("What was done by hand is not undone: `by hand 0`.")


async def test_confirming_twice_is_taken_once(world: World) -> None:
    await asked_by_hand(world, a_manual(), a_wait(600, index=1))

    await is_said(world)
    await world.until(lambda: world.kinds.count("step.started") == 2)
    await world.tell(contracts.CONFIRM, a_confirmation())

    assert await world.ends() is Phase.SUCCEEDED
    assert world.kinds.count("step.finished") == 2


async def test_a_ticket_that_does_not_execute_takes_no_word(world: World) -> None:
    world.answers["schedule"] = Scheduled(granted=False, holds=[a_hold()])
    await world.submit()
    await world.is_held("frozen")

    assert "no step waits for a word" in await refusal(world)
    await world.until(lambda: "attempt.denied" in world.kinds)
    assert world.bodies("attempt.denied")[0]["verb"] == "confirm"


async def test_a_rollout_that_no_worker_keeps_in_memory_goes_on_where_it_was(live: World) -> None:
    live.queue = "manual-replayed"
    async with a_worker(live.client, queue=live.queue, version=VERSION, cached=0):
        await asked_by_hand(live, a_wait(0.2), a_manual(index=1))
        await is_said(live)

        assert await live.ends() is Phase.SUCCEEDED
        assert live.kinds.count("step.started") == 2
