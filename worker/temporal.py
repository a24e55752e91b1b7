"""How we speak to Temporal: one client, one data converter, and the worker that runs our code."""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.worker import Interceptor, Worker, WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from holdpoint.models.contracts import TASK_QUEUE
from holdpoint.models.errors import SettingsError, UpstreamUnavailable
from worker.versioning import deployment

PASSED_THROUGH = ("holdpoint.models", "pydantic", "pydantic_core", "annotated_types")
"""Pure data, safe to share with the sandbox: 15 ms a workflow instead of 50."""

CONNECT_SECONDS = 10.0
"""The SDK bounds the TCP connection only: a server that accepts it and stays silent would be waited for."""

STICKY = timedelta(seconds=1)
"""After a SIGKILL its cached workflows move on this much later; the default of 10 s would be felt in a
canary. A worker that is only busy for so long has the workflow replayed by another: milliseconds of work."""

HEARTBEAT_THROTTLE = timedelta(seconds=0.5)
"""A beat is held back for so long after the last: less than activities beat (activities/beat.py), so that
each is sent, and the short heartbeat timeouts (workflows/limits.py) can hold."""


ACTIVITIES = 500
"""Activities at once. Most of them wait: a canary that is judged has one that sleeps between its questions, a
step one that waits for pods. The SDK's own 100 would keep the undo of a hundred and first waiting behind
them."""


WORKFLOW_TASKS = 10
"""Workflow tasks at once, of the SDK's 100. Python runs one at a time anyway, and the SDK makes a workflow's
sandbox (5 to 15 ms) on the very loop that beats for the activities: a burst of a hundred would keep it from
beating for seconds on a loaded machine. What waits on the server, any worker takes; what a worker has taken
when it is killed comes back only when the 10 s of a task are over."""


CACHED = 300
"""Workflows kept in memory between two of their tasks. One costs 0.2 to 0.3 MB, much of it its own copy of
our modules in the sandbox; the SDK would keep 1,000 that only wait. One that is not kept is replayed from its
history when something happens to it."""


class Runner(SandboxedWorkflowRunner):
    """The SDK's sandbox, not entered anew for each payload to ask for a context that no converter looks at.

    Neither our data converter nor our codec is one of the SDK's `WithSerializationContext`. It was a twelfth
    of a worker's CPU.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Return the SDK's own instance, without contexts."""
        instance = super().create_instance(det)
        instance.get_serialization_context = _no_context  # type: ignore[method-assign]
        return instance


def _no_context(command_info: object) -> None:
    return None


async def connect(
    address: str,
    namespace: str,
    converter: DataConverter = pydantic_data_converter,
    *,
    interceptors: Sequence[ClientInterceptor] = (),
    runtime: Runtime | None = None,
) -> Client:
    """Return a client. Raises UpstreamUnavailable, which names the address."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await Client.connect(
                address,
                namespace=namespace,
                data_converter=converter,
                interceptors=interceptors,
                runtime=runtime,
            )
    except TimeoutError as error:
        raise UpstreamUnavailable(
            f"Temporal at {address} did not answer within {CONNECT_SECONDS:g} s."
        ) from error
    except (RuntimeError, RPCError) as error:
        raise UpstreamUnavailable(f"Temporal at {address} does not answer: {error}") from error


def measured_runtime(address: str | None) -> Runtime | None:
    """Return a runtime that shows the SDK's own metrics there, or None. Raises SettingsError."""
    if address is None:
        return None
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=address)))
    except (RuntimeError, ValueError) as error:
        raise SettingsError(f"sdk_metrics_address: cannot listen on {address}: {error}.") from error


def identity(process: int) -> str:
    """Return how a worker process is called in Temporal's pages; `up` finds it ready by this name."""
    return f"holdpoint-worker/{process}@{socket.gethostname()}"


def sandbox() -> SandboxedWorkflowRunner:
    """Return what runs our workflows."""
    return Runner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


def build_worker(
    client: Client,
    *,
    workflows: Sequence[type],
    activities: Sequence[Callable[..., Any]],
    interceptors: Sequence[Interceptor],
    build: str,
    drain: float = 5.0,
) -> Worker:
    """Return the worker of our task queue: versioned, sandboxed, draining at its shutdown.

    `drain`, in seconds, is what running activities get to end by themselves; then they are cancelled and
    tried elsewhere.
    """
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=workflows,
        activities=activities,
        interceptors=interceptors,
        workflow_runner=sandbox(),
        deployment_config=deployment(build),
        identity=identity(os.getpid()),
        max_concurrent_activities=ACTIVITIES,
        max_concurrent_workflow_tasks=WORKFLOW_TASKS,
        max_cached_workflows=CACHED,
        graceful_shutdown_timeout=timedelta(seconds=drain),
        sticky_queue_schedule_to_start_timeout=STICKY,
        default_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
    )
