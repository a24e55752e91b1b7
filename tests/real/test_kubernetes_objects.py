"""Deletion and configuration on a real control plane, with exactly the rights that are shipped."""

from typing import Any

import pytest

from tests.activities.test_config import mark, reading, settings
from tests.activities.world import World, deployment, secret, service

pytestmark = pytest.mark.real

NAMES = [{"kind": kind, "name": "old"} for kind in ("Deployment", "Service", "ConfigMap", "Secret")]


def whole(body: dict[str, Any]) -> dict[str, Any]:
    """Return what of an object is its own: no status, and no metadata but names, labels and annotations."""
    meta = {name: body["metadata"].get(name) for name in ("name", "labels")}
    return {**{name: value for name, value in body.items() if name != "status"}, "metadata": meta}


async def test_what_is_deleted_is_gone_and_its_undo_makes_it_again_as_it_was(world: World) -> None:
    objects = (deployment("old", replicas=2), service("old"), settings("old", a="1"), secret("old", b="2"))
    await world.deploy("chg-1", *objects, service())
    before = [await world.live("old", str(item["kind"])) for item in NAMES]
    await world.submit("chg-2", service(), steps=[{"delete": {"objects": NAMES, "timeout": "30s"}}])
    await world.begin()

    outcome = await world.finish_step()
    left = [await world.read("old", str(item["kind"])) for item in NAMES]
    undone = await world.undo()
    compared = await world.compare()

    assert (outcome.status, left) == ("done", [None] * 4)
    assert (undone.complete, undone.message) == (True, "")
    assert (compared.result, compared.differences) == ("restored", [])
    after = [await world.live("old", str(item["kind"])) for item in NAMES]
    assert [whole(body) for body in after] == [whole(body) for body in before]
    assert after[0]["status"]["readyReplicas"] == 2


async def test_configuration_is_read_and_its_undo_brings_back_both(world: World) -> None:
    await world.deploy("chg-1", settings(colour="blue"), reading())
    before = await world.live()
    await world.submit("chg-2", settings(colour="red"), steps=[{"config": {"timeout": "60s"}}])
    await world.begin()

    outcome = await world.finish_step()
    marked = mark(await world.live())
    undone = await world.undo()
    compared = await world.compare()

    assert (outcome.status, marked is None) == ("done", False)
    assert (undone.complete, compared.result, compared.differences) == (True, "restored", [])
    assert (await world.live())["spec"] == before["spec"]
    assert (await world.live(kind="ConfigMap"))["data"] == {"colour": "blue"}
