"""One poller tells everybody who waits; nothing that happens between reading and waiting is missed."""

import asyncio
import time

from holdpoint.models.phases import Phase
from holdpoint.service.feed import Feed
from holdpoint.service.read import Story, story
from tests.service.world import World


async def follow(world: World, feed: Feed, ticket: str, *, after: int, wait: float = 5) -> Story:
    return await story(world.ledger, feed, ticket, after=after, wait=wait, limit=100)


async def test_entries_that_are_there_are_returned_at_once(world: World) -> None:
    ticket = (await world.a_ticket()).id

    told = await follow(world, Feed(world.ledger), ticket, after=0)

    assert [entry.kind for entry in told.entries] == ["ticket.submitted"]


async def test_a_waiter_is_told_of_a_new_entry(world: World) -> None:
    feed = Feed(world.ledger)
    ticket = (await world.a_ticket()).id
    last = (await follow(world, feed, ticket, after=0)).entries[-1].seq
    running = asyncio.create_task(feed.run())

    waiting = [asyncio.create_task(follow(world, feed, ticket, after=last)) for _ in range(20)]
    # Until they wait in the feed, which tells nobody; the outcome is the same if they came later.
    await asyncio.sleep(0.05)
    await world.record(ticket, phase=Phase.SCHEDULED)
    told = await asyncio.gather(*waiting)
    running.cancel()

    assert {one.view.phase for one in told} == {Phase.SCHEDULED}
    assert all([entry.kind for entry in one.entries] == ["phase.entered"] for one in told)


async def test_a_wait_ends_with_nothing(world: World) -> None:
    ticket = (await world.a_ticket()).id

    begun = time.monotonic()
    told = await follow(world, Feed(world.ledger), ticket, after=10_000, wait=0.1)

    assert told.entries == []
    assert time.monotonic() - begun < 2


async def test_another_tickets_entries_do_not_end_a_wait(world: World) -> None:
    feed = Feed(world.ledger)
    ticket = (await world.a_ticket()).id
    await world.record(ticket, phase=Phase.REJECTED)
    other = (await world.a_ticket()).id
    await feed.look()

    with feed.listening(ticket) as news:
        await world.record(other, phase=Phase.SCHEDULED)
        await feed.look()
        assert not await news.within(0.05)


async def test_everybody_is_let_go_at_the_end(world: World) -> None:
    feed = Feed(world.ledger)
    ticket = (await world.a_ticket()).id

    waiting = asyncio.create_task(follow(world, feed, ticket, after=10_000, wait=60))
    # Until they wait in the feed, which tells nobody; the outcome is the same if they came later.
    await asyncio.sleep(0.05)
    feed.close()

    async with asyncio.timeout(2):
        assert (await waiting).entries == []
        assert (await follow(world, feed, ticket, after=10_000, wait=60)).entries == []
