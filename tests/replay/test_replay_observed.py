"""The worker's interceptors change nothing that a replay compares: the corpus passes with them, too."""

from opentelemetry.sdk.trace import TracerProvider
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from holdpoint.telemetry.metrics import Metrics
from tests.replay.test_replay import HISTORIES, recorded
from tests.workflows.conftest import WORKFLOWS
from worker.observed import ObservingInterceptor
from worker.temporal import sandbox


async def test_every_recorded_history_replays_with_traces_and_observation() -> None:
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=pydantic_data_converter,
        workflow_runner=sandbox(),
        interceptors=[
            TracingInterceptor(TracerProvider().get_tracer("t"), always_create_workflow_spans=True),
            ObservingInterceptor(Metrics()),
        ],
    )

    failed = {
        file.stem: result.replay_failure
        for file in HISTORIES
        if (
            result := await replayer.replay_workflow(recorded(file), raise_on_replay_failure=False)
        ).replay_failure
    }

    assert failed == {}
