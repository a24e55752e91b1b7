"""How workflow executions stand, as Temporal says; for the reconciler."""

from datetime import timedelta
from enum import StrEnum

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from holdpoint.models.contracts import CHANGE_TICKET
from holdpoint.models.errors import UpstreamUnavailable

RPC_TIMEOUT = timedelta(seconds=5)
"""One look on a healthy server takes milliseconds."""


class Standing(StrEnum):
    """How an execution stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    TERMINATED = "terminated"
    CONTINUED_AS_NEW = "continued_as_new"
    TIMED_OUT = "timed_out"
    PAUSED = "paused"
    NOT_FOUND = "not_found"

    @property
    def running(self) -> bool:
        """Tell whether it still runs; a paused one does, and one that is just being continued."""
        return self in (Standing.RUNNING, Standing.PAUSED, Standing.CONTINUED_AS_NEW)


class Executions:
    """Asks Temporal. Raises UpstreamUnavailable where it does not answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def standing(self, workflow: str) -> Standing:
        """Return how the latest run of a workflow stands."""
        try:
            described = await self._client.get_workflow_handle(workflow).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return Standing.NOT_FOUND
            raise UpstreamUnavailable(f"Temporal did not say how {workflow} stands: {error}") from error
        status = described.status or WorkflowExecutionStatus.RUNNING
        return Standing(status.name.lower())

    async def running_tickets(self) -> set[str]:
        """Return the workflow IDs of all tickets that run.

        Temporal's list is a little late: what it misses is asked for by `standing`.
        """
        query = f"WorkflowType = '{CHANGE_TICKET.name}' AND ExecutionStatus = 'Running'"
        try:
            return {found.id async for found in self._client.list_workflows(query, page_size=1000)}
        except RPCError as error:
            raise UpstreamUnavailable(f"Temporal did not list the running tickets: {error}") from error
