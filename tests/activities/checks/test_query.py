"""A query passes only when every value is there and lies within its bounds."""

import math

import pytest

from holdpoint.clients.metrics import Sample
from holdpoint.models.errors import StepConfig, UpstreamUnavailable
from tests.activities.checks.scene import Answers, a_scene, looked


def values(*numbers: float) -> list[Sample]:
    return [Sample(labels={"n": str(at)}, value=number) for at, number in enumerate(numbers)]


@pytest.mark.parametrize(
    ("numbers", "passed"),
    [
        pytest.param([0.01], True, id="at the bound"),
        pytest.param([0.0, 0.01], True, id="all within"),
        pytest.param([0.0, 0.02], False, id="one of two above"),
        pytest.param([-0.5], False, id="below"),
        pytest.param([math.inf], False, id="infinite"),
        pytest.param([math.nan], None, id="NaN"),
        pytest.param([0.0, math.nan], None, id="one NaN"),
        pytest.param([], None, id="no data"),
    ],
)
async def test_only_values_within_the_bounds_pass(numbers: list[float], passed: bool | None) -> None:
    scene = a_scene(metrics=Answers(values(*numbers)))

    found = await looked(scene, query={"promql": "errors", "max": 0.01, "min": -0.1})

    assert found.passed is passed
    assert found.answer["series"] == len(numbers)


async def test_answer_is_evidence_with_the_values_out_of_bounds_first() -> None:
    scene = a_scene(metrics=Answers(values(1.0, 9.0, 2.0)))

    found = await looked(scene, query={"promql": "errors", "max": 5})

    assert found.message == "The value is 9; allowed is at most 5."
    assert [one["value"] for one in found.answer["samples"]] == ["9.0", "1.0", "2.0"]


async def test_query_that_is_refused_is_a_no_in_the_servers_words() -> None:
    scene = a_scene(metrics=Answers(StepConfig("Prometheus refused the query: parse error")))

    found = await looked(scene, query={"promql": "errors{", "max": 5})

    assert (found.passed, found.message) == (False, "Prometheus refused the query: parse error")


async def test_server_that_is_down_or_late_is_an_outage_and_no_answer() -> None:
    down = a_scene(metrics=Answers(UpstreamUnavailable("Prometheus is down.")))
    late = a_scene(metrics=Answers(values(1.0), after=5))

    with pytest.raises(UpstreamUnavailable):
        await looked(down, query={"promql": "errors", "max": 5})
    with pytest.raises(UpstreamUnavailable, match="no answer within 20ms"):
        await looked(late, query={"promql": "errors", "max": 5}, timeout="20ms")
