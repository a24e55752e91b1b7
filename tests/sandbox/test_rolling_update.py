"""Deployments roll from template to template within their bounds, and tell when they cannot."""

from typing import Any

from tests.sandbox.process import Sandbox, a_deployment, path_of, wait_for

PODS = "/api/v1/namespaces/default/pods"


def pods_of(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    """Return the pods of a Deployment that are not about to go."""
    answer = sandbox.send("GET", PODS, params={"labelSelector": f"app={name}"})
    return [pod for pod in answer.json()["items"] if "deletionTimestamp" not in pod["metadata"]]


def ready(pods: list[dict[str, Any]]) -> int:
    """Return how many pods are ready."""
    conditions = [c for pod in pods for c in pod["status"].get("conditions", [])]
    return sum(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def condition(body: dict[str, Any], kind: str) -> tuple[str, str]:
    """Return status and reason of a condition."""
    found = next(c for c in body["status"]["conditions"] if c["type"] == kind)
    return found["status"], found["reason"]


def test_pods_become_ready_a_moment_after_they_are_made(sandbox: Sandbox) -> None:
    path = path_of(a_deployment("fresh"))
    sandbox.apply(a_deployment("fresh"))

    wait_for(lambda: len(pods_of(sandbox, "fresh")) == 2)
    assert ready(pods_of(sandbox, "fresh")) == 0
    body = sandbox.deployed(path)

    assert ready(pods_of(sandbox, "fresh")) == 2
    assert condition(body, "Available") == ("True", "MinimumReplicasAvailable")
    assert condition(body, "Progressing") == ("True", "NewReplicaSetAvailable")
    assert "unavailableReplicas" not in body["status"]


def test_a_rolling_update_keeps_surge_and_availability(sandbox: Sandbox) -> None:
    rolling = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    before = a_deployment("roll", replicas=6, strategy=rolling)
    sandbox.apply(before)
    sandbox.deployed(path_of(before))

    sandbox.apply(a_deployment("roll", image="roll:2", replicas=6, strategy=rolling))
    seen: list[tuple[int, int]] = []
    wait_for(lambda: rolled(sandbox, "roll", "roll:2", seen), seconds=20)

    assert max(total for total, _ in seen) <= 7
    assert min(available for _, available in seen) >= 5
    assert len(set(seen)) > 1


def rolled(sandbox: Sandbox, name: str, image: str, seen: list[tuple[int, int]]) -> bool:
    """Note totals and ready pods; tell whether only ready pods of the image are left."""
    pods = pods_of(sandbox, name)
    seen.append((len(pods), ready(pods)))
    images = {pod["spec"]["containers"][0]["image"] for pod in pods}
    return images == {image} and ready(pods) == len(pods) == 6


def test_recreate_ends_the_old_pods_first(sandbox: Sandbox) -> None:
    before = a_deployment("again", strategy={"type": "Recreate"})
    sandbox.apply(before)
    sandbox.deployed(path_of(before))
    seen: set[frozenset[str]] = set()

    def look() -> bool:
        pods = pods_of(sandbox, "again")
        images = frozenset(pod["spec"]["containers"][0]["image"] for pod in pods)
        seen.add(images)
        return images == {"again:2"} and ready(pods) == 2

    sandbox.apply(a_deployment("again", image="again:2", strategy={"type": "Recreate"}))
    wait_for(look)

    assert frozenset({"web:1", "again:2"}) not in seen


def test_going_back_reuses_the_replica_set_under_a_new_number(sandbox: Sandbox) -> None:
    path = path_of(a_deployment("back"))
    for image in ("back:1", "back:2", "back:1"):
        sandbox.apply(a_deployment("back", image=image))
        body = sandbox.deployed(path)

    sets = sandbox.send(
        "GET", "/apis/apps/v1/namespaces/default/replicasets", params={"labelSelector": "app=back"}
    )
    revision = "deployment.kubernetes.io/revision"
    numbers = {
        s["spec"]["template"]["spec"]["containers"][0]["image"]: s["metadata"]["annotations"][revision]
        for s in sets.json()["items"]
    }
    assert numbers == {"back:1": "3", "back:2": "2"}
    assert body["metadata"]["annotations"][revision] == "3"


def test_old_replica_sets_beyond_the_history_go(sandbox: Sandbox) -> None:
    for image in ("short:1", "short:2", "short:3"):
        sandbox.apply(a_deployment("short", image=image, revisionHistoryLimit=1))
        sandbox.deployed(path_of(a_deployment("short")))

    def images() -> set[str]:
        params = {"labelSelector": "app=short"}
        answer = sandbox.send("GET", "/apis/apps/v1/namespaces/default/replicasets", params=params)
        return {s["spec"]["template"]["spec"]["containers"][0]["image"] for s in answer.json()["items"]}

    wait_for(lambda: images() == {"short:2", "short:3"})


def test_scaling_moves_pods_and_a_deleted_pod_comes_back(sandbox: Sandbox) -> None:
    path = path_of(a_deployment("size"))
    sandbox.apply(a_deployment("size", replicas=3))
    sandbox.deployed(path)
    sandbox.merge(path, {"spec": {"replicas": 1}})
    sandbox.deployed(path)
    (only,) = pods_of(sandbox, "size")

    sandbox.send("DELETE", f"{PODS}/{only['metadata']['name']}")

    wait_for(
        lambda: (
            [p["metadata"]["name"] for p in pods_of(sandbox, "size")] not in ([], [only["metadata"]["name"]])
        )
    )
    sandbox.deployed(path)


def test_minimum_ready_time_is_waited_for(sandbox: Sandbox) -> None:
    body = a_deployment("wait", minReadySeconds=1)
    sandbox.apply(body)

    seen = wait_for(
        lambda: sandbox.get(path_of(body))["status"].get("readyReplicas") and sandbox.get(path_of(body))
    )

    assert "availableReplicas" not in seen["status"]
    sandbox.deployed(path_of(body))


def test_pods_that_never_become_ready_exceed_the_deadline(sandbox: Sandbox) -> None:
    sandbox.steer("behave", image="dud:2", never_ready=True)
    before = a_deployment("dud", image="dud:1", replicas=4, progressDeadlineSeconds=1)
    sandbox.apply(before)
    sandbox.deployed(path_of(before))

    sandbox.apply(a_deployment("dud", image="dud:2", replicas=4, progressDeadlineSeconds=1))
    exceeded = ("False", "ProgressDeadlineExceeded")
    wait_for(lambda: condition(sandbox.get(path_of(before)), "Progressing") == exceeded)

    body = sandbox.get(path_of(before))
    assert body["status"]["readyReplicas"] == 3
    assert condition(body, "Available") == ("True", "MinimumReplicasAvailable")
    sandbox.steer("behave", image="dud:2")
    sandbox.deployed(path_of(before))


def test_a_paused_deployment_does_not_roll(sandbox: Sandbox) -> None:
    path = path_of(a_deployment("still"))
    sandbox.apply(a_deployment("still"))
    sandbox.deployed(path)

    sandbox.apply(a_deployment("still", image="still:2", paused=True))
    wait_for(lambda: sandbox.get(path)["status"]["observedGeneration"] == 2)
    assert {p["spec"]["containers"][0]["image"] for p in pods_of(sandbox, "still")} == {"web:1"}
    sandbox.apply(a_deployment("still", image="still:2"))

    sandbox.deployed(path)


def test_a_paused_deployment_is_scaled(sandbox: Sandbox) -> None:
    body = a_deployment("held", replicas=1)
    sandbox.apply(body)
    sandbox.deployed(path_of(body))

    sandbox.apply(a_deployment("held", replicas=3, paused=True))

    sandbox.deployed(path_of(body))


def test_the_current_replica_set_takes_the_annotations(sandbox: Sandbox) -> None:
    body = a_deployment("noted", replicas=4)
    body["metadata"]["annotations"] = {"team": "web"}
    sandbox.apply(body)
    sandbox.deployed(path_of(body))

    params = {"labelSelector": "app=noted"}
    answer = sandbox.send("GET", "/apis/apps/v1/namespaces/default/replicasets", params=params)
    (current,) = answer.json()["items"]
    assert current["metadata"]["annotations"] == {
        "team": "web",
        "deployment.kubernetes.io/desired-replicas": "4",
        "deployment.kubernetes.io/max-replicas": "5",
        "deployment.kubernetes.io/revision": "1",
    }


def test_a_deleted_namespace_takes_everything_with_it(sandbox: Sandbox) -> None:
    sandbox.send("POST", "/api/v1/namespaces", body={"metadata": {"name": "brief"}})
    body = a_deployment("web")
    body["metadata"]["namespace"] = "brief"
    sandbox.apply(body)

    sandbox.send("DELETE", "/api/v1/namespaces/brief")

    wait_for(lambda: sandbox.send("GET", "/api/v1/namespaces/brief").status_code == 404)
    assert sandbox.send("GET", "/api/v1/pods", params={"labelSelector": "app=web"}).json()["items"] == []
