"""A Job runs once on a real control plane, with exactly the rights that are shipped.

The nodes end the pods of a Job at once. One that selects a node which is not there stays until the test
writes its status, as a kubelet would.
"""

import asyncio
from typing import Any

import pytest

from tests.activities.test_job import BACK, RUN, UP, job, live
from tests.activities.world import until
from tests.real.kubernetes_admin import MERGE
from tests.real.kubernetes_world import RealWorld

pytestmark = pytest.mark.real

STEP = {"job": {"name": "migrate", "timeout": "60s", "undo": {"name": "migrate-down"}}}


async def with_job(world: RealWorld, *, waits: bool = False) -> None:
    up = job("migrate", UP, backoffLimit=0)
    if waits:
        up["spec"]["template"]["spec"]["nodeSelector"] = {"there": "is-none"}
    await world.submit("chg-2", up, job("migrate-down", UP), steps=[STEP])
    await world.begin()


async def pods_of(world: RealWorld, name: str) -> list[dict[str, Any]]:
    return await world.clusters.forward("sandbox").list("v1", "Pod", world.namespace, f"job-name={name}")


async def pod_fails(world: RealWorld, name: str) -> None:
    """Fail the pod of a Job as soon as there is one."""
    await until(lambda: pods_of(world, name), 30)
    [pod] = await pods_of(world, name)
    over = {"exitCode": 3, "reason": "Error", "message": "no such table"}
    container = {"name": "migrate", "image": UP, "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": "Failed", "containerStatuses": [{**container, "state": {"terminated": over}}]}
    path = f"/api/v1/namespaces/{world.namespace}/pods/{pod['metadata']['name']}/status"
    answer = world.admin.http.patch(path, json={"status": status}, headers={"Content-Type": MERGE})
    assert answer.status_code == 200, answer.text


async def jobs(world: RealWorld) -> list[str]:
    path = f"/apis/batch/v1/namespaces/{world.namespace}/jobs"
    return sorted(item["metadata"]["name"] for item in world.admin.http.get(path).json()["items"])


async def test_job_is_waited_for_by_a_second_attempt_and_taken_back_once(world: RealWorld) -> None:
    await with_job(world)
    await world.dies_after_sending()
    world.activities = world.again()

    outcome = await world.finish_step()
    undone, again = await world.undo(), await world.undo()
    compared = await world.compare()

    assert outcome.status == "done"
    assert (undone.message, undone.complete, again.complete) == ("", True, True)
    assert (compared.result, compared.differences) == ("restored", [])
    assert await jobs(world) == [RUN, BACK]


async def test_failed_job_says_its_last_words(world: RealWorld) -> None:
    await with_job(world, waits=True)

    outcome, _ = await asyncio.gather(world.finish_step(), pod_fails(world, RUN))

    assert outcome.reason is not None
    assert "BackoffLimitExceeded" in outcome.reason.message
    assert "migrate exited with 3 (Error): no such table" in outcome.reason.message


async def test_undo_ends_a_job_that_half_ran_before_it_takes_it_back(world: RealWorld) -> None:
    await with_job(world, waits=True)
    await world.dies_after_sending()

    undone = await world.undo()

    assert (undone.message, undone.complete) == ("", True)
    found = await live(world, RUN)
    assert found is not None
    [failed] = [one for one in found["status"]["conditions"] if one["type"] == "Failed"]
    assert failed["reason"] == "DeadlineExceeded"
    assert (await world.compare()).result == "restored"
