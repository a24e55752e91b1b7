"""The plan as a diff of what an API server answers to a dry run, on the sandbox and a real one."""

import hashlib
from typing import Any

from activities.plan_diff import Wanted, plan_diff
from holdpoint.clients.cluster import Cluster, ref_of
from holdpoint.models.plan_diff import PlanDiff
from tests.activities.world import BETTER, GOOD, deployment, service
from tests.contract.conftest import MERGE, ApiServer

Body = dict[str, Any]
WEB = "spec.template.spec.containers[name=web]"


def placed(server: ApiServer, body: Body) -> Body:
    return {**body, "metadata": {**body["metadata"], "namespace": server.namespace}}


def a_config(kind: str = "ConfigMap", **data: str) -> Body:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "settings"}, "data": data}


def stands(server: ApiServer, body: Body, *, manager: str = "holdpoint") -> None:
    """Have an object on the server, applied by a manager."""
    answer = server.apply(f"{body['kind'].lower()}s", placed(server, body), manager=manager)
    assert answer.status_code in (200, 201), answer.text


async def diff(server: ApiServer, client: Cluster, *wanted: Body) -> PlanDiff:
    """Ask twice: what a person reads must not move by itself."""
    stated = Wanted([placed(server, body) for body in wanted])
    one, other = [
        await plan_diff(client, server.namespace, stated, fingerprint=lambda d: hashlib.sha1(d).hexdigest())
        for _ in range(2)
    ]
    assert one == other
    return one


def fields(found: PlanDiff) -> list[tuple[str, Any, Any]]:
    return [(field.field, field.was, field.now) for one in found.objects for field in one.fields]


async def test_what_the_server_fills_in_and_allocates_is_left_out(server: ApiServer, client: Cluster) -> None:
    stands(server, deployment())
    stands(server, service())
    wanted, outside = deployment(image=BETTER, LEVEL="2"), service(port=81)
    wanted["spec"]["template"]["spec"]["containers"].append(
        {"name": "log", "image": "registry.example/log:1"}
    )
    outside["spec"]["type"] = "NodePort"

    found = await diff(server, client, wanted, outside)

    # The port is the key of its item, so that one port goes and another comes under one name.
    assert [entry for entry in fields(found) if "ports" not in entry[0]] == [
        (f"{WEB}.env[name=LEVEL].value", None, "2"),
        (f"{WEB}.image", GOOD, BETTER),
        ("spec.template.spec.containers[name=log].image", None, "registry.example/log:1"),
        ("spec.type", "ClusterIP", "NodePort"),
    ]
    assert ("spec.ports[name=http].port", 80, 81) in fields(found)
    assert "nodePort" not in str(found)


async def test_what_a_person_deployed_with_kubectl_is_compared_and_taken_over(
    server: ApiServer, client: Cluster
) -> None:
    path, body = server.path("deployments"), placed(server, deployment(replicas=2))
    created = server.send("POST", path, body, fieldManager="kubectl-client-side-apply")
    assert created.status_code == 201, created.text

    found = await diff(server, client, deployment(replicas=3, image=BETTER))

    assert fields(found) == [("spec.replicas", 2, 3), (f"{WEB}.image", GOOD, BETTER)]


async def test_fields_and_marks_of_others_are_left_out(server: ApiServer, client: Cluster) -> None:
    stands(server, deployment())
    theirs = {"metadata": {"annotations": {"seen": "now"}}, "spec": {"minReadySeconds": 3}}
    path = server.path("deployments", "shop")
    assert server.send("PATCH", path, theirs, media=MERGE, fieldManager="stranger").status_code == 200

    assert (await diff(server, client, deployment())).objects == []


async def test_field_of_another_manager_that_is_stated_is_refused_by_name(
    server: ApiServer, client: Cluster
) -> None:
    stands(server, a_config(mode="slow"), manager="argocd-controller")

    (found,) = (await diff(server, client, a_config(mode="fast"))).objects

    assert (found.change, "argocd-controller" in found.message) == ("refused", True)


async def test_key_that_is_no_longer_stated_goes(server: ApiServer, client: Cluster) -> None:
    stands(server, a_config(mode="slow", level="1"))

    assert fields(await diff(server, client, a_config(mode="slow"))) == [("data.level", "1", None)]


async def test_secret_changes_without_being_told(server: ApiServer, client: Cluster) -> None:
    stands(server, a_config("Secret", word="b2xk", kept="a2VwdA=="))

    found = await diff(server, client, a_config("Secret", word="bmV3", kept="a2VwdA=="))

    ((field, was, now),) = fields(found)
    assert (field, was != now) == ("data.word", True)
    assert not any(value in str(found) for value in ("b2xk", "bmV3", "a2VwdA"))


async def test_object_that_is_not_there_is_created_as_it_is_stated(
    server: ApiServer, client: Cluster
) -> None:
    (found,) = (await diff(server, client, service())).objects

    assert found.change == "create"
    assert [field.field for field in found.fields] == [
        "spec.ports[name=http].port",
        "spec.ports[name=http].targetPort",
        "spec.selector.app",
    ]


async def test_object_that_would_go_is_named_while_it_is_there(server: ApiServer, client: Cluster) -> None:
    stands(server, a_config(mode="slow"))
    named = [ref_of("eu", placed(server, body)) for body in (a_config(), service())]

    found = await plan_diff(client, server.namespace, Wanted([], named), fingerprint=lambda data: "")

    assert [(one.change, str(one)) for one in found.objects] == [("delete", "ConfigMap settings")]
    assert found.unchanged == 1
