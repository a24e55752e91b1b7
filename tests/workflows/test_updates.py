"""What a ticket answers: wrong phases, denied attempts, wrong arguments, and words that cross."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

from holdpoint.models import contracts
from holdpoint.models.activity_calls import Scheduled
from holdpoint.models.phases import Phase
from tests.workflows.builders import (
    a_canary,
    a_control,
    a_hold,
    a_start,
    a_verdict,
    an_approval,
    an_evaluation,
)
from tests.workflows.conftest import VERSION, a_worker
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

WAITS = Scheduled(granted=False, holds=[a_hold()])
PHASE_KEY = SearchAttributeKey.for_keyword(contracts.SEARCH_PHASE)


async def refusal(world: World, named: contracts.Named[Any, Any], argument: Any) -> str:
    """Return what a conflict says."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await world.tell(named, argument)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.non_retryable) == ("conflict", True)
    return cause.message


async def waiting(world: World) -> None:
    """Bring a ticket to where it waits for its target."""
    world.answers["schedule"] = WAITS
    await world.submit()
    await world.is_held("frozen")


@pytest.mark.parametrize(
    ("named", "argument", "says"),
    [
        (contracts.ROLLBACK, a_control("rollback"), "Use abort"),
        (contracts.RESUME, a_control("resume"), "not paused"),
        (contracts.APPROVE, an_approval(), "no approval is asked"),
        (contracts.REJECT, an_approval(), "no approval is asked"),
    ],
    ids=["rollback", "resume", "approve", "reject"],
)
async def test_a_word_that_does_not_fit_the_phase_is_a_conflict_and_recorded(
    world: World, named: contracts.Named[Any, Any], argument: Any, says: str
) -> None:
    await waiting(world)

    assert says in await refusal(world, named, argument)

    await world.until(lambda: "attempt.denied" in world.kinds)
    assert world.bodies("attempt.denied")[0]["verb"] == named.name


async def test_at_most_three_denied_attempts_of_one_person_are_recorded(world: World) -> None:
    await waiting(world)

    for _ in range(5):
        await refusal(world, contracts.ROLLBACK, a_control("rollback", by="mallory"))
    await refusal(world, contracts.ROLLBACK, a_control("rollback", by="anna"))
    await world.until(lambda: world.kinds.count("attempt.denied") == 4)

    history = await world.of_ticket.fetch_history()
    accepted = [
        e for e in history.events if e.HasField("workflow_execution_update_accepted_event_attributes")
    ]
    assert len(accepted) == 4


async def test_a_closed_ticket_refuses_everything_without_a_trace(live: World) -> None:
    live.answers["evaluate"] = an_evaluation(deny=["no"])
    live.answers["archive"] = live.hang
    await live.submit()
    await live.asked(contracts.ARCHIVE)

    for named in (contracts.PAUSE, contracts.ABORT, contracts.ROLLBACK, contracts.RESUME):
        assert "Rejected already" in await refusal(live, named, a_control("abort"))
    live.release()

    assert await live.ends() is Phase.REJECTED
    assert "attempt.denied" not in live.kinds


async def test_an_update_that_is_sent_twice_under_one_id_is_taken_once(world: World) -> None:
    await waiting(world)

    for _ in range(2):
        await world.tell(contracts.PAUSE, a_control("pause"), id="the-same")
    await world.is_held("paused")

    assert world.kinds.count("pause.requested") == 1


async def test_wrong_arguments_are_refused_and_the_ticket_goes_on(world: World) -> None:
    await waiting(world)

    for arguments in ([], [1, 2], ["abort"]):
        with pytest.raises(WorkflowUpdateFailedError):
            await world.of_ticket.execute_update(contracts.ABORT.name, args=arguments)
    await world.of_ticket.signal(contracts.SIGNAL_ABORT, "not a control")

    world.answers["schedule"] = Scheduled(granted=True)
    await world.wake()
    assert await world.ends() is Phase.SUCCEEDED


async def test_an_update_before_the_first_workflow_task_is_taken_in(live: World) -> None:
    handle = await live.client.start_workflow(
        contracts.CHANGE_TICKET.name,
        a_start(live.ticket),
        id=contracts.ticket_workflow(live.ticket),
        task_queue=live.queue,
        result_type=Phase,
        start_signal=contracts.SIGNAL_ABORT,
        start_signal_args=[a_control("abort")],
    )

    assert await handle.result() is Phase.ABORTED
    assert live.phases == ["Aborted"]


async def test_an_approval_in_the_moment_of_expiry_counts(live: World) -> None:
    need = {
        "remind_after": 1.0,
        "escalate_after": 1.5,
        "expire_after": 2.0,
    }  # not while the worker still closes
    live.answers["evaluate"] = an_evaluation(approvals=1, need=need, plan=[a_canary((10,), bake=0.1)])
    live.queue = "moment-of-expiry"
    async with a_worker(live.client, queue=live.queue, version=VERSION):
        await live.submit(verify=0.1)
        await live.enters(Phase.AWAITING_APPROVAL)
    await asyncio.sleep(2.1)  # the clock runs out while no worker sees it

    approving = asyncio.create_task(live.tell(contracts.APPROVE, an_approval(), id="in-the-moment"))
    await live.admitted("in-the-moment")
    async with a_worker(live.client, queue=live.queue, version=VERSION):
        await approving

        assert await live.ends() is Phase.SUCCEEDED


async def test_abort_wins_over_an_approval_that_comes_with_it(live: World) -> None:
    live.answers["evaluate"] = an_evaluation(approvals=1)
    await live.submit()
    await live.enters(Phase.AWAITING_APPROVAL)

    await live.of_ticket.signal(contracts.SIGNAL_ABORT, a_control("abort"))
    with suppress(WorkflowUpdateFailedError):  # it may come when the ticket is closed already
        await live.tell(contracts.APPROVE, an_approval())

    assert await live.ends() is Phase.ABORTED


async def test_the_query_answers_in_every_phase_and_after_the_end(world: World) -> None:
    await waiting(world)
    assert (await world.state()).phase is Phase.SCHEDULED

    world.answers.clear()
    await world.wake()
    await world.ends()

    view = await world.state()
    assert view.phase is Phase.SUCCEEDED
    assert view.closed_at is not None
    assert (await world.rollout_state()).steps[0].status.value == "succeeded"


@pytest.mark.parametrize(
    ("verify", "phase"),
    [(600.0, Phase.VERIFYING), (5.0, Phase.EXECUTING)],
    ids=["told of what lasts", "not told of a brief verifying"],
)
async def test_the_ticket_follows_its_rollout(live: World, verify: float, phase: Phase) -> None:
    live.answers["evaluate"] = an_evaluation(plan=[a_canary(weights=(10,), bake=0.1)])
    live.answers["judge"] = lambda call: live.hang(call) if call.step is None else a_verdict()
    await live.submit(verify=verify)
    await live.enters(Phase.VERIFYING)

    assert (await live.state()).phase is phase
    await live.tell(contracts.ROLLBACK, a_control("rollback"))

    assert await live.ends() is Phase.ROLLED_BACK


async def test_the_phase_is_a_search_attribute_where_they_are_registered(live: World) -> None:
    live.answers["evaluate"] = an_evaluation(approvals=1)
    await live.submit_as_the_door_does()
    await live.enters(Phase.AWAITING_APPROVAL)

    described = await live.of_ticket.describe()
    assert described.typed_search_attributes[PHASE_KEY] == "AwaitingApproval"

    await live.tell(contracts.REJECT, an_approval())
    await live.ends()
    described = await live.of_ticket.describe()
    assert described.typed_search_attributes[PHASE_KEY] == "Rejected"
