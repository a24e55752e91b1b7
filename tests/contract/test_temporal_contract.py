"""What our code relies on of Temporal, held against the dev server and a real cluster on PostgreSQL.

Server 1.32 behaves alike in both, as far as is tested here. Visibility is late in both, and tells nobody
when it has caught up. Our workflows are pinned, and a worker that states no version cannot run such a
workflow (the time-skipping test server does not mind), so the probes' worker is versioned as well.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import TerminatedError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkerDeploymentVersion

from holdpoint.clients import temporal
from holdpoint.clients.temporal import LazyTemporal
from holdpoint.models.contracts import (
    CHANGE_TICKET,
    SEARCH_ENVIRONMENT,
    SEARCH_SERVICE,
    closing_workflow,
    ticket_workflow,
)
from holdpoint.models.errors import Conflict, NotFound, UpstreamUnavailable
from holdpoint.models.ticket import Reason
from holdpoint.models.workflow_messages import CloseStart, TicketStart
from tests.contract.temporal_probe import NOTE, Probe, Word
from tests.workflows.conftest import make_current, started_live
from worker.executions import Executions, Standing
from worker.temporal import connect, sandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")

IMPLEMENTATIONS = ["dev server", pytest.param("cluster", marks=pytest.mark.real)]
PATIENCE, POLL = 30.0, 0.05
"""Seconds: visibility tells nobody when it has caught up, so it is asked."""


@dataclass
class Server:
    """One Temporal, with a worker for probes on a queue of its own."""

    address: str
    client: Client
    queue: str

    @property
    def ours(self) -> LazyTemporal:
        """Return our own client of it."""
        return LazyTemporal(self.address, self.client.namespace)

    async def probe(self, text: str = "wait", **options: Any) -> WorkflowHandle[Any, list[str]]:
        """Start a probe."""
        named = {"id": f"probe/{uuid.uuid4().hex}", "task_queue": self.queue, **options}
        return await self.client.start_workflow(Probe.run, Word(text=text), **named)

    async def a_ticket(self) -> TicketStart:
        """Start a ticket as the doors do, on the queue that no worker of these tests polls."""
        start = a_start()
        await self.ours.start_ticket(start)
        return start

    @asynccontextmanager
    async def worker(self, queue: str, version: WorkerDeploymentVersion) -> AsyncIterator[None]:
        """Run a worker for probes, of the version that new ones go to from now on."""
        config = WorkerDeploymentConfig(version=version, use_worker_versioning=True)
        async with Worker(
            self.client,
            task_queue=queue,
            workflows=[Probe],
            workflow_runner=sandbox(),
            deployment_config=config,
        ):
            await make_current(self.client, version)
            yield


def a_start() -> TicketStart:
    return TicketStart(
        ticket=f"chg-{uuid.uuid4().hex[:10]}",
        title="shop 2",
        service=f"s{uuid.uuid4().hex[:8]}",
        environment="staging",
        type="standard",
        requester="ci",
        target="sandbox/default/shop",
        verify=1.0,
    )


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    """Return what `look` finds, as soon as it finds something."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await look()):  # noqa: ASYNC110 - see PATIENCE
            await asyncio.sleep(POLL)
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=IMPLEMENTATIONS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """Each Temporal in turn, with a worker."""
    queue = f"probes-{uuid.uuid4().hex[:8]}"
    version = WorkerDeploymentVersion(deployment_name=queue, build_id="1")
    if request.param == "cluster":
        known = request.getfixturevalue("real_stack")["temporal"]
        client = await Client.connect(
            known["address"], namespace=known["namespace"], data_converter=pydantic_data_converter
        )
        one = Server(known["address"], client, queue)
        async with one.worker(queue, version):
            yield one
    else:
        async with await started_live() as environment:
            one = Server(environment.client.service_client.config.target_host, environment.client, queue)
            async with one.worker(queue, version):
                yield one
    # Open workflows at a worker's end have crashed the interpreter; see worker/main.py.
    await asyncio.sleep(0.3)


async def test_a_running_id_cannot_be_started_again(server: Server) -> None:
    handle = await server.probe()

    with pytest.raises(WorkflowAlreadyStartedError):
        await server.probe(id=handle.id)

    await handle.terminate()


async def test_a_ticket_is_started_once_also_when_it_has_ended(server: Server) -> None:
    start = await server.a_ticket()
    handle = server.client.get_workflow_handle(ticket_workflow(start.ticket))
    first = await handle.describe()

    await server.ours.start_ticket(start)
    await handle.terminate()
    await server.ours.start_ticket(start)

    assert (await handle.describe()).run_id == first.run_id
    assert await Executions(server.client).standing(handle.id) is Standing.TERMINATED


async def test_a_closing_runs_once_at_a_time_and_again_when_it_has_ended(server: Server) -> None:
    start = CloseStart(ticket=a_start().ticket, by="sre", reason=Reason(code="lost", message="It was lost."))
    await server.ours.start_closing(start)

    with pytest.raises(Conflict, match="already"):
        await server.ours.start_closing(start)

    handle = server.client.get_workflow_handle(closing_workflow(start.ticket))
    await handle.terminate()
    await server.ours.start_closing(start)
    assert await Executions(server.client).standing(handle.id) is Standing.RUNNING
    await handle.terminate()


async def test_an_update_with_the_same_id_is_done_once_and_answered_alike(server: Server) -> None:
    handle = await server.probe()

    answers = [await server.ours.update(handle.id, NOTE, Word(text="a"), id="u1") for _ in range(3)]
    other = await server.ours.update(handle.id, NOTE, Word(text="b"), id="u2")

    assert [one.text for one in answers] == ["1", "1", "1"]
    assert other.text == "2"
    assert await handle.query(Probe.told) == ["a", "b"]
    await handle.terminate()


async def test_after_the_end_a_known_update_is_answered_and_a_new_one_finds_nobody(server: Server) -> None:
    handle = await server.probe()
    await server.ours.update(handle.id, NOTE, Word(text="a"), id="u1")
    await handle.signal(Probe.finish, Word(text=""))
    assert await handle.result() == ["a"]

    assert (await server.ours.update(handle.id, NOTE, Word(text="a"), id="u1")).text == "1"
    with pytest.raises(NotFound):
        await server.ours.update(handle.id, NOTE, Word(text="b"), id="u2")
    with pytest.raises(NotFound):
        await server.ours.update("probe/unknown", NOTE, Word(text="b"), id="u2")


async def test_what_a_validator_refuses_is_a_conflict_and_not_in_the_history(server: Server) -> None:
    handle = await server.probe()

    with pytest.raises(Conflict, match=r"^This is refused\.$"):
        await server.ours.update(handle.id, NOTE, Word(text="bad"), id="u1")

    kinds = {event.event_type for event in (await handle.fetch_history()).events}
    assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED not in kinds
    await handle.terminate()


async def test_an_update_that_no_worker_answers_is_an_outage_within_its_bound(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal, "UPDATE_SECONDS", 0.5)
    handle = await server.probe(task_queue="nobody-polls")

    async with asyncio.timeout(10):
        with pytest.raises(UpstreamUnavailable, match="did not answer in time"):
            await server.ours.update(handle.id, NOTE, Word(text="a"), id="u1")

    await handle.terminate()


async def test_a_signal_to_who_has_ended_or_never_was_finds_nobody(server: Server) -> None:
    handle = await server.probe()
    await handle.terminate()

    for id in (handle.id, "probe/unknown"):
        with pytest.raises(NotFound):
            await server.ours.signal(id, "finish", Word(text=""))


async def test_a_query_of_who_never_was_is_not_found(server: Server) -> None:
    with pytest.raises(RPCError) as caught:
        await server.client.get_workflow_handle("probe/unknown").query(Probe.told)

    assert caught.value.status is RPCStatusCode.NOT_FOUND
    assert await Executions(server.client).standing("probe/unknown") is Standing.NOT_FOUND


async def test_a_terminated_workflow_says_so(server: Server) -> None:
    handle = await server.probe()
    await handle.terminate("the test is over")

    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()

    assert isinstance(caught.value.cause, TerminatedError)
    assert await Executions(server.client).standing(handle.id) is Standing.TERMINATED


async def test_a_cancel_reaches_the_workflow_with_its_reason(server: Server) -> None:
    handle = await server.probe()
    await server.ours.update(handle.id, NOTE, Word(text="a"), id="it runs")

    await handle.cancel(reason="INC-7")

    assert await handle.result() == ["cancelled", "INC-7"]


async def test_a_child_whose_id_is_taken_is_refused_without_its_holder(server: Server) -> None:
    holder = await server.probe()

    assert await (await server.probe(f"child:{holder.id}")).result() == ["taken", "None"]

    await holder.terminate()
    assert await (await server.probe(f"child:{holder.id}")).result() == ["started"]
    await server.client.get_workflow_handle(holder.id).terminate()


async def test_tickets_are_found_and_counted_by_service_and_environment(server: Server) -> None:
    start = await server.a_ticket()
    id = ticket_workflow(start.ticket)
    query = (
        f"WorkflowType = '{CHANGE_TICKET.name}' AND {SEARCH_SERVICE} = '{start.service}' "
        f"AND {SEARCH_ENVIRONMENT} = 'staging' AND ExecutionStatus = 'Running'"
    )

    async def listed() -> bool:
        return [found.id async for found in server.client.list_workflows(query)] == [id]

    async def counted(wanted: int) -> bool:
        return (await server.client.count_workflows(query)).count == wanted

    async def running() -> bool:
        return id in await Executions(server.client).running_tickets()

    await eventually(listed)
    await eventually(lambda: counted(1))
    await eventually(running)
    await server.client.get_workflow_handle(id).terminate()
    await eventually(lambda: counted(0))


async def test_the_history_of_an_open_and_of_an_ended_workflow_is_whole(server: Server) -> None:
    handle = await server.probe()
    await server.ours.update(handle.id, NOTE, Word(text="a"), id="u1")
    opened = (await handle.fetch_history()).events
    await handle.signal(Probe.finish, Word(text=""))
    await handle.result()

    ended = (await handle.fetch_history()).events

    assert [event.event_id for event in ended] == list(range(1, len(ended) + 1))
    assert ended[: len(opened)] == opened
    assert ended[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED


async def test_a_workflow_stays_on_the_version_that_it_began_with(server: Server) -> None:
    deployment, queue = f"probes-{uuid.uuid4().hex[:8]}", f"versions-{uuid.uuid4().hex[:8]}"
    old, new = (WorkerDeploymentVersion(deployment_name=deployment, build_id=build) for build in "12")

    async with server.worker(queue, old):
        before = await server.probe(task_queue=queue)
        await server.ours.update(before.id, NOTE, Word(text="a"), id="u1")
        async with server.worker(queue, new):
            after = await server.probe(task_queue=queue)
            for handle in (before, after):
                await server.ours.update(handle.id, NOTE, Word(text="b"), id="u2")
            versions = [await version_of(handle) for handle in (before, after)]
            for handle in (before, after):
                await handle.terminate()

    assert versions == ["1", "2"]


async def version_of(handle: WorkflowHandle[Any, Any]) -> str:
    described = await handle.describe()
    info = described.raw_description.workflow_execution_info.versioning_info
    return str(info.deployment_version.build_id)


async def test_a_workflow_goes_on_in_new_runs_back_to_back(server: Server) -> None:
    handle = await server.probe("again:3")

    assert await handle.result() == ["done"]
    assert (
        await server.client.get_workflow_handle(handle.id).describe()
    ).run_id != handle.first_execution_run_id


@pytest.mark.parametrize("silent", [False, True], ids=["nobody listens", "nobody answers"])
async def test_a_server_that_cannot_be_reached_is_an_outage_within_its_bound(
    silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal, "CALL_TIMEOUT", temporal.CALL_TIMEOUT / 10)
    monkeypatch.setattr("worker.temporal.CONNECT_SECONDS", 0.5)

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        if not silent:
            listener.close()

        async with asyncio.timeout(10):
            with pytest.raises(UpstreamUnavailable, match="cannot be reached"):
                await LazyTemporal(f"127.0.0.1:{port}", "holdpoint").signal("x", "wake", Word(text=""))
            with pytest.raises(UpstreamUnavailable, match=f"Temporal at 127.0.0.1:{port} "):
                await connect(f"127.0.0.1:{port}", "holdpoint")
