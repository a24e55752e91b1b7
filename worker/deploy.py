"""`holdpoint worker --make-current`: the last step of a deploy, made once, from the new release.

New tickets go to the current version; an open ticket stays on the version that it began with, whose workers
must run until it has drained. It is a step of its own because a worker that is only restarted, of whatever
version, must never change where new tickets go.
"""

import asyncio
from datetime import timedelta
from typing import Literal

import structlog
from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.enums.v1 import VersionDrainageStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from holdpoint.models.base import Model
from holdpoint.models.contracts import DEPLOYMENT
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.settings import Settings
from worker.temporal import connect
from worker.versioning import build_of

log = structlog.get_logger()

RPC_TIMEOUT = timedelta(seconds=10)
SEEN_WITHIN, SEEN_POLL = 300.0, 0.5
"""Seconds until a worker of the new version must have polled, and between two looks: images are pulled
meanwhile."""
NOT_YET = (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION)

Drainage = Literal["draining", "drained", "unknown"]


class OtherVersion(Model):
    """A version that takes no new tickets: its workers may be stopped once it has drained."""

    build_id: str
    drainage: Drainage


class Deployed(Model):
    """Which version takes new tickets now, and how the others stand."""

    build_id: str
    before: str | None
    others: list[OtherVersion]


async def deploy(settings: Settings) -> Deployed:
    """Make the version of these settings the current one, once a worker of it polls.

    Raises UpstreamUnavailable, when Temporal does not answer or no such worker has come.
    """
    client = await connect(settings.temporal_address, settings.temporal_namespace)
    return await switch(client, build_of(settings))


async def switch(client: Client, build: str, *, within: float = SEEN_WITHIN) -> Deployed:
    """Make `build` current as soon as Temporal has seen a worker of it. Raises UpstreamUnavailable."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=DEPLOYMENT, build_id=build
    )
    try:
        async with asyncio.timeout(within):
            before = await _when_seen(client, request)
    except TimeoutError as error:
        raise UpstreamUnavailable(
            f"No worker of version {build} has asked Temporal for work in {within:.0f} s. Start one of this "
            "release first; its log says worker.started with its build_id."
        ) from error
    log.info("version.current", build_id=build, before=before)
    return Deployed(build_id=build, before=before or None, others=await _others(client, build))


async def _when_seen(client: Client, request: SetWorkerDeploymentCurrentVersionRequest) -> str:
    while True:
        before = await _set(client, request)
        if before is not None:
            return before
        await asyncio.sleep(SEEN_POLL)  # Temporal tells nobody when a version first polls, so it is asked


async def _set(client: Client, request: SetWorkerDeploymentCurrentVersionRequest) -> str | None:
    """Return the build ID that was current before, perhaps empty; None while the version is unknown."""
    try:
        answer = await client.workflow_service.set_worker_deployment_current_version(
            request, timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        if error.status in NOT_YET:
            return None
        raise UpstreamUnavailable(f"Temporal did not switch the version: {error}") from error
    return str(answer.previous_deployment_version.build_id)


async def _others(client: Client, build: str) -> list[OtherVersion]:
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT)
    try:
        answer = await client.workflow_service.describe_worker_deployment(request, timeout=RPC_TIMEOUT)
    except RPCError as error:
        raise UpstreamUnavailable(f"Temporal did not describe its versions: {error}") from error
    versions = answer.worker_deployment_info.version_summaries
    return [_other(one) for one in versions if one.deployment_version.build_id != build]


def _other(version: WorkerDeploymentInfo.WorkerDeploymentVersionSummary) -> OtherVersion:
    known: dict[int, Drainage] = {
        VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINING: "draining",
        VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINED: "drained",
    }
    drainage = known.get(version.drainage_status, "unknown")
    return OtherVersion(build_id=version.deployment_version.build_id, drainage=drainage)
