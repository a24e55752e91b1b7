"""Every branch that was recorded still replays: today's code can take over yesterday's tickets."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.replay.branches import BRANCHES
from tests.workflows.conftest import WORKFLOWS
from worker.temporal import sandbox

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def recorded(file: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(file.stem, file.read_text())


def the_replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, data_converter=pydantic_data_converter, workflow_runner=sandbox())


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
async def test_a_recorded_history_replays(file: Path) -> None:
    history = recorded(file)

    result = await the_replayer().replay_workflow(history)

    assert result.replay_failure is None


def test_every_branch_is_recorded() -> None:
    there = {file.stem.partition(".")[0] for file in HISTORIES}

    assert there == {branch.__name__ for branch in BRANCHES}


async def test_a_history_of_other_commands_does_not_replay() -> None:
    """The corpus can fail: the same history with one activity renamed is refused."""
    whole = recorded(next(file for file in HISTORIES if file.stem == "succeeded.ticket"))
    changed = WorkflowHistory.from_json("changed", whole.to_json().replace('"precheck"', '"another"'))
    assert changed.to_json() != whole.to_json()

    with pytest.raises(NondeterminismError):
        await the_replayer().replay_workflow(changed)
