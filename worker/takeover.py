"""The worker of an embedded stack is the only one: its code takes new tickets, and the open ones with it.

In production versions are set by whoever deploys, and a ticket stays on the code it began with while both
run. Here the old code is gone as soon as Holdpoint was upgraded, so a ticket that stayed on it would wait
for ever.
"""

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
from worker.versioning import build_id

log = structlog.get_logger()

RPC_TIMEOUT = timedelta(seconds=10)
OURS = (CHANGE_TICKET.name, ROLLOUT.name, CLOSE_ABANDONED.name)


async def take_over(client: Client) -> None:
    """Make this code's version the current one and move open workflows to it. Raises UpstreamUnavailable."""
    try:
        await _make_current(client)
        async for found in _elsewhere(client):
            await _move(client, found)
            log.warning("workflow.moved", workflow=found.id, build_id=build_id())
    except RPCError as error:
        raise UpstreamUnavailable(f"Temporal refused our worker's version: {error}") from error


async def _make_current(client: Client) -> None:
    await client.workflow_service.set_worker_deployment_current_version(
        SetWorkerDeploymentCurrentVersionRequest(
            namespace=client.namespace,
            deployment_name=DEPLOYMENT,
            build_id=build_id(),
            ignore_missing_task_queues=True,
            allow_no_pollers=True,  # we begin to poll right after it
        ),
        retry=True,
        timeout=RPC_TIMEOUT,
    )


async def _elsewhere(client: Client) -> AsyncIterator[Listed]:
    """Yield the open workflows that are pinned to other code; one that nobody has run yet is not pinned."""
    kinds = ", ".join(f"'{name}'" for name in OURS)
    async for found in client.list_workflows(f"ExecutionStatus = 'Running' AND WorkflowType IN ({kinds})"):
        pinned = found.raw_info.versioning_info.deployment_version.build_id
        if pinned and pinned != build_id():
            yield found


async def _move(client: Client, found: Listed) -> None:
    version = WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build_id())
    pinned = VersioningOverride.PinnedOverride(
        behavior=VersioningOverride.PINNED_OVERRIDE_BEHAVIOR_PINNED, version=version
    )
    try:
        await client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=found.id, run_id=found.run_id),
                workflow_execution_options=WorkflowExecutionOptions(
                    versioning_override=VersioningOverride(pinned=pinned)
                ),
                update_mask=FieldMask(paths=["versioning_override"]),
            ),
            retry=True,
            timeout=RPC_TIMEOUT,
        )
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:  # it ended while we looked
            raise
