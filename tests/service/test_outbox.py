"""What the ledger has ordered arrives at least once, in order for each ticket, Temporal away or not."""

import asyncio

from holdpoint.ledger import outbox
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.phases import Phase
from holdpoint.models.workflow_messages import TicketStart
from tests.service.world import World, a_change


async def pending(world: World) -> int:
    """Count the rows that are due or leased: what a lease of a year would still give out."""
    return len(await world.ledger.write(outbox.take, limit=100, lease=0))


async def test_a_row_is_delivered_once(world: World) -> None:
    await world.submit(a_change())

    assert await world.delivery.deliver_due() == 1
    assert await world.delivery.deliver_due() == 0
    assert await pending(world) == 0


async def test_a_closed_ticket_is_not_started(world: World) -> None:
    done = await world.submit(a_change())
    await world.record(done.view.id, phase=Phase.ABORTED)

    await world.delivery.deliver_due()

    assert world.temporal.started == []


async def test_a_wake_up_for_a_workflow_that_is_not_there_is_not_repeated(world: World) -> None:
    ticket = (await world.a_ticket()).id
    world.temporal.running.clear()
    await world.ledger.write(outbox.post, kind="wake", ticket=ticket, body={"cause": "x"}, key="wake/1")

    assert await world.delivery.deliver_due() == 1
    assert await pending(world) == 0


async def test_a_wake_up_reaches_ticket_and_rollout(world: World) -> None:
    ticket = await world.a_ticket()
    world.temporal.running.add(f"rollout/{ticket.target}")
    await world.ledger.write(outbox.post, kind="wake", ticket=ticket.id, body={"cause": "x"}, key="wake/1")

    await world.delivery.deliver_due()

    assert [workflow for workflow, _, _ in world.temporal.signals] == [
        f"change/{ticket.id}",
        f"rollout/{ticket.target}",
    ]


async def test_a_failed_row_waits_before_it_is_tried_again(world: World) -> None:
    world.temporal.down = True
    await world.submit(a_change())

    assert await world.delivery.deliver_due() == 1
    assert await world.delivery.deliver_due() == 0


async def test_a_row_that_cannot_be_understood_does_not_stop_the_others(world: World) -> None:
    first = (await world.a_ticket()).id
    await world.ledger.write(outbox.post, kind="update", ticket=first, body={"update": "dance"}, key="bad")
    await world.submit(a_change(title="another"))

    await world.delivery.deliver_due()

    assert len(world.temporal.started) == 2


async def test_the_loop_delivers_at_once_when_nudged(world: World) -> None:
    task = asyncio.create_task(world.delivery.run())
    await asyncio.sleep(0)
    await world.submit(a_change())

    await asyncio.wait_for(world.temporal.has_started.wait(), 0.9)  # before it would have looked by itself
    task.cancel()


async def test_two_loops_do_not_start_a_ticket_twice(world: World) -> None:
    calls: list[str] = []
    started = world.temporal.start_ticket

    async def slowly(start: TicketStart) -> None:
        calls.append(start.ticket)
        # The fault itself: a start that takes long enough for the other loop to look.
        await asyncio.sleep(0.05)
        await started(start)

    world.temporal.start_ticket = slowly  # type: ignore[method-assign]  # counts the calls
    for number in range(10):
        await world.submit(a_change(title=f"change {number}"))

    await asyncio.gather(*(world.delivery.deliver_due() for _ in range(4)))

    assert len(calls) == 10


async def test_the_ledger_may_fail_for_a_moment(world: World) -> None:
    done = await world.submit(a_change())
    read, failures = world.ledger.read, iter([UpstreamUnavailable("The ledger is busy.")])

    async def flaky(*args: object, **kwargs: object) -> object:
        for error in failures:
            raise error
        return await read(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came

    world.ledger.read = flaky  # type: ignore[method-assign, assignment]  # a fault, once
    async with asyncio.timeout(5):
        while not world.temporal.started:
            await world.delivery.deliver_due()

    assert world.temporal.started[0].ticket == done.view.id
