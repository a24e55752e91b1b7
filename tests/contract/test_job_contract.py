"""What a `job` step takes for granted of Jobs, held against the sandbox and a real API server."""

from typing import Any

import pytest

from activities.jobs import ended
from tests.contract.conftest import ApiServer
from tests.sandbox.process import wait_for


def a_job(server: ApiServer, *, image: str = "registry.example/migrate:1", **spec: Any) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "migrate", "image": image}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "namespace": server.namespace},
        "spec": {"template": {"spec": pod}, **spec},
    }


def test_a_job_that_runs_is_ended_by_a_deadline_that_is_over(server: ApiServer) -> None:
    long = a_job(server, activeDeadlineSeconds=600, parallelism=0)
    assert server.apply("jobs", long).status_code == 201
    wait_for(lambda: (server.get("jobs", "migrate").get("status") or {}).get("startTime"))

    short = a_job(server, activeDeadlineSeconds=1, parallelism=0)
    answer = server.apply("jobs", short)

    assert answer.status_code == 200, answer.text
    wait_for(lambda: ended(server.get("jobs", "migrate")) == "Failed", seconds=30)
    conditions = server.get("jobs", "migrate")["status"]["conditions"]
    [failed] = [one for one in conditions if one["type"] == "Failed"]
    assert (failed["status"], failed["reason"]) == ("True", "DeadlineExceeded")
    assert failed["message"] == "Job was active longer than specified deadline"


def test_the_template_of_a_job_cannot_be_changed(server: ApiServer) -> None:
    assert server.apply("jobs", a_job(server, parallelism=0)).status_code == 201

    answer = server.apply("jobs", a_job(server, image="registry.example/migrate:2", parallelism=0))

    assert answer.status_code == 422
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == ["spec.template"]


def test_a_job_whose_pods_start_again_for_ever_is_refused(server: ApiServer) -> None:
    job = a_job(server)
    job["spec"]["template"]["spec"]["restartPolicy"] = "Always"

    answer = server.apply("jobs", job)

    assert answer.status_code == 422
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [
        "spec.template.spec.restartPolicy"
    ]


def test_a_job_has_the_same_defaults(server: ApiServer) -> None:
    created = server.apply("jobs", a_job(server, suspend=True)).json()["spec"]

    names = (
        "backoffLimit",
        "completionMode",
        "completions",
        "parallelism",
        "podReplacementPolicy",
        "suspend",
    )
    assert {name: created.get(name) for name in names} == {
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "completions": 1,
        "parallelism": 1,
        "podReplacementPolicy": "TerminatingOrFailed",
        "suspend": True,
    }


@pytest.mark.parametrize("dry", ["All", ""], ids=["dry", "for good"])
def test_a_create_at_a_version_is_a_conflict_where_the_job_is(server: ApiServer, dry: str) -> None:
    job = a_job(server, suspend=True)
    server.apply("jobs", job)
    late = {**job, "metadata": {**job["metadata"], "resourceVersion": "1"}}

    answer = server.apply("jobs", late, **({"dryRun": dry} if dry else {}))

    assert answer.status_code == 409
