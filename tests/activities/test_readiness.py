"""Ready means what `kubectl rollout status` means; what never will be is said at once."""

from typing import Any

import pytest

from activities.readiness import patience_of, readiness, wait_ready
from holdpoint.models.errors import UpstreamRateLimited
from holdpoint.models.record import ObjectRef

REF = ObjectRef(cluster="eu", api_version="v1", kind="ConfigMap", namespace="prod", name="x")

DONE = {
    "observedGeneration": 2,
    "replicas": 2,
    "updatedReplicas": 2,
    "readyReplicas": 2,
    "availableReplicas": 2,
}
TIMED_OUT = [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "has timed out"}]
REVISION = {"updateRevision": "b", "currentRevision": "b"}
SCHEDULED = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}


@pytest.mark.parametrize(
    ("kind", "status", "ready", "failed"),
    [
        pytest.param("Deployment", DONE, True, False, id="all there"),
        pytest.param("Deployment", {}, False, False, id="no status yet"),
        pytest.param(
            "Deployment", {**DONE, "observedGeneration": 1}, False, False, id="status of the version before"
        ),
        pytest.param("Deployment", {**DONE, "replicas": 3}, False, False, id="old pods are left"),
        pytest.param("Deployment", {**DONE, "updatedReplicas": 1}, False, False, id="half updated"),
        pytest.param(
            "Deployment", {**DONE, "availableReplicas": 1}, False, False, id="one not yet available"
        ),
        pytest.param(
            "Deployment", {**DONE, "conditions": TIMED_OUT}, False, True, id="given up by its controller"
        ),
        pytest.param("StatefulSet", {**DONE, **REVISION}, True, False, id="stateful and all there"),
        pytest.param(
            "StatefulSet",
            {**DONE, "updateRevision": "c", "updatedReplicas": 1},
            False,
            False,
            id="stateful, half",
        ),
        pytest.param("DaemonSet", {**DONE, **SCHEDULED}, True, False, id="on every node"),
        pytest.param(
            "DaemonSet", {**DONE, **SCHEDULED, "numberAvailable": 2}, False, False, id="on some nodes"
        ),
        pytest.param(
            "Job", {"conditions": [{"type": "Complete", "status": "True"}]}, True, False, id="job done"
        ),
        pytest.param(
            "Job", {"conditions": [{"type": "Failed", "status": "True"}]}, False, True, id="job failed"
        ),
        pytest.param("Job", {"active": 1}, False, False, id="job at work"),
        pytest.param("ConfigMap", {}, True, False, id="no workload"),
    ],
)
def test_readiness(kind: str, status: dict[str, Any], ready: bool, failed: bool) -> None:
    body = {
        "kind": kind,
        "metadata": {"name": "x", "generation": 2},
        "spec": {"replicas": 2},
        "status": status,
    }

    found = readiness(body)

    assert (found.ready, found.failed) == (ready, failed)


@pytest.mark.parametrize("given_up", [False, True])
def test_pods_that_the_api_server_refuses_are_told_with_its_reason(given_up: bool) -> None:
    said = 'pods "x-1" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=1, limited: pods=1'
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said}
    body = {
        "kind": "Deployment",
        "metadata": {"name": "x", "generation": 2},
        "spec": {"replicas": 2},
        "status": {**DONE, "updatedReplicas": 1, "conditions": [refused, *(TIMED_OUT if given_up else [])]},
    }

    found = readiness(body)

    assert found.failed == given_up
    assert found.message.endswith(f"; FailedCreate: {said}")


@pytest.mark.parametrize(
    ("strategy", "updated", "ready", "done"),
    [
        pytest.param({"rollingUpdate": {"partition": 2}}, 1, 3, True, id="all above the partition"),
        pytest.param({"rollingUpdate": {"partition": 1}}, 1, 3, False, id="one above it is old"),
        pytest.param({"rollingUpdate": {"partition": 2}}, 1, 2, False, id="one below it is not ready"),
        pytest.param({"rollingUpdate": {"partition": 9}}, 0, 3, True, id="a partition beyond them all"),
        pytest.param({"type": "OnDelete"}, 0, 3, True, id="changed when somebody deletes them"),
        pytest.param({"type": "OnDelete"}, 0, 2, False, id="so, and one is not ready"),
    ],
)
def test_pods_of_a_stateful_set_that_keep_what_they_run_are_not_waited_for(
    strategy: dict[str, Any], updated: int, ready: int, done: bool
) -> None:
    status = {"observedGeneration": 2, "updateRevision": "b", "currentRevision": "a"}
    body = {
        "kind": "StatefulSet",
        "metadata": {"name": "x", "generation": 2},
        "spec": {"replicas": 3, "updateStrategy": strategy},
        "status": {**status, "updatedReplicas": updated, "readyReplicas": ready},
    }

    assert readiness(body).ready == done


def test_manifest_may_state_its_own_patience() -> None:
    assert patience_of({"spec": {"progressDeadlineSeconds": 7}}) == 7
    assert patience_of({"spec": {}}) == 120


class BusyCluster:
    """An API server that asks for a pause some times, and then says that all is there."""

    def __init__(self, times: int) -> None:
        self.times, self.asked = times, 0

    async def read(self, ref: ObjectRef) -> dict[str, Any]:
        self.asked += 1
        if self.asked <= self.times:
            raise UpstreamRateLimited("Too many requests", retry_after=0.01)
        return {"kind": "ConfigMap", "metadata": {"name": "x"}}


async def test_pause_that_a_busy_server_asks_for_is_made() -> None:
    cluster: Any = BusyCluster(times=1)

    assert (await wait_ready(cluster, REF, patience=0)).ready


async def test_server_that_stays_busy_is_an_outage_and_no_failed_rollout() -> None:
    cluster: Any = BusyCluster(times=9)

    with pytest.raises(UpstreamRateLimited):
        await wait_ready(cluster, REF, patience=0)
