"""Two releases at once, as real worker processes: each ticket ends on the one that it began with."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from holdpoint.embedded.temporal_server import find
from holdpoint.models import contracts
from holdpoint.models.contracts import TASK_QUEUE, ticket_workflow
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.phases import Phase
from tests.started import started
from tests.worker.conftest import OpenTicket
from tests.workflows.builders import a_control, a_start
from worker.deploy import SEEN_WITHIN, switch

SEARCHED = (contracts.SEARCH_SERVICE, contracts.SEARCH_ENVIRONMENT, contracts.SEARCH_PHASE)
Release = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
async def server() -> AsyncIterator[Client]:
    async with await started(
        lambda: WorkflowEnvironment.start_local(
            dev_server_existing_path=find(),
            data_converter=pydantic_data_converter,
            search_attributes=[SearchAttributeKey.for_keyword(name) for name in SEARCHED],
        )
    ) as environment:
        yield environment.client


@pytest.fixture
def release(server: Client, tmp_path: Path) -> Iterator[Release]:
    """Start `holdpoint worker` of a release; its policy engine never answers, so tickets stay open."""
    running: list[subprocess.Popen[bytes]] = []
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "blob.key").write_bytes(os.urandom(32))

    def start(build: str) -> "subprocess.Popen[bytes]":
        environment = {
            "HOLDPOINT_LEDGER_URL": f"sqlite:///{tmp_path}/ledger.db",
            "HOLDPOINT_TEMPORAL_ADDRESS": server.service_client.config.target_host,
            "HOLDPOINT_TEMPORAL_NAMESPACE": server.namespace,
            "HOLDPOINT_OPA_URL": "http://127.0.0.1:9",
            "HOLDPOINT_OPA_TOKEN_FILE": str(tmp_path / "token"),
            "HOLDPOINT_CLUSTERS": "{}",
            "HOLDPOINT_BUILD_ID": build,
        }
        command = [sys.executable, "-m", "holdpoint.cli", "worker", "--data", str(tmp_path)]
        with (tmp_path / f"{build}.log").open("wb") as log:
            process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


async def begin(client: Client, ticket: str) -> WorkflowHandle[object, Phase]:
    handle: WorkflowHandle[object, Phase] = await client.start_workflow(
        contracts.CHANGE_TICKET.name,
        a_start(ticket),
        id=ticket_workflow(ticket),
        task_queue=TASK_QUEUE,
        result_type=Phase,
    )
    return handle


async def taken_up(handle: WorkflowHandle[object, Phase]) -> None:
    """Return when a worker has completed the first task: a workflow is pinned from then on."""
    async with asyncio.timeout(60):
        async for event in handle.fetch_history_events(wait_new_event=True):
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                return


async def runs_on(handle: WorkflowHandle[object, Phase]) -> str:
    """Return the build ID that a ticket is pinned to, once somebody has run it."""
    async with asyncio.timeout(30):
        while True:
            info = (await handle.describe()).raw_description.workflow_execution_info.versioning_info
            if info.deployment_version.build_id:
                return str(info.deployment_version.build_id)
            await asyncio.sleep(0.1)  # Temporal tells nobody


async def test_open_tickets_end_on_the_release_that_they_began_with(
    server: Client, release: Release, open_ticket: OpenTicket
) -> None:
    for ticket in ("chg-old", "chg-new"):
        open_ticket(ticket, phase=Phase.EVALUATING)
    older = release("1.0")
    first = await switch(server, "1.0")
    old = await begin(server, "chg-old")
    await taken_up(old)
    assert await runs_on(old) == "1.0"

    release("2.0")
    second = await switch(server, "2.0")
    new = await begin(server, "chg-new")
    await taken_up(new)
    on = (await runs_on(old), await runs_on(new))
    await old.execute_update(
        contracts.ABORT.name, a_control("abort"), id="abort", result_type=contracts.ABORT.result
    )
    ended = await asyncio.wait_for(old.result(), 30)
    older.send_signal(signal.SIGTERM)
    await asyncio.to_thread(older.wait, 30)

    assert (first.before, second.before) == (None, "1.0")
    assert [other.build_id for other in second.others] == ["1.0"]
    assert on == ("1.0", "2.0")
    assert ended is Phase.ABORTED
    assert await runs_on(old) == "1.0"
    assert older.returncode == 0


async def test_a_release_without_a_worker_is_never_made_current(server: Client) -> None:
    assert SEEN_WITHIN > 60

    with pytest.raises(UpstreamUnavailable, match=r"No worker of version 3\.0 has asked"):
        await switch(server, "3.0", within=0.5)
