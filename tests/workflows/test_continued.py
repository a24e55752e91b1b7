"""A long wait goes on in a new run with everything that counts; an eviction changes nothing either."""

from collections.abc import Awaitable, Callable

import pytest

from holdpoint.models import contracts
from holdpoint.models.activity_calls import Scheduled
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import HoldCode
from tests.workflows.builders import a_canary, a_control, a_hold, a_verdict, an_approval, an_evaluation
from tests.workflows.conftest import VERSION, a_worker
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHORT = [a_canary((10,), bake=0.1)]


async def run_of(live: World) -> str | None:
    """Return the ID of the ticket's present run."""
    return (await live.of_ticket.describe()).run_id


async def until_continued(live: World, stir: Callable[[int], Awaitable[None]]) -> None:
    """Stir the ticket until it goes on in a new run."""
    first = await run_of(live)
    for times in range(1, 40):
        await stir(times)
        if await run_of(live) != first:
            return
    raise AssertionError("it never went on in a new run")


async def wake_and_look(live: World, times: int) -> None:
    """Wake the ticket, and wait until it has asked again."""
    before = len(live.calls_of(contracts.SCHEDULE))
    await live.wake()
    await live.asked(contracts.SCHEDULE, before + 1)


async def test_a_wait_for_approvals_goes_on_in_a_new_run_with_what_was_given(live: World) -> None:
    live.answers["evaluate"] = an_evaluation(approvals=2, plan=SHORT)
    await live.submit(verify=0.1)
    await live.enters(Phase.AWAITING_APPROVAL)
    await live.tell(contracts.APPROVE, an_approval("anna"))
    asked = live.view["approvals"]["expire_at"]

    async def pause_and_resume(times: int) -> None:
        await live.tell(contracts.PAUSE, a_control("pause"))
        await live.is_held("paused")
        await live.tell(contracts.RESUME, a_control("resume"))
        await live.is_free()

    await until_continued(live, pause_and_resume)
    view = await live.state()

    assert [approval.by for approval in view.approvals.given] == ["anna"]
    assert live.view["approvals"]["expire_at"] == asked
    assert live.kinds.count("approval.requested") == 1
    await live.tell(contracts.APPROVE, an_approval("bert"))
    assert await live.of_ticket.result() is Phase.SUCCEEDED


async def test_a_wait_in_the_lane_goes_on_in_a_new_run_with_its_holds(live: World) -> None:
    live.answers["evaluate"] = an_evaluation(plan=SHORT)
    live.answers["schedule"] = Scheduled(granted=False, holds=[a_hold(HoldCode.LANE, ref="chg-0")])
    await live.submit(verify=0.1)
    await live.is_held("lane")
    since = live.view["holds"][0]["since"]

    await until_continued(live, lambda times: wake_and_look(live, times))
    view = await live.state()

    assert [hold.code for hold in view.holds] == [HoldCode.LANE]
    assert live.view["holds"][0]["since"] == since
    assert live.kinds.count("hold.placed") == 1
    live.answers["schedule"] = Scheduled(granted=True)
    await live.wake()
    assert await live.of_ticket.result() is Phase.SUCCEEDED
    assert len(live.entries) == len({entry.key for entry in live.entries.values()})


async def test_denied_attempts_stay_counted_in_a_new_run(live: World) -> None:
    live.answers["schedule"] = Scheduled(granted=False, holds=[a_hold(HoldCode.LANE)])
    await live.submit()
    await live.is_held("lane")
    for _ in range(3):
        with pytest.raises(Exception, match="update"):
            await live.tell(contracts.ROLLBACK, a_control("rollback", by="mallory"))
    await until_continued(live, lambda times: wake_and_look(live, times))

    with pytest.raises(Exception, match="update"):
        await live.tell(contracts.ROLLBACK, a_control("rollback", by="mallory"))
    await live.tell(contracts.ABORT, a_control("abort"))

    assert await live.of_ticket.result() is Phase.ABORTED
    assert live.kinds.count("attempt.denied") == 3


@pytest.mark.parametrize("verdict", ["pass", "fail"])
async def test_a_ticket_that_is_evicted_after_every_task_comes_to_the_same_end(
    live: World, verdict: str
) -> None:
    live.queue = f"evicted-{verdict}"
    live.answers["evaluate"] = an_evaluation(approvals=1, plan=[a_canary((10, 50), bake=0.1)])
    live.answers["judge"] = a_verdict(verdict)
    async with a_worker(live.client, queue=live.queue, version=VERSION, cached=0):
        await live.submit(verify=0.1)
        await live.enters(Phase.AWAITING_APPROVAL)
        await live.tell(contracts.APPROVE, an_approval())

        ended = await live.ends()

    assert ended is (Phase.SUCCEEDED if verdict == "pass" else Phase.ROLLED_BACK)
    assert live.view["phase"] == ended.value


async def test_a_rollout_that_is_evicted_after_every_task_is_undone_on_abort(live: World) -> None:
    live.queue = "evicted-abort"
    live.answers["evaluate"] = an_evaluation(plan=[a_canary((10,), bake=600)])
    async with a_worker(live.client, queue=live.queue, version=VERSION, cached=0):
        await live.submit()
        await live.asked(contracts.JUDGE)
        await live.tell(contracts.PAUSE, a_control("pause"))
        await live.is_held("paused")
        await live.of_ticket.cancel()

        assert await live.ends() is Phase.ROLLED_BACK
