"""The weight that replicas can give is known before, shown, and what the canary runs."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.steps.canary_objects import canary_manifest, stable_manifest
from activities.weights import plan_traffic, plan_weight, plan_weights, share, warnings
from holdpoint.models.errors import StepConfig
from tests.activities.world import BETTER, World, deployment, service


@pytest.mark.parametrize(
    ("asked", "stated", "live", "canary", "stable", "reached"),
    [
        pytest.param(10, 10, 10, 1, 9, 10.0, id="a tenth of ten"),
        pytest.param(50, 10, 10, 5, 5, 50.0, id="half of ten"),
        pytest.param(25, 10, 4, 3, 7, 30.0, id="halves go up"),
        pytest.param(10, 1, 1, 1, 1, 50.0, id="one replica gets one beside it"),
        pytest.param(99, 10, 10, 10, 1, 90.9, id="stable keeps one"),
        pytest.param(10, None, 1, 1, 1, 50.0, id="none stated and one live"),
        pytest.param(10, None, 9, 1, 9, 10.0, id="none stated and nine live"),
        pytest.param(50, None, 4, 4, 4, 50.0, id="half is as many again"),
        pytest.param(100, 10, 10, 10, 0, 100.0, id="everything is the promotion"),
    ],
)
def test_weights_by_replicas(
    asked: int, stated: int | None, live: int, canary: int, stable: int, reached: float
) -> None:
    plan = plan_weight(asked, stated=stated, live=live)

    assert (plan.canary, plan.stable, plan.reached) == (canary, stable, reached)


@settings(deadline=None)
@given(asked=st.integers(1, 99), stated=st.none() | st.integers(1, 500), live=st.integers(1, 500))
def test_both_versions_always_run_below_100(asked: int, stated: int | None, live: int) -> None:
    plan = plan_weight(asked, stated=stated, live=live)

    assert plan.canary >= 1
    assert plan.stable >= 1
    assert plan.reached == share(plan.canary, plan.stable)


def test_deployment_that_is_absent_has_one_stage_at_100() -> None:
    plans = plan_weights([10, 50], stated=3, live=None)

    assert [(p.asked, p.reached, p.canary, p.stable) for p in plans] == [(10, 100.0, 3, 0)]


def test_weight_that_cannot_be_had_is_warned_about() -> None:
    plans = plan_weights([10, 50], stated=1, live=1)

    assert warnings(plans) == ["Weight 10 % is really 50 %: 1 of 2 pods."]


def test_canary_has_pods_of_its_own_that_the_service_selects_too() -> None:
    manifest = {**deployment(image=BETTER), "metadata": {"name": "shop", "namespace": "prod"}}

    canary = canary_manifest(manifest, 2)

    labels = {"app": "shop", "holdpoint.dev/track": "canary"}
    assert canary["metadata"]["name"] == "shop-canary"
    assert canary["spec"]["selector"]["matchLabels"] == labels
    assert canary["spec"]["template"]["metadata"]["labels"] == labels
    assert canary["spec"]["replicas"] == 2
    assert manifest["spec"]["selector"]["matchLabels"] == {"app": "shop"}


@pytest.mark.parametrize(
    ("manifests", "said"),
    [
        ([service()], "has these: none"),
        ([deployment("other")], "has these: other"),
        ([deployment(replicas=0)], "state at least 1"),
        ([{**deployment(), "spec": {}}], "no spec.template"),
    ],
)
def test_canary_without_its_deployment_is_refused(manifests: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(StepConfig, match=said):
        stable_manifest(manifests, "shop")


async def test_replicas_that_are_not_stated_are_not_touched(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=None))
    world.sandbox.edit(world.path(), {"spec": {"replicas": 2}}, manager="autoscaler")
    await world.submit("chg-2", deployment(replicas=None, image=BETTER))
    await world.begin()

    reached = (await world.weight(1)).reached
    at_half = (await world.live())["spec"]["replicas"]
    done = await world.finish_step()

    assert (reached, at_half) == (50.0, 2)
    assert done.status == "done"
    assert (await world.live())["spec"]["replicas"] == 2


async def test_other_objects_go_first(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=1), service())
    await world.submit("chg-2", deployment(replicas=1, image=BETTER), service(port=81))
    await world.begin()

    await world.weight(0)

    keys = [intent.request.key.split("/", 3)[3] for intent in world.intents()]
    assert keys == ["Service/shop", "Deployment/shop-canary"]


def test_a_route_gives_exactly_what_is_asked_for_and_stable_keeps_its_replicas() -> None:
    plans = plan_traffic([1, 34, 100], stated=3, live=5)

    assert [(plan.reached, plan.canary, plan.stable) for plan in plans] == [
        (1.0, 1, 3),
        (34.0, 2, 3),
        (100.0, 3, 0),
    ]
    assert warnings(plans) == []


def test_a_route_cannot_split_what_does_not_exist_yet() -> None:
    assert [plan.reached for plan in plan_traffic([10, 50], stated=3, live=None)] == [100.0]
