"""Temporal's dev server: starts are idempotent, answers are typed, and every foreign error leaves as ours."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from holdpoint.clients import temporal
from holdpoint.clients.temporal import LazyTemporal, NoTemporal, Temporal
from holdpoint.models.contracts import (
    APPROVE,
    PAUSE,
    RESUME,
    SEARCH_ENVIRONMENT,
    SEARCH_SERVICE,
    SIGNAL_WAKE,
    TASK_QUEUE,
)
from holdpoint.models.errors import Conflict, NotFound, UpstreamUnavailable
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason
from holdpoint.models.workflow_messages import Answer, ApprovalGiven, CloseStart, Control, TicketStart, Wake
from tests.started import started

NAMESPACE = "holdpoint"
KEYS = [SearchAttributeKey.for_keyword(name) for name in (SEARCH_SERVICE, SEARCH_ENVIRONMENT)]
WORD = Control(verb="pause", by="sre")


@workflow.defn(name="ChangeTicket")
class Ticket:
    """Stands in for the real one: pausing works, resuming is refused, approving ends it."""

    def __init__(self) -> None:
        self.paused = 0
        self.over = False

    @workflow.run
    async def run(self, start: TicketStart) -> Phase:
        await workflow.wait_condition(lambda: self.over)
        return Phase.SUCCEEDED

    @workflow.update(name=PAUSE.name)
    def pause(self, word: Control) -> Answer:
        self.paused += 1
        return Answer(phase=Phase.EXECUTING, message=str(self.paused))

    @workflow.update(name=RESUME.name)
    def resume(self, word: Control) -> Answer:
        raise ApplicationError("It is not paused.", type="conflict", non_retryable=True)

    @workflow.update(name=APPROVE.name)
    def approve(self, given: ApprovalGiven) -> Answer:
        self.over = True
        return Answer(phase=Phase.SCHEDULED)

    @workflow.signal(name=SIGNAL_WAKE)
    def wake(self, wake: Wake) -> None:
        self.paused = 100


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with asyncio.Runner() as runner:
        server = runner.run(
            started(
                lambda: WorkflowEnvironment.start_local(
                    namespace=NAMESPACE,
                    search_attributes=KEYS,
                    dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
                )
            )
        )
        yield server.client.service_client.config.target_host
        runner.run(server.shutdown())


@asynccontextmanager
async def a_worker(address: str) -> AsyncIterator[Client]:
    client = await Client.connect(address, namespace=NAMESPACE, data_converter=pydantic_data_converter)
    async with Worker(
        client, task_queue=TASK_QUEUE, workflows=[Ticket], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        yield client


def a_start(ticket: str) -> TicketStart:
    return TicketStart(
        ticket=ticket,
        title="podinfo 2",
        service="podinfo",
        environment="staging",
        type="emergency",
        requester="ci",
        target="sandbox/default/podinfo",
        verify=5,
    )


async def test_starting_twice_is_one_execution_with_its_attributes(address: str) -> None:
    ours = LazyTemporal(address, NAMESPACE)
    async with a_worker(address) as client:
        for _ in range(2):
            await ours.start_ticket(a_start("chg-starting22"))

        seen = await client.get_workflow_handle("change/chg-starting22").describe()

    assert [seen.typed_search_attributes.get(key) for key in KEYS] == ["podinfo", "staging"]
    assert seen.raw_description.workflow_execution_info.priority.priority_key == 1


async def test_a_closed_ticket_is_never_started_again(address: str) -> None:
    ours = LazyTemporal(address, NAMESPACE)
    given = ApprovalGiven(by="approver", digest="sha256:" + "0" * 64, entry="e", at=datetime.now(UTC))
    async with a_worker(address) as client:
        await ours.start_ticket(a_start("chg-closed2222"))
        await ours.update("change/chg-closed2222", APPROVE, given, id="1")
        handle = client.get_workflow_handle("change/chg-closed2222")
        await handle.result()
        before = (await handle.describe()).run_id

        await ours.start_ticket(a_start("chg-closed2222"))

        assert (await handle.describe()).run_id == before
        with pytest.raises(NotFound):
            await ours.update("change/chg-closed2222", PAUSE, WORD, id="2")


async def test_an_update_is_answered_once_for_each_id(address: str) -> None:
    ours = LazyTemporal(address, NAMESPACE)
    async with a_worker(address):
        await ours.start_ticket(a_start("chg-updated222"))

        answers = [await ours.update("change/chg-updated222", PAUSE, WORD, id=id) for id in "aab"]

    assert [answer.message for answer in answers] == ["1", "1", "2"]
    assert all(isinstance(answer, Answer) for answer in answers)


async def test_a_refusal_is_a_conflict_in_the_tickets_words(address: str) -> None:
    ours = LazyTemporal(address, NAMESPACE)
    async with a_worker(address):
        await ours.start_ticket(a_start("chg-refused222"))

        with pytest.raises(Conflict, match="It is not paused"):
            await ours.update("change/chg-refused222", RESUME, WORD, id="1")


async def test_what_does_not_run_is_not_found(address: str) -> None:
    ours = LazyTemporal(address, NAMESPACE)

    with pytest.raises(NotFound):
        await ours.update("change/chg-nothing222", PAUSE, WORD, id="1")
    with pytest.raises(NotFound):
        await ours.signal("change/chg-nothing222", SIGNAL_WAKE, Wake(cause="x"))


async def test_without_a_worker_an_update_is_unavailable(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal, "UPDATE_SECONDS", 0.3)
    ours = LazyTemporal(address, NAMESPACE)
    await ours.start_ticket(a_start("chg-lonely2222"))

    with pytest.raises(UpstreamUnavailable, match="worker"):
        await ours.update("change/chg-lonely2222", PAUSE, WORD, id="1")


async def test_a_caller_that_is_cancelled_stays_cancelled(address: str) -> None:
    ours = LazyTemporal(address, NAMESPACE)
    await ours.start_ticket(a_start("chg-dropped222"))
    waiting = asyncio.create_task(ours.update("change/chg-dropped222", PAUSE, WORD, id="1"))
    await asyncio.sleep(0.2)  # until it waits inside the SDK, which tells nobody

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_closing_runs_once_at_a_time(address: str) -> None:
    ours = LazyTemporal(address, NAMESPACE)
    start = CloseStart(ticket="chg-closing222", by="sre", reason=Reason(code="x", message="y"))
    await ours.start_closing(start)

    with pytest.raises(Conflict):
        await ours.start_closing(start)


async def test_an_unknown_namespace_is_a_server_that_is_not_ready(address: str) -> None:
    with pytest.raises(UpstreamUnavailable):
        await LazyTemporal(address, "elsewhere").start_ticket(a_start("chg-elsewhere2"))
    with pytest.raises(UpstreamUnavailable):
        await LazyTemporal(address, "elsewhere").signal("change/x", SIGNAL_WAKE, Wake(cause="x"))


@pytest.mark.parametrize("ours", [LazyTemporal("127.0.0.1:1", NAMESPACE), NoTemporal()], ids=["down", "null"])
async def test_where_nobody_listens_everything_is_unavailable(ours: Temporal) -> None:
    reason = Reason(code="x", message="y")
    for call in (
        ours.start_ticket(a_start("chg-nobody2222")),
        ours.start_closing(CloseStart(ticket="chg-nobody2222", by="sre", reason=reason)),
        ours.update("change/x", PAUSE, WORD, id="1"),
        ours.signal("change/x", SIGNAL_WAKE, Wake(cause="x")),
    ):
        with pytest.raises(UpstreamUnavailable):
            await call
