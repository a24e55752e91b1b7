"""Tickets whose payloads are encrypted, on a real server: keys change under them, and keys are missing."""

import asyncio
import base64
import os
import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from shutil import copyfile
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkerDeploymentVersion

from activities.history import fetch_history
from holdpoint.clients.payloads import data_converter
from holdpoint.models import contracts
from holdpoint.models.contracts import ticket_workflow
from holdpoint.models.phases import Phase
from tests.workflows.builders import a_start, an_apply, an_approval, an_evaluation
from tests.workflows.conftest import WORKFLOWS, a_worker, make_current
from tests.workflows.world import World, fakes
from worker.temporal import sandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")
ONE = WorkerDeploymentVersion("rotation", "1")
AFTER_THE_WORKER = 0.3
"""Seconds, as in worker/main.py: open workflows at a worker's end have crashed the interpreter."""


def a_folder(folder: Path, *keys: str) -> Path:
    folder.mkdir()
    for key in keys:
        (folder / f"{key}.key").write_bytes(os.urandom(32))
    return folder


def speaking(env: WorkflowEnvironment, folder: Path, key: str) -> Client:
    """Return a client of the same server that writes with a key of this folder."""
    config: Any = {**env.client.config(), "data_converter": data_converter(folder, key)}
    return Client(**config)


def a_world(client: Client, queue: str) -> World:
    stands_in: Any = SimpleNamespace(client=client)  # a world asks its server for nothing else here
    return World(stands_in, queue)


async def raw_history(env: WorkflowEnvironment, ticket: str) -> str:
    history = await env.client.get_workflow_handle(ticket_workflow(ticket)).fetch_history()
    return history.to_json()


async def test_a_ticket_that_began_under_one_key_ends_under_the_next(
    live_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    folder = a_folder(tmp_path / "keys", "k1", "k2")
    before, after = speaking(live_env, folder, "k1"), speaking(live_env, folder, "k2")
    world = a_world(before, "rotation")
    world.answers["evaluate"] = an_evaluation(plan=[an_apply()], approvals=1)
    async with a_worker(before, queue="rotation", cached=0, version=ONE):
        await make_current(live_env.client, ONE)
        await world.submit(verify=0.2)
        await world.enters(Phase.AWAITING_APPROVAL)
    await asyncio.sleep(AFTER_THE_WORKER)

    async with a_worker(after, queue="rotation", cached=0, version=ONE):
        update = contracts.APPROVE
        await after.get_workflow_handle(ticket_workflow(world.ticket)).execute_update(
            update.name, an_approval(), result_type=update.result
        )
        ended = await world.ends()

    raw = await raw_history(live_env, world.ticket)
    assert ended is Phase.SUCCEEDED
    assert all(_coded(key) in raw for key in ("k1", "k2"))
    written = [base64.b64decode(data) for data in re.findall(r'"data": ?"([^"]+)"', raw)]
    assert written
    assert not any(a_start(world.ticket).title.encode() in data for data in written)
    [ticket, *rollouts] = await fetch_history(after, world.ticket, ticket_workflow(world.ticket), _run(world))
    assert rollouts
    assert "binary/encrypted" not in str(ticket)
    assert a_start(world.ticket).title in str(ticket)


async def test_without_its_key_a_ticket_waits_and_goes_on_when_the_key_is_there(
    live_env: WorkflowEnvironment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    both, lacking = a_folder(tmp_path / "both", "k1", "k2"), a_folder(tmp_path / "lacking")
    copyfile(both / "k2.key", lacking / "k2.key")
    client = speaking(live_env, both, "k1")
    world = a_world(client, "lacking")
    world.answers["evaluate"] = an_evaluation(deny=["no"])
    start = a_start(world.ticket)
    version = WorkerDeploymentVersion("lacking", "1")
    # Temporal hands a failed workflow task out again after its time limit, 10 s by default.
    begin = partial(
        client.start_workflow,
        contracts.CHANGE_TICKET.name,
        start,
        id=ticket_workflow(world.ticket),
        task_queue="lacking",
        result_type=Phase,
        task_timeout=timedelta(seconds=1),
    )

    async with a_worker(speaking(live_env, lacking, "k2"), queue="lacking", version=version):
        await make_current(live_env.client, version)
        handle = await begin()
        async with asyncio.timeout(10):
            while "payload key k1 cannot be read" not in caplog.text:  # noqa: ASYNC110  # a log wakes nobody
                await asyncio.sleep(0.05)
        copyfile(both / "k1.key", lacking / "k1.key")
        ended = await asyncio.wait_for(handle.result(), 20)

    assert ended is Phase.REJECTED


async def test_an_activity_worker_without_the_key_holds_the_ticket_and_says_so(
    live_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    both, lacking = a_folder(tmp_path / "both", "k1", "k2"), a_folder(tmp_path / "lacking")
    copyfile(both / "k2.key", lacking / "k2.key")
    client = speaking(live_env, both, "k1")
    world = a_world(client, "activities")
    world.answers["evaluate"] = an_evaluation(deny=["no"])
    version = WorkerDeploymentVersion("activities", "1")
    common: Any = {"task_queue": "activities", "deployment_config": WorkerDeploymentConfig(version, True)}
    decides = Worker(client, workflows=WORKFLOWS, workflow_runner=sandbox(), **common)
    acts = Worker(speaking(live_env, lacking, "k2"), activities=fakes(), **common)

    async with decides, acts:
        await make_current(live_env.client, version)
        await world.submit()
        async with asyncio.timeout(20):
            while not (holds := (await world.state()).holds):  # noqa: ASYNC110  # no activity runs to tell of it
                await asyncio.sleep(0.1)
        copyfile(both / "k1.key", lacking / "k1.key")
        ended = await world.ends()

    assert [hold.code.value for hold in holds] == ["payload_key"]
    assert "payload key k1 cannot be read" in holds[0].message
    assert ended is Phase.REJECTED


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _run(world: World) -> str:
    run = world.handles[0].first_execution_run_id
    assert run is not None
    return run
