"""Somebody terminates a ticket or its rollout in Temporal: what was begun is undone all the same."""

import pytest
from temporalio.client import WorkflowFailureError

from holdpoint.models import contracts
from holdpoint.models.activity_calls import Abandoned, Undone
from holdpoint.models.contracts import rollout_workflow
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason
from holdpoint.models.workflow_messages import RolloutResult
from tests.workflows.builders import a_canary, a_rollout, an_evaluation
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOST = Reason(code="workflow_lost", message="It was lost.")


async def baking(live: World) -> None:
    """Bring a ticket to where its canary bakes."""
    live.answers["evaluate"] = an_evaluation(plan=[a_canary(weights=(10,), bake=600)])
    await live.submit()
    await live.asked(contracts.JUDGE)


def left(live: World, *, dirty: bool, phase: Phase = Phase.ROLLED_BACK) -> Abandoned:
    """Return what the ledger says is left."""
    rollouts = [a_rollout(live.ticket, mode="undo")] if dirty else []
    return Abandoned(rollouts=rollouts, phase=phase, reason=LOST, closed=False)


async def test_a_terminated_ticket_leaves_a_rollout_that_undoes_itself(live: World) -> None:
    await baking(live)

    await live.of_ticket.terminate("by mistake")
    result: RolloutResult = await live.of_rollout.result()

    assert result.phase is Phase.ROLLED_BACK
    assert result.reason.code == "cancelled"
    assert live.view["rollback"]["result"] == "restored"
    assert live.view["phase"] == "RollingBack"  # the reconciler closes the ticket


async def test_a_terminated_rollout_is_replaced_by_one_that_undoes(live: World) -> None:
    live.answers["inspect_abandoned"] = left(live, dirty=True)
    await baking(live)

    await live.of_rollout.terminate("by mistake")

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.view["reason"]["code"] == "rollout_lost"
    begun = live.calls_of(contracts.BEGIN)
    assert [call.start.mode for call in begun] == ["forward", "undo"]
    assert begun[0].run != begun[1].run
    assert live.names[-1] == contracts.ARCHIVE.name


async def test_an_undo_that_is_terminated_too_is_begun_again(live: World) -> None:
    live.answers["inspect_abandoned"] = left(live, dirty=True)
    live.answers["undo"] = live.hang
    await baking(live)
    await live.of_rollout.terminate("by mistake")
    await live.asked(contracts.UNDO)

    live.answers["undo"] = Undone(complete=True)
    await live.of_rollout.terminate("again")

    assert await live.ends() is Phase.ROLLED_BACK
    assert live.kinds.count("rollout.lost") == 2


async def test_a_lost_rollout_that_left_nothing_ends_as_the_ledger_says(live: World) -> None:
    live.answers["inspect_abandoned"] = left(live, dirty=False, phase=Phase.ABORTED)
    live.answers["begin_rollout"] = live.hang
    await live.submit()
    await live.asked(contracts.BEGIN)

    await live.of_rollout.terminate("by mistake")

    assert await live.ends() is Phase.ABORTED
    assert live.view["reason"]["code"] == "workflow_lost"
    assert contracts.UNDO.name not in live.names


async def test_the_ticket_shows_the_lane_while_the_earlier_rollout_has_not_ended(live: World) -> None:
    target = f"sandbox/default/{live.ticket}"
    live.answers["begin_rollout"] = live.hang
    earlier = await live.run(contracts.ROLLOUT, a_rollout(live.ticket), rollout_workflow(target))
    await live.asked(contracts.BEGIN)
    live.answers.clear()
    live.answers["evaluate"] = an_evaluation(plan=[a_canary(weights=(10,), bake=0.1)])

    ticket = await live.submit(verify=0.1)
    await live.is_held("lane")
    await earlier.terminate("it ends")
    live.release()

    assert await ticket.result() is Phase.SUCCEEDED
    with pytest.raises(WorkflowFailureError):
        await earlier.result()


async def test_terminating_the_ticket_during_the_undo_does_not_stop_it(live: World) -> None:
    live.answers["undo"] = live.hang
    await baking(live)
    await live.of_rollout.cancel()
    await live.asked(contracts.UNDO)

    await live.of_ticket.terminate("by mistake")
    live.release()
    result: RolloutResult = await live.of_rollout.result()

    assert result.phase is Phase.ROLLED_BACK
