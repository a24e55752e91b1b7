"""A switch between two versions on the sandbox, and the sizes that it needs."""

from decimal import Decimal
from typing import Any

import pytest

from activities.plan_diff import Wanted, plan_diff
from activities.quota_room import amount, full_quotas, needs_of
from activities.steps.blue_green import BlueGreen
from holdpoint.models.plan import PlannedStep, WeightPlan
from tests.activities.blue_green_lives import BlueGreenLives, steps
from tests.activities.world import BETTER, World, deployment, service


class TestOnTheSandbox(BlueGreenLives):
    """The stand-in for a cluster."""


def planned(stable: int) -> PlannedStep:
    weight = WeightPlan(asked=100, reached=100.0, canary=2, stable=stable)
    return PlannedStep(
        index=0, name="switch", kind="blueGreen", config={"deployment": "shop"}, weights=[weight]
    )


def test_the_new_version_alone_is_judged_since_nothing_else_gets_requests() -> None:
    kind = BlueGreen()

    assert (kind.judged(planned(2), 100.0), kind.beside(planned(2), 100.0)) == (["shop-canary"], [])
    assert kind.judged(planned(0), 100.0) == ["shop"]


async def test_a_deployment_that_changed_since_it_was_planned_fails_the_step(world: World) -> None:
    await world.submit("chg-1", deployment(replicas=1), service(), steps=steps())
    world.create(deployment(replicas=1), manager="stranger")
    await world.begin()

    outcome = await world.weight(0)

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert (outcome.reason.code, outcome.reason.message) == (
        "plan_outdated",
        "shop exists since it was planned.",
    )
    assert not world.intents()


async def test_a_second_deployment_of_somebody_else_is_not_taken_for_ours(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=1), service())
    world.create(deployment("shop-canary", replicas=1), manager="stranger")
    await world.submit("chg-2", deployment(replicas=1, image=BETTER), service(), steps=steps())
    await world.begin()

    outcome = await world.weight(0)

    assert outcome.reason is not None
    assert "shop-canary was there before" in outcome.reason.message
    assert not world.intents()


async def test_what_another_rollout_has_switched_is_no_difference_of_a_plan(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=1), service())
    await world.submit("chg-2", deployment(replicas=1, image=BETTER), service(), steps=steps())
    await world.begin()
    await world.weight(0)
    stated = {**service(), "metadata": {"name": "shop", "namespace": world.namespace}}

    diff = await plan_diff(
        world.clusters.forward("sandbox"), world.namespace, Wanted([stated]), fingerprint=bytes.hex
    )

    assert diff.objects == []
    await world.submit("chg-3", deployment(replicas=1, image=BETTER), steps=steps())  # it can be planned


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("500m", Decimal("0.5")),
        ("2", Decimal(2)),
        (4, Decimal(4)),
        ("1Gi", Decimal(1024**3)),
        ("1e3", Decimal(1000)),
        ("1.5k", Decimal(1500)),
        ("many", None),
        ("1.2.3", None),
    ],
)
def test_quantities(text: object, found: Decimal | None) -> None:
    assert amount(text) == found


def with_resources(**strategy: Any) -> dict[str, Any]:
    made = deployment(replicas=4)
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = {
        "requests": {"cpu": "250m"},
        "limits": {"memory": "1Gi"},
    }
    made["spec"] |= {"strategy": strategy} if strategy else {}
    return made


@pytest.mark.parametrize(
    ("strategy", "pods"),
    [
        pytest.param({}, 5, id="a quarter more while it rolls"),
        pytest.param({"type": "Recreate"}, 4, id="none more"),
        pytest.param({"rollingUpdate": {"maxSurge": 3}}, 7, id="three more"),
        pytest.param({"rollingUpdate": {"maxSurge": "100%"}}, 8, id="as many again"),
    ],
)
def test_a_second_copy_needs_its_pods_and_what_its_rolling_update_has_more(
    strategy: dict[str, Any], pods: int
) -> None:
    needs = needs_of(with_resources(**strategy), 4)

    assert needs == {
        "pods": pods,
        "requests.cpu": pods * Decimal("0.25"),
        "requests.memory": pods * 1024**3,
        "limits.memory": pods * 1024**3,
    }


class Quotas:
    """A cluster with one quota."""

    def __init__(self, hard: dict[str, str], used: dict[str, str], **spec: Any) -> None:
        quota = {"metadata": {"name": "team"}, "spec": spec, "status": {"hard": hard, "used": used}}
        self.quotas = [quota]

    async def list(self, *asked: str) -> list[dict[str, Any]]:
        return self.quotas


async def said(quotas: Quotas) -> list[str]:
    return await full_quotas(quotas, "shop", needs_of(with_resources(), 4))  # type: ignore[arg-type]  # lists only


async def test_a_quota_without_room_is_named_with_its_numbers() -> None:
    used = {"pods": "6", "cpu": "1", "requests.memory": "1Gi"}
    hard = {"pods": "10", "cpu": "2", "requests.memory": "6Gi", "services": "1"}

    assert await said(Quotas(hard, used)) == [
        "ResourceQuota team: 1 of 2 cpu are used, 1.25 more are needed.",
        "ResourceQuota team: 6 of 10 pods are used, 5 more are needed.",
    ]


async def test_a_quota_that_may_count_none_of_these_pods_is_left_out() -> None:
    assert await said(Quotas({"pods": "1"}, {"pods": "1"}, scopes=["Terminating"])) == []
