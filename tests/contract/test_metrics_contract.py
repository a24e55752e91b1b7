"""What our client makes of a Prometheus that is slow, gone or without data: the sandbox's and a real one."""

import math
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from holdpoint.clients.metrics import PrometheusMetrics, Query, RangeQuery
from holdpoint.models.errors import StepConfig, UpstreamUnavailable
from tests.contract.conftest import IMPLEMENTATIONS, ApiServer
from tests.contract.test_prometheus_contract import real_prometheus
from tests.sandbox.process import Sandbox, a_deployment, a_service, wait_for
from tools.stack.parts import binary


@dataclass
class Provider:
    """A Prometheus of the test's own, and how it comes to grief."""

    address: str
    stall: Callable[[], object]
    vanish: Callable[[], object]


@pytest.fixture(params=IMPLEMENTATIONS)
def provider(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Each Prometheus in turn."""
    folder = tmp_path_factory.mktemp("provider")
    if request.param == "sandbox":
        sandbox = Sandbox(folder)

        def fails(mode: str) -> Callable[[], object]:
            return lambda: sandbox.steer("fail", part="prometheus", mode=mode, lasts=60, delay=20)

        yield Provider(f"http://127.0.0.1:{sandbox.port}/prometheus", fails("slow"), fails("down"))
        sandbox.kill()
        sandbox.http.close()
    else:
        process, address = real_prometheus(binary("prometheus"), folder)
        yield Provider(address, lambda: process.send_signal(signal.SIGSTOP), lambda: _ended(process))
        _ended(process)


def _ended(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


@pytest.fixture
async def metrics(provider: Provider) -> AsyncIterator[PrometheusMetrics]:
    """Our client of it."""
    made = PrometheusMetrics(provider.address)
    yield made
    await made.close()


def asked(text: str) -> Query:
    """Return a query about this moment."""
    return Query(text=text, at=datetime.now(UTC))


async def test_no_data_no_number_and_no_query_are_three_things(metrics: PrometheusMetrics) -> None:
    (sample,) = await metrics.samples(asked("vector(0) / vector(0)"))

    assert math.isnan(sample.value)
    assert await metrics.samples(asked("nothing")) == []
    with pytest.raises(StepConfig, match=r"Prometheus refused the query: .*parse error"):
        await metrics.samples(asked("sum("))


async def test_a_range_has_a_point_at_each_moment_to_the_millisecond(metrics: PrometheusMetrics) -> None:
    end = datetime.fromtimestamp(1_800_000_000.5, UTC)
    start = end - timedelta(seconds=5)
    ranged = RangeQuery(text="vector(0) / vector(0)", start=start, end=end, step=2.5)

    (series,) = await metrics.series(ranged)

    assert [moment for moment, _ in series.points] == [start.timestamp() + at for at in (0, 2.5, 5)]
    assert all(math.isnan(value) for _, value in series.points)
    assert await metrics.series(ranged.model_copy(update={"text": "nothing"})) == []
    with pytest.raises(StepConfig, match=r"Prometheus refused the query: .*parse error"):
        await metrics.series(ranged.model_copy(update={"text": "sum("}))


async def test_a_provider_slower_than_our_patience_is_an_outage(
    provider: Provider, metrics: PrometheusMetrics
) -> None:
    await metrics.samples(asked("vector(1)"))

    provider.stall()

    with pytest.raises(UpstreamUnavailable, match="no answer within 2 s"):
        await metrics.samples(asked("vector(1)"))


async def test_a_provider_that_is_gone_is_an_outage(provider: Provider, metrics: PrometheusMetrics) -> None:
    await metrics.samples(asked("vector(1)"))

    provider.vanish()

    with pytest.raises(UpstreamUnavailable, match="Prometheus gave no answer"):
        await metrics.samples(asked("vector(1)"))


async def test_a_pod_that_is_gone_has_no_sample_long_before_five_minutes(
    server: ApiServer, request: pytest.FixtureRequest
) -> None:
    address = f"{server.address}/prometheus"
    if server.address.startswith("https"):
        address = request.getfixturevalue("real_stack")["prometheus"]["url"]
    for plural, body in (("deployments", a_deployment(replicas=1)), ("services", a_service())):
        body["metadata"]["namespace"] = server.namespace
        assert server.apply(plural, body).status_code == 201
    query = f'http_requests_total{{namespace="{server.namespace}"}}'

    def seen() -> bool:
        found = httpx.get(f"{address}/api/v1/query", params={"query": query}).json()
        return bool(found["data"]["result"])

    wait_for(seen, seconds=30)

    server.send("DELETE", server.path("deployments", "web"))

    # A server that waits for the five minutes of its lookback would keep the last value far longer.
    wait_for(lambda: not seen(), seconds=60)
