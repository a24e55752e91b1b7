"""What is taken for granted of StatefulSets, held against the sandbox and a real control plane."""

from typing import Any

import pytest

from tests.contract.conftest import MERGE, ApiServer
from tests.sandbox.process import wait_for

OLD, NEW = "registry.example/store:1", "registry.example/store:2"


def a_set(server: ApiServer, *, image: str = OLD, replicas: int = 2, **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": "store"}},
        "spec": {"containers": [{"name": "store", "image": image}], "terminationGracePeriodSeconds": 0},
    }
    stated = {"replicas": replicas, "serviceName": "store", "selector": {"matchLabels": {"app": "store"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "store", "namespace": server.namespace},
        "spec": {**stated, "template": template, **spec},
    }


def below(partition: int) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}


def applied(server: ApiServer, **keywords: Any) -> dict[str, Any]:
    answer = server.apply("statefulsets", a_set(server, **keywords))
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def settled(server: ApiServer, *, updated: int, replicas: int = 2) -> dict[str, Any]:
    """Wait until all pods are ready and so many have the newest template; return the status."""

    def looked() -> dict[str, Any] | None:
        live = server.get("statefulsets", "store")
        status = live.get("status") or {}
        seen = status.get("observedGeneration") == live["metadata"]["generation"]
        counts = [status.get(name, 0) for name in ("replicas", "readyReplicas", "updatedReplicas")]
        return status if seen and counts == [replicas, replicas, updated] else None

    found: dict[str, Any] = wait_for(looked, seconds=30)
    return found


def images(server: ApiServer, replicas: int = 2) -> list[str]:
    pods = [server.get("pods", f"store-{number}") for number in range(replicas)]
    return [pod["spec"]["containers"][0]["image"] for pod in pods]


def test_a_stateful_set_has_the_same_defaults(server: ApiServer) -> None:
    created = applied(server, replicas=0)["spec"]

    assert created["podManagementPolicy"] == "OrderedReady"
    assert created["updateStrategy"]["type"] == "RollingUpdate"
    assert created["updateStrategy"]["rollingUpdate"]["partition"] == 0
    assert created["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    assert created["revisionHistoryLimit"] == 10


def test_pods_have_names_by_their_number_and_say_their_revision(server: ApiServer) -> None:
    applied(server)

    status = settled(server, updated=2)

    pod = server.get("pods", "store-1")
    named = {
        "app": "store",
        "apps.kubernetes.io/pod-index": "1",
        "controller-revision-hash": status["updateRevision"],
        "statefulset.kubernetes.io/pod-name": "store-1",
    }
    assert named.items() <= pod["metadata"]["labels"].items()
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("store-1", "store")
    assert status["currentRevision"] == status["updateRevision"]
    assert (status["currentReplicas"], status["availableReplicas"]) == (2, 2)
    revision = server.get("controllerrevisions", status["updateRevision"])
    assert revision["data"]["spec"]["template"]["spec"]["containers"][0]["image"] == OLD


def test_an_update_stops_at_the_partition_and_goes_on_or_back_from_there(server: ApiServer) -> None:
    applied(server)
    first = settled(server, updated=2)["updateRevision"]
    applied(server, image=NEW, updateStrategy=below(1))
    partly = settled(server, updated=1)
    assert images(server) == [OLD, NEW]
    assert (partly["currentReplicas"], partly["currentRevision"]) == (1, first)

    lost(server, "store-0")  # what is below the partition comes back as it was
    settled(server, updated=1)
    assert images(server) == [OLD, NEW]

    applied(server)
    back = settled(server, updated=2)
    assert images(server) == [OLD, OLD]
    assert (back["updateRevision"], back["currentRevision"]) == (first, first)

    applied(server, image=NEW, updateStrategy=below(0))
    wholly = settled(server, updated=2)
    assert images(server) == [NEW, NEW]
    assert wholly["currentRevision"] == wholly["updateRevision"] == partly["updateRevision"]


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_it_is_scaled_from_the_top_and_updated_by_either_policy(server: ApiServer, policy: str) -> None:
    applied(server, replicas=3, podManagementPolicy=policy)
    settled(server, updated=3, replicas=3)
    scale = server.path("statefulsets", "store", below="scale")
    assert server.send("PATCH", scale, {"spec": {"replicas": 1}}, media=MERGE).status_code == 200

    settled(server, updated=1, replicas=1)
    gone = [server.http.get(server.path("pods", f"store-{number}")).status_code for number in (1, 2)]
    applied(server, image=NEW, replicas=1, podManagementPolicy=policy)
    settled(server, updated=1, replicas=1)

    assert gone == [404, 404]
    wait_for(lambda: images(server, 1) == [NEW], seconds=30)


def test_pods_of_on_delete_change_when_somebody_deletes_them(server: ApiServer) -> None:
    applied(server, updateStrategy={"type": "OnDelete"})
    settled(server, updated=2)
    applied(server, image=NEW, updateStrategy={"type": "OnDelete"})
    settled(server, updated=0)

    lost(server, "store-0")
    settled(server, updated=1)

    assert images(server) == [NEW, OLD]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"serviceName": "other"}, "spec"),
        ({"podManagementPolicy": "Parallel"}, "spec"),
        ({"podManagementPolicy": "Backwards"}, "spec.podManagementPolicy"),
        ({"updateStrategy": below(-1)}, "spec.updateStrategy.rollingUpdate.partition"),
        (
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}},
            "spec.updateStrategy.rollingUpdate",
        ),
    ],
)
def test_what_is_refused(server: ApiServer, changed: dict[str, Any], field: str) -> None:
    applied(server, replicas=0)

    answer = server.apply("statefulsets", a_set(server, replicas=0, **changed))

    assert answer.status_code == 422, answer.text
    assert field in [cause["field"] for cause in answer.json()["details"]["causes"]]


def lost(server: ApiServer, pod: str) -> None:
    """Delete a pod, and wait for the one in its place."""
    before = _uid(server, pod)
    server.send("DELETE", server.path("pods", pod))
    wait_for(lambda: _uid(server, pod) not in (None, before), seconds=30)


def _uid(server: ApiServer, pod: str) -> str | None:
    answer = server.http.get(server.path("pods", pod))
    return answer.json()["metadata"]["uid"] if answer.status_code == 200 else None
