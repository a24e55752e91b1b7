"""One time-skipping server and one worker for the session; a world for each test."""

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from tests.workflows.world import QUEUE, World, fakes
from workflows.closing import CloseAbandoned
from workflows.rollout import Rollout
from workflows.ticket import ChangeTicket

BIN = Path(sys.executable).parent
WORKFLOWS = [ChangeTicket, Rollout, CloseAbandoned]
BEAT = timedelta(milliseconds=50)
"""A cancelled activity learns of it with its next heartbeat; tests do not wait for the usual one."""


def sandboxed() -> SandboxedWorkflowRunner:
    """Return the runner as the worker has it."""
    passed = SandboxRestrictions.default.with_passthrough_modules(
        "holdpoint.models", "pydantic", "pydantic_core", "annotated_types"
    )
    return SandboxedWorkflowRunner(restrictions=passed)


def a_worker(
    client: Client, *, queue: str = QUEUE, workflows: list[type] | None = None, cached: int = 200
) -> Worker:
    """Return a worker with the real workflows and fake activities."""
    return Worker(
        client,
        task_queue=queue,
        workflows=workflows or WORKFLOWS,
        activities=fakes(),
        workflow_runner=sandboxed(),
        max_cached_workflows=cached,
        default_heartbeat_throttle_interval=BEAT,
        max_heartbeat_throttle_interval=BEAT,
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock skips what nobody is busy in."""
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=pydantic_data_converter,
        test_server_existing_path=str(BIN / "temporal-test-server"),
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
