"""Jobs in the sandbox: they run for a moment, end as their image does, and are removed in time."""

from typing import Any

import pytest

from tests.sandbox.process import Sandbox, wait_for

JOBS = "/apis/batch/v1/namespaces/default/jobs"


def a_job(name: str, image: str = "registry.example/migrate:1", **spec: Any) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "migrate", "image": image}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"metadata": {"labels": {"app": "shop"}}, "spec": pod}, **spec},
    }


def made(sandbox: Sandbox, job: dict[str, Any]) -> str:
    """Make a Job and return its path."""
    answer = sandbox.send("POST", JOBS, body=job)
    assert answer.status_code == 201, answer.text
    return f"{JOBS}/{job['metadata']['name']}"


def ending(sandbox: Sandbox, path: str) -> dict[str, Any]:
    """Wait for a Job's end and return its condition."""
    found = wait_for(lambda: (sandbox.get(path).get("status") or {}).get("conditions"))
    condition: dict[str, Any] = found[0]
    return condition


def pods_of(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    path = f"/api/v1/namespaces/default/pods?labelSelector=job-name={name}"
    found: list[dict[str, Any]] = sandbox.get(path)["items"]
    return found


def test_a_job_runs_one_pod_and_is_complete(sandbox: Sandbox) -> None:
    path = made(sandbox, a_job("good"))

    condition = ending(sandbox, path)

    assert (condition["type"], condition["status"]) == ("Complete", "True")
    assert sandbox.get(path)["status"]["succeeded"] == 1
    [pod] = pods_of(sandbox, "good")
    assert (pod["status"]["phase"], pod["metadata"]["labels"]["app"]) == ("Succeeded", "shop")


def test_an_image_of_which_every_request_fails_fails_its_jobs(sandbox: Sandbox) -> None:
    sandbox.steer("behave", image="registry.example/migrate:bad", error_rate=1)
    path = made(sandbox, a_job("bad", "registry.example/migrate:bad"))

    condition = ending(sandbox, path)

    assert (condition["type"], condition["reason"]) == ("Failed", "BackoffLimitExceeded")
    [pod] = pods_of(sandbox, "bad")
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1


@pytest.mark.parametrize("given", ["at first", "later"])
def test_a_job_without_an_end_fails_at_its_deadline(sandbox: Sandbox, given: str) -> None:
    sandbox.steer("behave", image="registry.example/migrate:stuck", never_ready=True)
    name = given.replace(" ", "-")
    bounds = {"activeDeadlineSeconds": 1} if given == "at first" else {}
    path = made(sandbox, a_job(name, "registry.example/migrate:stuck", **bounds))
    if given == "later":
        wait_for(lambda: (sandbox.get(path).get("status") or {}).get("active"))
        sandbox.merge(path, {"spec": {"activeDeadlineSeconds": 1}})

    assert ending(sandbox, path)["reason"] == "DeadlineExceeded"


def test_a_suspended_job_does_not_run(sandbox: Sandbox) -> None:
    waits = made(sandbox, a_job("waits", suspend=True))
    other = made(sandbox, a_job("runs"))

    ending(sandbox, other)

    assert not sandbox.get(waits).get("status")


def test_a_job_that_has_ended_is_removed_with_its_pod_when_its_time_is_over(sandbox: Sandbox) -> None:
    path = made(sandbox, a_job("brief", ttlSecondsAfterFinished=0))

    wait_for(lambda: sandbox.send("GET", path).status_code == 404)

    wait_for(lambda: not pods_of(sandbox, "brief"))
