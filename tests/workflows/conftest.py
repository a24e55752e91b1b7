"""One time-skipping server and one worker for the session; a world for each test."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkerDeploymentVersion

from holdpoint.models import contracts
from tests.started import started
from tests.workflows.world import PATIENCE, QUEUE, World, fakes
from worker.temporal import sandbox
from workflows.closing import CloseAbandoned
from workflows.rollout import Rollout
from workflows.ticket import ChangeTicket

BIN = Path(sys.executable).parent
WORKFLOWS = [ChangeTicket, Rollout, CloseAbandoned]
SEARCHED = (contracts.SEARCH_SERVICE, contracts.SEARCH_ENVIRONMENT, contracts.SEARCH_PHASE)
FAST = (
    'history.timerProcessorMaxTimeShift="1ms"',
    "history.transferProcessorMaxPollRPS=10000",
    "history.timerProcessorMaxPollRPS=10000",
    "history.visibilityProcessorMaxPollRPS=10000",
    'history.workflowIdReuseMinimalInterval="0s"',
    "limit.historyCount.suggestContinueAsNew=100",
)
"""Without the first four each timer takes a second, and each workflow task 40 ms; the last two let a test
see how a ticket goes on in a new run."""
VERSION = WorkerDeploymentVersion(deployment_name="tests", build_id="1")
BEAT = timedelta(milliseconds=50)
"""A cancelled activity learns of it with its next heartbeat; tests do not wait for the usual one."""


def a_worker(
    client: Client,
    *,
    queue: str = QUEUE,
    workflows: list[type] | None = None,
    cached: int = 200,
    version: WorkerDeploymentVersion | None = None,
) -> Worker:
    """Return a worker with the real workflows and fake activities."""
    versioned = WorkerDeploymentConfig(version=version, use_worker_versioning=True) if version else None
    return Worker(
        client,
        task_queue=queue,
        workflows=workflows or WORKFLOWS,
        activities=fakes(),
        workflow_runner=sandbox(),
        max_cached_workflows=cached,
        deployment_config=versioned,
        default_heartbeat_throttle_interval=BEAT,
        max_heartbeat_throttle_interval=BEAT,
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock skips what nobody is busy in."""
    async with await started(
        lambda: WorkflowEnvironment.start_time_skipping(
            data_converter=pydantic_data_converter,
            test_server_existing_path=str(BIN / "temporal-test-server"),
        )
    ) as env:
        yield env


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worker(env: WorkflowEnvironment) -> AsyncIterator[Worker]:
    """The session's worker."""
    async with a_worker(env.client) as worker:
        yield worker


@pytest_asyncio.fixture(loop_scope="session")
async def world(env: WorkflowEnvironment, worker: Worker) -> AsyncIterator[World]:
    """A ticket's world, against the session's worker."""
    world = World(env)
    yield world
    await world.close()


async def started_live() -> WorkflowEnvironment:
    """Start a real server."""
    return await started(
        lambda: WorkflowEnvironment.start_local(
            data_converter=pydantic_data_converter,
            dev_server_existing_path=str(BIN / "temporal"),
            dev_server_extra_args=[arg for setting in FAST for arg in ("--dynamic-config-value", setting)],
            search_attributes=[SearchAttributeKey.for_keyword(name) for name in SEARCHED],
        )
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def live_env() -> AsyncIterator[WorkflowEnvironment]:
    """A real server in real time: the skipping one loses cancels that meet the end of an activity."""
    async with await started_live() as env:
        yield env


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def live_worker(live_env: WorkflowEnvironment) -> AsyncIterator[Worker]:
    """The worker of the real server."""
    async with a_worker(live_env.client, version=VERSION) as worker:
        await make_current(live_env.client)
        yield worker
    # Open workflows at a worker's end have crashed the interpreter; see worker/main.py.
    await asyncio.sleep(0.3)


@pytest_asyncio.fixture(loop_scope="session")
async def live(live_env: WorkflowEnvironment, live_worker: Worker) -> AsyncIterator[World]:
    """A ticket's world on the real server."""
    world = World(live_env)
    yield world
    await world.end_at_once()


async def make_current(client: Client, version: WorkerDeploymentVersion = VERSION) -> None:
    """Make the tests' version current: nothing is handed out before. It exists from its first poll on."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=version.deployment_name,
        build_id=version.build_id,
        ignore_missing_task_queues=True,
    )
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await client.workflow_service.set_worker_deployment_current_version(request)
            except RPCError:
                # The version exists from the first poll on, which the server does not announce.
                await asyncio.sleep(0.05)
            else:
                return
