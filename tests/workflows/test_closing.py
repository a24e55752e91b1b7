"""Closing a ticket whose workflow is gone, and trying a failed rollback again."""

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from holdpoint.models import contracts
from holdpoint.models.activity_calls import Abandoned, Compared
from holdpoint.models.contracts import closing_workflow
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason, RollbackResult
from holdpoint.models.workflow_messages import CloseStart
from tests.workflows.builders import a_rollout, broken
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOST = Reason(code="workflow_terminated", message="The ticket's workflow was terminated in Temporal.")
SAID = Reason(code="workflow_lost", message="It was lost before anything was changed.")


async def closed(world: World, *, dirty: bool, phase: Phase = Phase.ABORTED, already: bool = False) -> Phase:
    """Run the closing to its end."""
    rollouts = [a_rollout(world.ticket)] if dirty else []
    world.answers["inspect_abandoned"] = Abandoned(
        rollouts=rollouts, phase=phase, reason=SAID, closed=already
    )
    start = CloseStart(ticket=world.ticket, by="holdpoint-reconciler", reason=LOST)
    handle = await world.run(contracts.CLOSE_ABANDONED, start, closing_workflow(world.ticket))
    result: Phase = await handle.result()
    return result


async def test_a_ticket_that_left_nothing_is_closed_as_the_ledger_says(world: World) -> None:
    assert await closed(world, dirty=False) is Phase.ABORTED

    assert world.view["phase"] == "Aborted"
    assert world.view["reason"] == SAID.model_dump()
    assert world.view["closed_at"] is not None
    assert world.names == ["inspect_abandoned", "archive"]


async def test_what_is_dirty_is_undone_before_the_ticket_is_closed(world: World) -> None:
    assert await closed(world, dirty=True) is Phase.ROLLED_BACK

    assert world.view["phase"] == "RolledBack"
    assert world.view["reason"] == LOST.model_dump()
    assert world.calls_of(contracts.BEGIN)[0].start.mode == "undo"
    assert contracts.APPLY_STEP.name not in world.names
    assert world.names[-1] == contracts.ARCHIVE.name


async def test_an_undo_that_does_not_restore_ends_in_rollback_failed(world: World) -> None:
    world.answers["compare"] = Compared(result=RollbackResult.DIVERGED, differences=["x"])

    assert await closed(world, dirty=True) is Phase.ROLLBACK_FAILED

    assert world.view["reason"]["code"] == "rollback_failed"


async def test_a_rollback_after_rollback_failed_ends_in_rolled_back(world: World) -> None:
    phase = await closed(world, dirty=True, phase=Phase.ROLLBACK_FAILED, already=True)

    assert phase is Phase.ROLLED_BACK
    assert world.phases == ["RollingBack", "RolledBack"]
    assert [body["phase"] for body in world.bodies("rollout.finished")] == ["RolledBack"]


async def test_a_ticket_that_is_closed_already_is_only_archived(world: World) -> None:
    assert await closed(world, dirty=False, phase=Phase.SUCCEEDED, already=True) is Phase.SUCCEEDED

    assert world.phases == []
    assert world.names[-1] == contracts.ARCHIVE.name


async def test_what_cannot_be_closed_now_fails_and_can_be_started_again(world: World) -> None:
    world.answers["inspect_abandoned"] = broken("not_found", "There is no such ticket.")
    start = CloseStart(ticket=world.ticket, by="holdpoint-reconciler", reason=LOST)
    handle = await world.run(contracts.CLOSE_ABANDONED, start, closing_workflow(world.ticket))

    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()

    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "not_found"


async def handed_back(world: World, phase: Phase = Phase.ROLLED_BACK) -> None:
    """Run the closing that a person's word has ordered."""
    world.answers["inspect_abandoned"] = Abandoned(rollouts=[], phase=phase, reason=SAID, closed=True)
    start = CloseStart(ticket=world.ticket, by="anna", reason=LOST, handed_back=True)
    handle = await world.run(contracts.CLOSE_ABANDONED, start, closing_workflow(world.ticket))
    await handle.result()


async def test_what_a_person_gives_back_is_compared_and_archived_and_nothing_is_undone(world: World) -> None:
    await handed_back(world)

    assert world.names == ["hand_back", "inspect_abandoned", "archive"]
    assert world.phases == []


async def test_what_nobody_has_given_back_is_left_alone(world: World) -> None:
    world.answers["hand_back"] = broken("conflict", "Nobody has said so.")

    with pytest.raises(WorkflowFailureError):
        await handed_back(world)

    assert world.names == ["hand_back"]
