"""The worker of an embedded stack is the only one: its code takes new tickets, and the open ones with it.

In production versions are set by whoever deploys, and a ticket stays on the code it began with while both
run. Here the old code is gone as soon as Holdpoint was upgraded, so a ticket that stayed on it would wait
for ever.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import structlog
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    SetWorkerDeploymentCurrentVersionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client
from temporalio.client import WorkflowExecution as Listed
from temporalio.service import RPCError, RPCStatusCode

from holdpoint.models.contracts import CHANGE_TICKET, CLOSE_ABANDONED, DEPLOYMENT, ROLLOUT
from holdpoint.models.errors import UpstreamUnavailable

log = structlog.get_logger()

RPC_TIMEOUT = timedelta(seconds=10)
SEEN_WITHIN, SEEN_POLL = 30.0, 0.1
"""Seconds until Temporal has seen our first poll at the latest, and between two tries; it takes about 0.3."""
OURS = (CHANGE_TICKET.name, ROLLOUT.name, CLOSE_ABANDONED.name)


async def make_current(client: Client, build: str) -> None:
    """Let this version take new tickets before anybody polls for it. Raises UpstreamUnavailable."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=DEPLOYMENT,
        build_id=build,
        ignore_missing_task_queues=True,
        allow_no_pollers=True,  # we begin to poll right after it
    )
    try:
        await client.workflow_service.set_worker_deployment_current_version(
            request, retry=True, timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        raise UpstreamUnavailable(f"Temporal refused our worker's version: {error}") from error


async def adopt_open_workflows(client: Client, build: str) -> list[str]:
    """Move what is open on other code to `build`, which must poll by now; return the workflow IDs.

    Raises UpstreamUnavailable, and TimeoutError when Temporal does not see us poll.
    """
    try:
        return [
            found.id
            async for found in _elsewhere(client, build)
            if await _move_when_seen(client, found, build)
        ]
    except RPCError as error:
        raise UpstreamUnavailable(f"Temporal did not move a workflow to our version: {error}") from error


async def _elsewhere(client: Client, build: str) -> AsyncIterator[Listed]:
    """Yield the open workflows that are pinned to other code; one that nobody has run yet is not pinned."""
    kinds = ", ".join(f"'{name}'" for name in OURS)
    query = (
        f"ExecutionStatus = 'Running' AND WorkflowType IN ({kinds}) "
        f"AND TemporalWorkerDeploymentVersion != '{DEPLOYMENT}:{build}'"
    )
    async for found in client.list_workflows(query):
        yield found


async def _move_when_seen(client: Client, found: Listed, build: str) -> bool:
    """Move one workflow; Temporal refuses until it has seen a worker of our version poll."""
    async with asyncio.timeout(SEEN_WITHIN):
        while True:
            try:
                await _move(client, found, build)
            except RPCError as error:
                if error.status == RPCStatusCode.NOT_FOUND:
                    return False  # it ended while we looked
                if error.status != RPCStatusCode.FAILED_PRECONDITION:
                    raise
            else:
                log.warning("workflow.moved", workflow=found.id, build_id=build)
                return True
            # Temporal shows a new worker version some time after it polls, and tells nobody.
            await asyncio.sleep(SEEN_POLL)


async def _move(client: Client, found: Listed, build: str) -> None:
    version = WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build)
    pinned = VersioningOverride.PinnedOverride(
        behavior=VersioningOverride.PINNED_OVERRIDE_BEHAVIOR_PINNED, version=version
    )
    request = UpdateWorkflowExecutionOptionsRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=found.id, run_id=found.run_id),
        workflow_execution_options=WorkflowExecutionOptions(
            versioning_override=VersioningOverride(pinned=pinned)
        ),
        update_mask=FieldMask(paths=["versioning_override"]),
    )
    await client.workflow_service.update_workflow_execution_options(request, timeout=RPC_TIMEOUT)
