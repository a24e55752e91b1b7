"""Configuration is applied and read: what uses it starts again, and an undo brings both back in order."""

from typing import Any

import pytest

from activities.config_mark import MARK, checksum, uses
from holdpoint.models.errors import StepConfig
from tests.activities.world import World, deployment, secret, service


def settings(name: str = "shop", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def reading(name: str = "shop", *configs: str) -> dict[str, Any]:
    body = deployment(name, replicas=2)
    body["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [
        {"configMapRef": {"name": config}} for config in configs or ("shop",)
    ]
    return body


def mark(body: dict[str, Any]) -> str | None:
    return (body["spec"]["template"]["metadata"].get("annotations") or {}).get(MARK)


async def change(world: World, *objects: dict[str, Any], **config: Any) -> None:
    """Have a change of configuration begin."""
    await world.submit("chg-2", *objects, steps=[{"config": {"timeout": "20s", **config}}])
    await world.begin()


async def test_what_uses_the_configuration_starts_again(world: World) -> None:
    await world.deploy("chg-1", settings(colour="blue"), reading(), deployment("other", replicas=1))
    await change(world, settings(colour="red"))

    outcome = await world.finish_step()

    assert (outcome.status, outcome.reached) == ("done", 100.0)
    assert (await world.live(kind="ConfigMap"))["data"] == {"colour": "red"}
    assert mark(await world.live()) == checksum([settings(colour="red")])
    assert mark(await world.live("other")) is None
    assert (await world.live())["status"]["updatedReplicas"] == 2
    assert world.plan[0].config["roll"] == ["shop"]


async def test_repeated_it_writes_nothing(world: World) -> None:
    await world.deploy("chg-1", settings(colour="blue"), reading())
    await change(world, settings(colour="red"))
    await world.finish_step()
    before = world.writes()

    assert (await world.finish_step()).status == "done"
    assert world.writes() == before


async def test_freeze_holds_it(world: World) -> None:
    await world.deploy("chg-1", settings(colour="blue"), reading())
    await change(world, settings(colour="red"))
    world.freeze()

    assert (await world.finish_step()).status == "held"
    assert (await world.live(kind="ConfigMap"))["data"] == {"colour": "blue"}


async def test_undo_brings_back_the_configuration_before_the_pods_that_read_it(world: World) -> None:
    await world.deploy("chg-1", settings(colour="blue"), secret(), reading())
    before = await world.live()
    await change(world, settings(colour="red"))
    await world.finish_step()

    undone = await world.undo()
    compared = await world.compare()

    assert (undone.complete, compared.result, compared.differences) == (True, "restored", [])
    assert (await world.live())["spec"] == before["spec"]
    assert [i.request.object.kind for i in world.intents("undo")] == ["ConfigMap", "Deployment"]


async def test_undo_of_a_second_change_leaves_the_mark_of_the_first(world: World) -> None:
    await world.deploy("chg-1", settings(colour="blue"), reading())
    await change(world, settings(colour="red"))
    await world.finish_step()
    await world.finish(succeeded=True)
    await world.submit("chg-3", settings(colour="green"), steps=[{"config": {"timeout": "20s"}}])
    await world.begin()
    await world.finish_step()

    await world.undo()

    assert (await world.compare()).result == "restored"
    assert mark(await world.live()) == checksum([settings(colour="red")])


async def test_apply_of_the_whole_deployment_leaves_the_mark(world: World) -> None:
    await world.deploy("chg-1", settings(colour="blue"), reading())
    await change(world, settings(colour="red"))
    await world.finish_step()
    await world.finish(succeeded=True)
    marked = mark(await world.live())

    await world.deploy("chg-3", settings(colour="red"), reading())

    assert mark(await world.live()) == marked


async def test_named_objects_and_deployments_are_taken_and_the_rest_is_told(world: World) -> None:
    await world.deploy("chg-1", settings(a="1"), reading(), reading("cart"))

    await change(
        world,
        settings(a="2"),
        settings("more", b="1"),
        objects=[{"kind": "ConfigMap", "name": "shop"}],
        roll=["cart"],
    )

    assert world.plan[0].config["objects"] == [{"kind": "ConfigMap", "name": "shop"}]
    assert world.plan[0].config["roll"] == ["cart"]
    assert world.plan[0].warnings == [
        "Deployment cart starts new pods, which read them.",
        "Deployment shop uses them and is not rolled: its pods keep what they read.",
    ]


async def test_change_without_configuration_is_told_so_and_nothing_is_written(world: World) -> None:
    await world.deploy("chg-1", service())
    await change(world, service())
    before = world.writes()

    assert (await world.finish_step()).status == "done"
    assert world.plan[0].warnings == ["The change has no ConfigMap and no Secret: nothing is configured."]
    assert world.writes() == before


async def test_deployment_that_is_only_rolled_need_not_be_as_the_change_states_it(world: World) -> None:
    await world.deploy("chg-1", settings(a="1"), reading())
    await change(world, settings(a="2"), {**reading(), "metadata": {"name": "shop", "labels": {"new": "1"}}})
    await world.finish_step()

    report = await world.postcheck()

    assert (report.passed, report.checks[0].message) == (True, "All 1 objects are as they were applied.")


@pytest.mark.parametrize(
    ("objects", "config", "said"),
    [
        ([settings()], {"objects": [{"kind": "Secret", "name": "shop"}]}, "Secret shop is not among"),
        ([settings()], {"roll": ["none"]}, "none is to be rolled, but does not exist"),
    ],
    ids=["unknown configuration", "unknown deployment"],
)
async def test_mistake_is_told_before_anything_runs(
    world: World, objects: list[dict[str, Any]], config: dict[str, Any], said: str
) -> None:
    with pytest.raises(StepConfig, match=said):
        await world.submit("chg-1", *objects, steps=[{"config": config}])


def test_every_way_to_use_configuration_is_seen() -> None:
    pod = {
        "volumes": [
            {"name": "a", "configMap": {"name": "c1"}},
            {"name": "b", "secret": {"secretName": "s1"}},
            {
                "name": "c",
                "projected": {"sources": [{"configMap": {"name": "c2"}}, {"secret": {"name": "s2"}}]},
            },
        ],
        "initContainers": [
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "k"}}}]}
        ],
        "containers": [
            {
                "env": [{"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c3", "key": "k"}}}],
                "envFrom": [{"configMapRef": {"name": "c4"}}, {"secretRef": {"name": "s4"}}],
            }
        ],
    }

    found = uses({"spec": {"template": {"spec": pod}}})

    assert found == {
        (kind, f"{kind[0].lower()}{n}") for kind in ("ConfigMap", "Secret") for n in (1, 2, 3, 4)
    }
