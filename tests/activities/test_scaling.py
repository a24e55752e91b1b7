"""Replicas that an autoscaler or another manager sets are left to them, and never fall back to 1."""

from activities.scaling import yielding
from tests.activities.world import BETTER, World, deployment


def autoscale(world: World) -> None:
    """Have the Deployment scaled by an autoscaler, whose controller is the test."""
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
        "minReplicas": 2,
        "maxReplicas": 10,
    }
    path = f"/apis/autoscaling/v2/namespaces/{world.namespace}/horizontalpodautoscalers"
    answer = world.sandbox.ask("POST", path, json={"metadata": {"name": "shop"}, "spec": spec})
    assert answer.status_code == 201, answer.text


async def scale(world: World, replicas: int) -> None:
    """Scale as the autoscaler's controller does."""
    path = f"{world.path()}/scale?fieldManager=kube-controller-manager"
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = world.sandbox.ask("PATCH", path, json={"spec": {"replicas": replicas}}, headers=headers)
    assert answer.status_code == 200, answer.text


async def test_number_that_an_autoscaler_set_is_not_applied(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=2))
    autoscale(world)
    await scale(world, 3)
    await world.submit("chg-2", deployment(replicas=2, image=BETTER), steps=[{"apply": {}}])
    await world.begin()

    outcome = await world.finish_step()

    assert outcome.status == "done", outcome
    assert (await world.live())["spec"]["replicas"] == 3


async def test_number_that_an_autoscaler_has_not_set_yet_stays_as_it_is(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=3))
    autoscale(world)
    await world.submit("chg-2", deployment(replicas=2, image=BETTER), steps=[{"apply": {}}])
    await world.begin()

    outcome = await world.finish_step()
    applied = (await world.live())["spec"]["replicas"]
    await scale(world, 4)

    assert outcome.status == "done", outcome
    assert applied == 3
    assert (await world.live())["spec"]["replicas"] == 4


async def test_manager_that_scales_is_left_its_number(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=2))
    world.sandbox.edit(world.path(), {"spec": {"replicas": 3}}, manager="keda-operator")
    await world.submit("chg-2", deployment(replicas=2, image=BETTER), steps=[{"apply": {}}])
    await world.begin()

    outcome = await world.finish_step()

    assert outcome.status == "done", outcome
    assert (await world.live())["spec"]["replicas"] == 3


async def test_canary_is_a_share_of_what_the_autoscaler_wants_now(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=2))
    autoscale(world)
    await world.submit("chg-2", deployment(replicas=2, image=BETTER))
    await world.begin()
    await scale(world, 4)

    half = await world.weight(1)
    stable, canary = await world.live(), await world.live("shop-canary")
    done = await world.finish_step()
    await world.finish(succeeded=True)

    assert half.reached == 50.0, half
    assert (stable["spec"]["replicas"], canary["spec"]["replicas"]) == (4, 4)
    assert "HorizontalPodAutoscaler shop" in " ".join(world.plan[0].warnings)
    assert done.status == "done", done
    assert (await world.live())["spec"]["replicas"] == 4


async def test_undo_leaves_the_autoscaler_its_number(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=2))
    autoscale(world)
    await world.submit("chg-2", deployment(replicas=2, image=BETTER))
    await world.begin()
    await world.weight(0)
    await scale(world, 3)

    await world.undo()
    compared = await world.compare()

    assert (compared.result, compared.differences) == ("restored", [])
    assert (await world.live())["spec"]["replicas"] == 3


def test_other_kinds_state_what_they_like() -> None:
    manifest = {"kind": "Thing", "spec": {"replicas": 2}}

    assert yielding(manifest, {"kind": "Thing", "metadata": {}}, autoscaled=True) is manifest


def test_object_that_is_not_there_yet_gets_the_number_of_its_manifest() -> None:
    assert yielding(deployment(replicas=2), None, autoscaled=True)["spec"]["replicas"] == 2
