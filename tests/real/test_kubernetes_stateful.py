"""A StatefulSet on a real control plane: the pods below its partition keep what they run."""

from typing import Any

import pytest

from tests.activities.world import BETTER, GOOD
from tests.real.kubernetes_world import RealWorld

pytestmark = pytest.mark.real


def stateful(image: str, *, partition: int) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "store"},
        "spec": {
            "replicas": 2,
            "serviceName": "store",
            "selector": {"matchLabels": {"app": "store"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}},
            "template": {
                "metadata": {"labels": {"app": "store"}},
                "spec": {"containers": [{"name": "store", "image": image}]},
            },
        },
    }


def images(world: RealWorld) -> list[str]:
    """Return what each pod runs, by its number."""
    paths = [f"/api/v1/namespaces/{world.namespace}/pods/store-{number}" for number in range(2)]
    return [world.admin.http.get(path).json()["spec"]["containers"][0]["image"] for path in paths]


async def test_a_partition_is_waited_for_no_further_than_it_goes(world: RealWorld) -> None:
    await world.deploy("chg-1", stateful(GOOD, partition=0))
    await world.submit("chg-2", stateful(BETTER, partition=1), steps=[{"apply": {"timeout": "30s"}}])
    await world.begin()

    outcome = await world.finish_step()
    during = images(world)
    undone = await world.undo()
    compared = await world.compare()

    assert (outcome.status, during) == ("done", [GOOD, BETTER])
    assert (undone.complete, undone.message, compared.result) == (True, "", "restored")
    assert images(world) == [GOOD, GOOD]
