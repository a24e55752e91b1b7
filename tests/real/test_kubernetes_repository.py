"""What a grown repository holds, on a real API server: eleven Deployments, other kinds, a custom resource."""

from typing import Any

import pytest

from holdpoint.models.errors import StepConfig
from tests.activities.world import World
from tests.real.kubernetes_admin import Admin

pytestmark = pytest.mark.real

Body = dict[str, Any]
SERVICES = ("ad", "cart", "checkout", "currency", "email", "frontend", "payment", "product", "ship", "rec")
CRON_TABS = "crontabs.stable.example.com"


def an_object(kind: str, name: str, version: str = "v1", **parts: Any) -> Body:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **parts}


def a_server(name: str, *, tag: str, kind: str = "Deployment", **spec: Any) -> Body:
    """Return a workload as shops write them: probes, resources as fractions, an init container."""
    probe = {"periodSeconds": 5, "exec": {"command": ["/bin/grpc_health_probe", "-addr=:8080"]}}
    web = {"httpGet": {"path": "/", "port": 8080, "httpHeaders": [{"name": "Cookie", "value": "a=b"}]}}
    container = {
        "name": "server",
        "image": f"registry.example/{name}:{tag}",
        "ports": [{"containerPort": 8080}],
        "env": [
            {"name": "PORT", "value": "8080"},
            {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "password"}}},
        ],
        "readinessProbe": probe,
        "livenessProbe": {"grpc": {"port": 8080}},
        "startupProbe": web,
        "resources": {
            "requests": {"cpu": 0.1, "memory": "64Mi"},
            "limits": {"cpu": "0.5", "memory": "0.5Gi"},
        },
        "securityContext": {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    pod = {
        "serviceAccountName": "shop",
        "terminationGracePeriodSeconds": 5,
        "initContainers": [{"name": "wait", "image": "busybox", "command": ["sh", "-c", "true"]}],
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    labels = {"app": name}
    template = {"metadata": {"labels": labels, "annotations": {"scrape": "true"}}, "spec": pod}
    selector = {"matchLabels": labels}
    return an_object(kind, name, "apps/v1", spec={"selector": selector, "template": template, **spec})


def a_shop(tag: str = "v1") -> list[Body]:
    """Return the shop at one release: eleven Deployments and what stands round them."""
    found: list[Body] = [
        an_object("ServiceAccount", "shop"),
        an_object("Secret", "shop", stringData={"password": "s3cret"}),
        an_object("ConfigMap", "shop", data={"greeting": f"hello {tag}"}, binaryData={"logo": "AAEC"}),
    ]
    for name in (*SERVICES, "load"):
        found.append(a_server(name, tag=tag, replicas=1))
    for name in SERVICES:
        ports = [{"name": "grpc", "port": 80, "targetPort": 8080}]
        found.append(an_object("Service", name, spec={"selector": {"app": name}, "ports": ports}))
    outside = {"type": "LoadBalancer", "selector": {"app": "frontend"}, "ports": [{"port": 80}]}
    job = {"template": {"spec": {"restartPolicy": "OnFailure", "containers": [{"name": "a", "image": "b"}]}}}
    policy = {"podSelector": {"matchLabels": {"app": "cart"}}, "ingress": [{}]}
    budget = {"minAvailable": "50%", "selector": {"matchLabels": {"app": "frontend"}}}
    return [
        *found,
        an_object("Service", "frontend-external", spec=outside),
        a_server("redis", tag=tag, kind="StatefulSet", serviceName="redis", replicas=1),
        a_server("agent", tag=tag, kind="DaemonSet"),
        an_object(
            "CronJob", "nightly", "batch/v1", spec={"schedule": "0 3 * * *", "jobTemplate": {"spec": job}}
        ),
        an_object("NetworkPolicy", "cart", "networking.k8s.io/v1", spec=policy),
        an_object("PodDisruptionBudget", "frontend", "policy/v1", spec=budget),
        an_object("Ingress", "shop", "networking.k8s.io/v1", spec=an_ingress()),
    ]


def an_ingress() -> Body:
    backend = {"service": {"name": "frontend", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {"rules": [{"host": "shop.example", "http": {"paths": [path]}}]}


async def test_a_whole_shop_is_applied_and_applied_again_without_a_write(world: World) -> None:
    await world.deploy("chg-1", *a_shop())
    written = len(world.intents())

    await world.submit("chg-2", *a_shop(), steps=[{"apply": {}}])
    await world.begin()
    again = await world.finish_step()

    assert written == len(a_shop())
    assert again.status == "done"
    assert world.intents() == []


async def test_a_release_of_the_whole_shop_is_undone_to_the_last_field(world: World) -> None:
    await world.deploy("chg-1", *a_shop())
    steps = [{"canary": {"deployment": "cart", "weights": [50], "bake": "1s"}}]
    await world.submit("chg-2", *a_shop("v2"), steps=steps)
    await world.begin()
    assert (await world.weight(0)).reached == 50.0

    undone = await world.undo()
    compared = await world.compare()

    assert (undone.complete, undone.message) == (True, "")
    assert (compared.result, compared.differences) == ("restored", [])


async def test_a_first_release_of_the_whole_shop_is_undone_to_nothing(world: World) -> None:
    await world.submit("chg-1", *a_shop(), steps=[{"apply": {}}])
    await world.begin()
    assert (await world.finish_step()).status == "done"

    undone = await world.undo()

    assert undone.complete
    assert await world.read("cart") is None
    assert await world.read("frontend-external", "Service") is None


@pytest.fixture
def cron_tabs(admin: Admin, namespace: str) -> str:
    """A custom resource that was installed, and that both identities may change."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "crontabs", "singular": "crontab", "kind": "CronTab"}
    spec = {"group": "stable.example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    admin.apply(an_object("CustomResourceDefinition", CRON_TABS, "apiextensions.k8s.io/v1", spec=spec))
    api = "rbac.authorization.k8s.io"
    rule = {
        "apiGroups": ["stable.example.com"],
        "resources": ["crontabs"],
        "verbs": ["get", "create", "patch", "delete"],
    }
    admin.apply(an_object("Role", "crontabs", f"{api}/v1", rules=[rule]), namespace)
    accounts = [
        {"kind": "ServiceAccount", "name": f"holdpoint-{identity}", "namespace": "holdpoint"}
        for identity in ("forward", "undo")
    ]
    role = {"apiGroup": api, "kind": "Role", "name": "crontabs"}
    admin.apply(an_object("RoleBinding", "crontabs", f"{api}/v1", roleRef=role, subjects=accounts), namespace)
    admin.until_served("/apis/stable.example.com/v1")
    return "stable.example.com/v1"


async def test_a_custom_resource_is_applied_and_undone(world: World, cron_tabs: str) -> None:
    first = an_object("CronTab", "tab", cron_tabs, spec={"cron": "* * * * *", "replicas": 1})
    second = an_object("CronTab", "tab", cron_tabs, spec={"cron": "0 * * * *", "extra": {"a": [1]}})
    await world.deploy("chg-1", first)
    await world.submit("chg-2", second, steps=[{"apply": {}}])
    await world.begin()
    assert (await world.finish_step()).status == "done"
    ref = world.ref("tab").model_copy(update={"api_version": cron_tabs, "kind": "CronTab"})
    live = await world.clusters.forward("sandbox").read(ref)

    await world.undo()
    compared = await world.compare()

    assert live is not None
    assert live["spec"] == second["spec"]
    assert (compared.result, compared.differences) == ("restored", [])


async def test_a_kind_that_the_cluster_does_not_have_is_refused_with_its_name(world: World) -> None:
    cluster = world.clusters.forward("sandbox")

    with pytest.raises(StepConfig, match=r"serves no stable\.example\.com/v9 CronTab"):
        await cluster.check_kind("stable.example.com/v9", "CronTab")
    with pytest.raises(
        StepConfig, match=r"Cluster-scoped kind: gateway\.networking\.k8s\.io/v1 GatewayClass"
    ):
        await cluster.check_kind("gateway.networking.k8s.io/v1", "GatewayClass")
