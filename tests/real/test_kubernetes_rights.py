"""A whole canary and its rollback with exactly the shipped RBAC, and a clear word when a verb is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from tests.activities.world import BETTER, World, deployment, service
from tests.real.kubernetes_admin import DEPLOY, Admin

pytestmark = pytest.mark.real

API = "rbac.authorization.k8s.io"


@contextmanager
def without(admin: Admin, identity: str, verb: str, *, namespace: str) -> Iterator[None]:
    """Take one verb from both roles of an identity: that of apply would stand in for the canary's.

    Other tests run with the shipped roles at the same time, so this namespace gets lesser copies of them.
    """
    shipped = [
        role
        for role in yaml.safe_load_all((DEPLOY / f"rbac-{identity}.yaml").read_text())
        if role["kind"] == "ClusterRole"
    ]
    for role in shipped:
        name = role["metadata"]["name"]
        less = [{**rule, "verbs": [v for v in rule["verbs"] if v != verb]} for rule in role["rules"]]
        meta = {"name": f"less-{name}", "namespace": namespace}
        left = [rule for rule in less if rule["verbs"]]  # the API server takes no rule without verbs
        admin.apply({**role, "kind": "Role", "metadata": meta, "rules": left})
        admin.apply(binding(meta, identity))
        admin.delete(f"/apis/{API}/v1/namespaces/{namespace}/rolebindings/{name}")
    admin.until_allowed(identity, verb, namespace, allowed=False)
    try:
        yield
    finally:
        admin.apply_file(DEPLOY / "access.yaml", namespace)
        admin.until_allowed(identity, verb, namespace, allowed=True)


def binding(meta: dict[str, str], identity: str) -> dict[str, Any]:
    """Return the binding of a lesser role to its identity."""
    account = {"kind": "ServiceAccount", "name": f"holdpoint-{identity}", "namespace": "holdpoint"}
    return {
        "apiVersion": f"{API}/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": API, "kind": "Role", "name": meta["name"]},
        "subjects": [account],
    }


async def test_canary_and_rollback_need_no_more_than_is_shipped(world: World) -> None:
    await world.deploy("chg-1", deployment(), service())
    before = await world.live()
    await world.submit("chg-2", deployment(image=BETTER), service(port=81))
    await world.begin()
    reached = [(await world.weight(index)).reached for index in range(2)]

    undone = await world.undo()
    compared = await world.compare()

    assert reached == [25.0, 50.0]
    assert (undone.complete, compared.result, compared.differences) == (True, "restored", [])
    assert (await world.live())["spec"] == before["spec"]
    assert await world.read("shop-canary") is None


async def test_canary_can_be_finished_with_what_is_shipped(world: World) -> None:
    await world.deploy("chg-1", deployment(), service())
    await world.submit("chg-2", deployment(image=BETTER), service())
    await world.begin()
    await world.weight(0)

    outcome = await world.finish_step()

    assert (outcome.status, outcome.reached) == ("done", 100.0)
    assert await world.read("shop-canary") is None


async def test_first_rollout_and_its_rollback_need_no_more(world: World) -> None:
    await world.submit("chg-1", deployment(), service(), steps=[{"apply": {}}])
    await world.begin()
    assert (await world.finish_step()).status == "done"

    undone = await world.undo()

    assert undone.complete
    assert await world.read() is None


@pytest.mark.parametrize("verb", ["get", "create", "patch", "delete"])
async def test_missing_verb_is_said_with_verb_resource_and_identity(
    admin: Admin, world: World, verb: str
) -> None:
    await world.deploy("chg-1", deployment(), service())
    await world.submit("chg-2", deployment(image=BETTER), service())
    await world.begin()
    with without(admin, "forward", verb, namespace=world.namespace):
        outcome = await world.weight(0)
        if verb == "delete":
            outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert outcome.reason.code == "access_denied"
    said = outcome.reason.message
    assert f"cannot {verb} resource" in said
    assert "system:serviceaccount:holdpoint:holdpoint-forward" in said
    assert f'in the namespace "{world.namespace}"' in said


async def test_undo_without_delete_says_what_it_may_not_and_is_made_up_for(
    admin: Admin, world: World
) -> None:
    await world.deploy("chg-1", deployment(), service())
    await world.submit("chg-2", deployment(image=BETTER), service())
    await world.begin()
    await world.weight(0)
    with without(admin, "undo", "delete", namespace=world.namespace):
        undone = await world.undo()

    assert not undone.complete
    assert 'holdpoint-undo" cannot delete resource "deployments"' in undone.message
    assert (await world.undo()).complete
    assert await world.read("shop-canary") is None
