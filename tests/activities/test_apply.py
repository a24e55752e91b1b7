"""An apply brings what its paths name, waits until it is ready, and knows when to stop waiting."""

from tests.activities.world import World, deployment, service


async def test_everything_is_applied_and_ready(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=2), service(), steps=[{"apply": {"timeout": "30s"}}])
    await world.begin()

    outcome = await world.finish_step()

    assert world.plan[0].config == {"paths": [], "timeout": 30.0}
    assert (outcome.status, outcome.reached) == ("done", 100.0)
    assert (await world.live())["status"]["readyReplicas"] == 2
    assert (await world.live(kind="Service"))["metadata"]["annotations"]["holdpoint.dev/intent"]


async def test_only_the_named_paths_are_applied(world: World) -> None:
    await world.submit("chg-1", service(), steps=[{"apply": {"paths": ["other.yaml"]}}])
    await world.begin()

    outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert "other.yaml" in outcome.reason.message


async def test_waiting_ends_with_the_timeout_of_the_step(world: World) -> None:
    image = f"registry.example/{world.namespace}:broken"
    world.sandbox.steer("behave", image=image, never_ready=True)
    await world.submit("chg-1", deployment(replicas=1, image=image), steps=[{"apply": {"timeout": "1s"}}])
    await world.begin()

    outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert outcome.reason.code == "not_ready"
