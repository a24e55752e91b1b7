"""A rollout goes to its end, is safe to repeat, and stops where it is told to."""

from datetime import UTC, datetime

from tests.activities.world import BETTER, GOOD, World, deployment, service


async def test_canary_lives_to_the_end(world: World) -> None:
    await world.deploy("chg-1", deployment(), service())
    await world.submit("chg-2", deployment(image=BETTER), service())
    begun = await world.begin()
    since = datetime.now(UTC)

    first = await world.weight(0)
    verdict = await world.judge(weight=first.reached or 0, window=15, since=since)
    second = await world.weight(1)
    done = await world.finish_step()
    await world.finish(succeeded=True)

    assert (begun.objects, begun.absent, begun.created_whole) == (3, 1, False)
    assert (first.status, first.reached, first.mutated) == ("done", 25.0, True)
    assert verdict.verdict.verdict == "pass", verdict.verdict.message
    assert second.reached == 50.0
    assert (done.status, done.reached) == ("done", 100.0)
    live = await world.live()
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == BETTER
    assert live["spec"]["replicas"] == live["status"]["readyReplicas"] == 4
    assert await world.read("shop-canary") is None
    assert {intent.status for intent in world.intents()} == {"done"}


async def test_undo_restores_what_was(world: World) -> None:
    await world.deploy("chg-1", deployment(COLOUR="blue"), service())
    before = await world.live()
    await world.submit("chg-2", deployment(image=BETTER, COLOUR="red", EXTRA="1"), service(port=81))
    await world.begin()
    await world.weight(0)
    await world.finish_step()

    undone = await world.undo()
    compared = await world.compare()

    assert undone.complete, undone.message
    assert (compared.result, compared.differences) == ("restored", [])
    after = await world.live()
    assert after["spec"] == before["spec"]
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == GOOD
    assert await world.read("shop-canary") is None
