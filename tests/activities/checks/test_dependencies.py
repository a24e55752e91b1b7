"""What a change depends on is healthy: a Deployment by its replicas, a Service by a Pod that is ready."""

from typing import Any

import pytest

from tests.activities.checks.scene import a_scene, looked


def a_deployment(ready: int = 2, wanted: int = 2) -> dict[str, Any]:
    status = {
        "observedGeneration": 1,
        "replicas": wanted,
        "updatedReplicas": wanted,
        "readyReplicas": ready,
        "availableReplicas": ready,
    }
    metadata = {"name": "cart", "generation": 1}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": wanted}, "status": status}


def a_service(**selector: str) -> dict[str, Any]:
    return {"kind": "Service", "metadata": {"name": "cart"}, "spec": {"selector": selector}}


def a_pod(*, ready: bool = True, app: str = "cart", **metadata: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    metadata_ = {"name": "cart-1", "labels": {"app": app}, **metadata}
    return {"kind": "Pod", "metadata": metadata_, "status": {"conditions": conditions}}


CART = {"deployments": ["cart"]}
OVER = {"services": ["cart"]}


@pytest.mark.parametrize(
    ("asked", "objects", "said"),
    [
        pytest.param(CART, [a_deployment()], None, id="all replicas ready"),
        pytest.param(CART, [a_deployment(ready=1)], "1 ready", id="one of two ready"),
        pytest.param(CART, [a_deployment(0, 0)], "scaled to none", id="no replicas"),
        pytest.param(CART, [], "does not exist", id="no Deployment"),
        pytest.param(OVER, [a_service(app="cart"), a_pod()], None, id="a ready Pod"),
        pytest.param(OVER, [a_service(app="cart"), a_pod(ready=False)], "none of its 1", id="no ready Pod"),
        pytest.param(OVER, [a_service(app="cart"), a_pod(app="x")], "no Pod that", id="another's Pod"),
        pytest.param(
            OVER,
            [a_service(app="cart"), a_pod(deletionTimestamp="now")],
            "none of its 1",
            id="Pod that ends",
        ),
        pytest.param(OVER, [a_service()], "selects no Pods", id="no selector"),
        pytest.param(OVER, [], "does not exist", id="no Service"),
    ],
)
async def test_only_what_is_healthy_passes(
    asked: dict[str, Any], objects: list[dict[str, Any]], said: str | None
) -> None:
    found = await looked(a_scene(objects=tuple(objects)), dependencies=asked)

    assert found.passed is (said is None)
    assert (said or "Healthy") in found.message
