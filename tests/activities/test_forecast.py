"""Before a canary starts it is said how long a verdict takes, and whether that is in time."""

from typing import Any

import pytest

from activities.fleet_counters import Place
from activities.forecast import Forecast, forecast
from holdpoint.clients.metrics import Metrics, NullMetrics, RangeQuery, Series
from holdpoint.models.analysis import Analysis, ErrorRatio
from holdpoint.models.plan import PlannedStep, WeightPlan
from tests.activities.test_fleet import BEGAN, Prometheus, everywhere


async def told(server: Metrics, *, bake: float = 60, reached: float = 10, **analysis: Any) -> Forecast:
    step = PlannedStep(
        index=0,
        name="canary shop",
        kind="canary",
        config={"deployment": "shop"},
        weights=[WeightPlan(asked=10, reached=reached, canary=1, stable=9)],
        bake=bake,
    )
    looks_at = Analysis.model_validate({"errorRatio": ErrorRatio(max=0.01), **analysis})
    place = Place("prod", canary=[], stable=["shop"], began=BEGAN, every=5.0)
    return await forecast(server, looks_at, step, place)


async def test_stable_that_never_fails_passes_it_after_so_many_requests() -> None:
    found = await told(Prometheus(everywhere(0.0)))

    assert found == Forecast(
        "At 10 % the canary of shop gets about 90 requests/s. Nothing fails now: without a failure it passes "
        "in about 9 s; the deadline is 0:10:00.",
        in_time=True,
    )


async def test_what_is_found_depends_on_how_often_stable_fails() -> None:
    found = await told(Prometheus(everywhere(0.01)))

    assert "1 % fail now: five times as many show in about " in found.text
    assert found.in_time


@pytest.mark.parametrize(
    ("share", "reached", "deadline"),
    [
        pytest.param(0.0, 10, 5.0, id="no time to see enough without a failure"),
        pytest.param(0.0001, 1, 60.0, id="hardly a failure in a hundredth of the requests"),
    ],
)
async def test_a_canary_that_cannot_be_judged_in_time_is_told_before(
    share: float, reached: float, deadline: float
) -> None:
    found = await told(Prometheus(everywhere(share)), bake=1, reached=reached, deadline=deadline)

    assert not found.in_time
    assert found.text.startswith("It cannot be judged in time. At ")


async def test_a_service_without_requests_cannot_be_judged() -> None:
    assert await told(NullMetrics()) == Forecast(
        "shop got no requests in the last 10 minutes: no canary can be judged.", in_time=False
    )


LAG = {"name": "lag", "kind": "value", "query": 'lag{d="{{deployment}}"}'}


class Lag(NullMetrics):
    """A Prometheus that knows the lag of a queue."""

    async def series(self, query: RangeQuery) -> list[Series]:
        count = int((query.end - query.start).total_seconds() // query.step)
        points = [(query.start.timestamp() + n * query.step, float(n * 7 % 11)) for n in range(count + 1)]
        return [Series(points=points)]


async def test_a_metric_of_its_own_says_how_many_values_it_needs() -> None:
    found = await told(Lag(), errorRatio=None, metrics=[LAG])

    assert found.text == "lag is 5 now: as good a canary passes in about 40 s; the deadline is 0:10:00."
    assert found.in_time


async def test_a_metric_of_its_own_without_a_number_is_told_before() -> None:
    found = await told(NullMetrics(), errorRatio=None, metrics=[LAG])

    assert not found.in_time
    assert "lag gave no number for shop in the last 10 minutes" in found.text


async def test_where_only_judges_decide_nothing_is_forecast() -> None:
    judged = {"name": "diff", "source": {"webhook": "diff"}}

    assert (await told(NullMetrics(), errorRatio=None, metrics=[judged])).in_time
