"""`python -m tests.replay.record [BRANCH ...]`: run the branches on a real server and save their histories.

Only after a deliberate change of a workflow's commands, with a dated `workflow.patched()` marker: a history
that was saved before must still replay.
"""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from holdpoint.models.contracts import TASK_QUEUE, closing_workflow
from tests.replay.branches import BRANCHES, Branch
from tests.workflows.conftest import BIN, FAST, SEARCHED, WORKFLOWS
from tests.workflows.world import World, fakes
from worker.takeover import make_current
from worker.temporal import build_worker
from worker.versioning import build_id

HISTORIES = Path(__file__).parent / "histories"


async def record(env: WorkflowEnvironment, branch: Branch) -> None:
    """Run one branch and save the history of each workflow that had a part in it."""
    world = World(env, queue=TASK_QUEUE)
    await branch(world)
    closing = env.client.get_workflow_handle(closing_workflow(world.ticket))
    named = {"ticket": world.of_ticket, "rollout": world.of_rollout, "closing": closing}
    if (first := await _first_run(world)) is not None:
        named["before"] = first
    for part, handle in named.items():
        await _save(handle, HISTORIES / f"{branch.__name__}.{part}.json")


async def _first_run(world: World) -> WorkflowHandle[Any, Any] | None:
    """Return the first run of a ticket that was continued in another."""
    started = world.handles[0]
    now = (await started.describe()).run_id
    if started.first_execution_run_id == now:
        return None
    return world.client.get_workflow_handle(started.id, run_id=started.first_execution_run_id)


async def _save(handle: WorkflowHandle[object, object], file: Path) -> None:
    try:
        history = await handle.fetch_history()
    except RPCError:
        return  # it had no part in this branch
    await asyncio.to_thread(file.write_text, _without_machine(history.to_json_dict()) + "\n")


def _without_machine(history: dict[str, Any]) -> str:
    """Return a history as text, without what only tells where it was recorded."""
    text = json.dumps(history)
    for identity in set(re.findall(r'"identity": "([^"]+@[^"]+)"', text)):
        text = text.replace(identity, "recorder")
    return json.dumps(json.loads(text, object_hook=_without_trace), indent=1, sort_keys=True)


def _without_trace(value: dict[str, Any]) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key != "stackTrace"}


@asynccontextmanager
async def a_server() -> AsyncIterator[WorkflowEnvironment]:
    """A real dev server with a worker: the skipping one's histories are not quite a server's."""
    server = await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=str(BIN / "temporal"),
        dev_server_extra_args=[arg for setting in FAST for arg in ("--dynamic-config-value", setting)],
        search_attributes=[SearchAttributeKey.for_keyword(name) for name in SEARCHED],
    )
    async with server as env:
        async with build_worker(
            env.client, workflows=WORKFLOWS, activities=fakes(), interceptors=[], build=build_id()
        ):
            await make_current(env.client, build_id())
            yield env
        await asyncio.sleep(0.3)  # the interpreter crashed at exit without it; see worker/main.py


async def main(names: list[str]) -> None:
    """Record the named branches, or all."""
    HISTORIES.mkdir(exist_ok=True)
    async with a_server() as env:
        for branch in BRANCHES:
            if not names or branch.__name__ in names:
                await record(env, branch)
                sys.stderr.write(f"recorded {branch.__name__}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
