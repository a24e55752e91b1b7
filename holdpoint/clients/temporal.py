"""Temporal, as the doors need it: start, update and signal by contract names; its errors leave as ours.

The connection is made at the first use, so that a server starts, and freezes hold, while Temporal is down.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from temporalio.client import (
    Client,
    Interceptor,
    RPCError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from holdpoint.models.base import Model
from holdpoint.models.contracts import (
    CHANGE_TICKET,
    CLOSE_ABANDONED,
    EMERGENCY,
    NORMAL,
    SEARCH_ENVIRONMENT,
    SEARCH_SERVICE,
    STANDARD,
    TASK_QUEUE,
    Named,
    closing_workflow,
    ticket_workflow,
)
from holdpoint.models.errors import Conflict, NotFound, UpstreamRateLimited, UpstreamUnavailable
from holdpoint.models.workflow_messages import CloseStart, TicketStart

A = TypeVar("A", bound=Model)
R = TypeVar("R")

CALL_TIMEOUT = timedelta(seconds=5)
"""One RPC on a healthy server takes milliseconds; a door must answer before its own caller gives up."""
UPDATE_SECONDS = 10.0
"""An update waits for a worker's answer: one workflow task, or 1 s more when its sticky worker has died."""
RECONNECT = 0.5
"""Seconds after a failed connect in which everybody gets the same answer instead of a try of their own."""
PRIORITIES = {"emergency": EMERGENCY, "normal": NORMAL, "standard": STANDARD}


class Temporal(Protocol):
    """What the doors ask of Temporal. Every method may raise UpstreamUnavailable or UpstreamRateLimited."""

    async def start_ticket(self, start: TicketStart) -> None:
        """Start the ticket's workflow; if it was ever started, this does nothing."""

    async def start_closing(self, start: CloseStart) -> None:
        """Start the workflow that closes an abandoned ticket. Raises Conflict if it runs already."""

    async def update(self, workflow: str, update: Named[A, R], argument: A, *, id: str) -> R:
        """Return the workflow's answer; the same `id` gets the same answer. Raises NotFound or Conflict."""

    async def signal(self, workflow: str, name: str, argument: Model) -> None:
        """Send a signal. Raises NotFound if no such workflow runs."""


class LazyTemporal:
    """The real one."""

    def __init__(
        self,
        address: str,
        namespace: str,
        converter: DataConverter = pydantic_data_converter,
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        self._address, self._namespace, self._converter = address, namespace, converter
        self._interceptors = interceptors
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._not_before = 0.0

    async def start_ticket(self, start: TicketStart) -> None:
        """Start the ticket's workflow; if it was ever started, this does nothing."""
        await self._start(
            CHANGE_TICKET.name,
            start,
            id=ticket_workflow(start.ticket),
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=_search_attributes(start),
            priority=Priority(priority_key=_task_priority(start)),
            static_summary=f"{start.service} in {start.environment}: {start.title}"[:200],
        )

    async def start_closing(self, start: CloseStart) -> None:
        """Start the workflow that closes an abandoned ticket. Raises Conflict if it runs already."""
        started = await self._start(
            CLOSE_ABANDONED.name,
            start,
            id=closing_workflow(start.ticket),
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            priority=Priority(priority_key=EMERGENCY),
        )
        if not started:
            raise Conflict(f"{start.ticket} is being rolled back already.")

    async def update(self, workflow: str, update: Named[A, R], argument: A, *, id: str) -> R:
        """Return the workflow's answer; the same `id` gets the same answer. Raises NotFound or Conflict."""
        client = await self._connected()
        handle = client.get_workflow_handle(workflow)
        with _edge():
            async with asyncio.timeout(UPDATE_SECONDS):
                answer: R = await handle.execute_update(
                    update.name, argument, id=id, result_type=update.result
                )
        return answer

    async def signal(self, workflow: str, name: str, argument: Model) -> None:
        """Send a signal. Raises NotFound if no such workflow runs."""
        client = await self._connected()
        with _edge():
            await client.get_workflow_handle(workflow).signal(name, argument, rpc_timeout=CALL_TIMEOUT)

    async def _start(self, workflow: str, start: Model, *, id: str, **more: Any) -> bool:
        """Start a workflow; return False if its ID is taken in the way that `more` forbids."""
        client = await self._connected()
        try:
            with _edge():
                await client.start_workflow(
                    workflow, start, id=id, task_queue=TASK_QUEUE, rpc_timeout=CALL_TIMEOUT, **more
                )
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def _connected(self) -> Client:
        async with self._connecting:
            if self._client is None:
                if time.monotonic() < self._not_before:
                    raise _unavailable(None)
                try:
                    self._client = await self._connect()
                except UpstreamUnavailable:
                    self._not_before = time.monotonic() + RECONNECT
                    raise
            return self._client

    async def _connect(self) -> Client:
        try:
            with _edge():
                # `connect_timeout` bounds the TCP connection only, not the first question over it.
                async with asyncio.timeout(CALL_TIMEOUT.total_seconds()):
                    return await Client.connect(
                        self._address,
                        namespace=self._namespace,
                        data_converter=self._converter,
                        connect_timeout=CALL_TIMEOUT,
                        interceptors=self._interceptors,
                    )
        except UpstreamUnavailable as error:
            if isinstance(error.__cause__, TimeoutError):
                raise _unavailable("it accepts connections and does not answer") from error
            raise


class NoTemporal:
    """The null: nothing answers, so what must be delivered stays in the outbox."""

    async def start_ticket(self, start: TicketStart) -> None:
        """Raise UpstreamUnavailable."""
        raise _unavailable(None)

    async def start_closing(self, start: CloseStart) -> None:
        """Raise UpstreamUnavailable."""
        raise _unavailable(None)

    async def update(self, workflow: str, update: Named[A, R], argument: A, *, id: str) -> R:
        """Raise UpstreamUnavailable."""
        raise _unavailable(None)

    async def signal(self, workflow: str, name: str, argument: Model) -> None:
        """Raise UpstreamUnavailable."""
        raise _unavailable(None)


def _task_priority(start: TicketStart) -> int:
    """Return the priority of a ticket's tasks; a rollback's are as urgent as an emergency's."""
    return EMERGENCY if start.rolls_back else PRIORITIES.get(start.type, STANDARD)


def _search_attributes(start: TicketStart) -> TypedSearchAttributes:
    pairs = ((SEARCH_SERVICE, start.service), (SEARCH_ENVIRONMENT, start.environment))
    return TypedSearchAttributes(
        [SearchAttributePair(SearchAttributeKey.for_keyword(name), value) for name, value in pairs]
    )


@contextmanager
def _edge() -> Iterator[None]:
    """Let Temporal's errors leave as ours, with the cause chained."""
    try:
        yield
    except WorkflowUpdateFailedError as error:
        raise Conflict(_refusal(error)) from error
    except RPCError as error:
        raise _converted(error) from error
    except ApplicationError as error:  # the codec's own: what came back cannot be opened here
        raise UpstreamUnavailable(error.message) from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling() and not isinstance(error, TimeoutError):
            raise asyncio.CancelledError from error  # not an outage: somebody ends this task
        raise UpstreamUnavailable("Temporal's worker did not answer in time.") from error
    except (OSError, RuntimeError) as error:  # connecting raises a bare RuntimeError
        raise _unavailable(error) from error


def _refusal(error: WorkflowUpdateFailedError) -> str:
    cause = error.cause
    return cause.message if isinstance(cause, ApplicationError) else "The ticket refused it."


def _converted(error: RPCError) -> Exception:
    # A namespace that is not registered yet is a server that is not ready, not a ticket that is not there.
    if error.status == RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
        return NotFound(f"No such workflow runs: {error.message}")
    if error.status in (RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.FAILED_PRECONDITION):
        return UpstreamRateLimited(f"Temporal takes no more of these: {error.message}")
    return _unavailable(error)


def _unavailable(error: Any) -> UpstreamUnavailable:
    return UpstreamUnavailable(f"Temporal cannot be reached{f': {error}' if error else ''}."[:300])
