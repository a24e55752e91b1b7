"""A ticket that nothing stops."""

import pytest

from holdpoint.models import contracts
from holdpoint.models.phases import Phase
from tests.workflows.builders import an_apply, an_evaluation
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_change_without_approvals_goes_from_evaluation_to_archive(world: World) -> None:
    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert world.phases == ["Scheduled", "Prechecking", "Executing", "Verifying", "Succeeded"]
    assert world.names[-1] == contracts.ARCHIVE.name
    assert world.view["phase"] == "Succeeded"
    assert world.view["steps"][0]["status"] == "succeeded"


async def test_a_change_of_one_step_stays_under_90_events(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(plan=[an_apply()])
    ticket = await world.submit()
    await world.ends()

    events = [
        event async for handle in (ticket, world.of_rollout) async for event in handle.fetch_history_events()
    ]

    assert len(events) < 90
    assert len(events) == 0, len(events)
