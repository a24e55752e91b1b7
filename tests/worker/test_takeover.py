"""Version take-over against a real Temporal: an upgrade in place must not leave tickets behind."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.common import VersioningBehavior
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from holdpoint.models.contracts import CHANGE_TICKET, TASK_QUEUE
from worker import versioning
from worker.takeover import adopt_open_workflows, make_current


@workflow.defn(name=CHANGE_TICKET.name, versioning_behavior=VersioningBehavior.PINNED)
class Waiting:
    """Stands in for a ticket: waits to be released."""

    def __init__(self) -> None:
        self.released = False

    @workflow.run
    async def run(self) -> str:
        """Wait."""
        await workflow.wait_condition(lambda: self.released)
        return workflow.info().get_current_build_id()

    @workflow.signal
    def release(self) -> None:
        """End."""
        self.released = True


def _worker(client: Client, build: str) -> Worker:
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[Waiting],
        workflow_runner=UnsandboxedWorkflowRunner(),
        deployment_config=versioning.deployment(build),
    )


async def test_an_open_ticket_goes_on_with_the_code_that_replaced_its_own(
    client: Client,
) -> None:
    await make_current(client, "one")
    async with _worker(client, "one"):
        ticket = await client.start_workflow(CHANGE_TICKET.name, id="change/1", task_queue=TASK_QUEUE)
        await _listed_as_pinned(client)

    await make_current(client, "two")
    async with _worker(client, "two"):
        assert await adopt_open_workflows(client, "two") == ["change/1"]
        await ticket.signal("release")
        ended_on = await asyncio.wait_for(ticket.result(), 20)

    assert ended_on == "two"


async def test_taking_over_twice_is_harmless(client: Client) -> None:
    await make_current(client, "one")
    await make_current(client, "one")

    async with _worker(client, "one"):
        assert await adopt_open_workflows(client, "one") == []
        ticket = await client.start_workflow(
            CHANGE_TICKET.name, id="change/2", task_queue=TASK_QUEUE, run_timeout=timedelta(seconds=60)
        )
        await ticket.signal("release")

        assert await asyncio.wait_for(ticket.result(), 20) == "one"


async def _listed_as_pinned(client: Client) -> None:
    """Wait until Temporal's list, which is a little late, shows the version of the running ticket."""
    async with asyncio.timeout(20):
        while True:
            if (await client.count_workflows("TemporalWorkerDeploymentVersion = 'holdpoint:one'")).count:
                return
            # Temporal's list follows some time after, and tells nobody.
            await asyncio.sleep(0.05)
