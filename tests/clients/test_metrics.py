"""A Prometheus that cannot be asked is an outage; a value can never change the question."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest

from holdpoint.clients import metrics
from holdpoint.clients.access import TokenFile
from holdpoint.clients.metrics import (
    Metrics,
    NullMetrics,
    PrometheusMetrics,
    Query,
    RangeQuery,
    escaped,
    selector,
)
from holdpoint.models.errors import StepConfig, UpstreamRateLimited, UpstreamUnavailable

QUERY = Query(text="up", at=datetime(2026, 1, 1, tzinfo=UTC))
RANGE = RangeQuery(text="up", start=QUERY.at, end=QUERY.at, step=5)
Answer = Callable[[httpx.Request], httpx.Response]
WithAnswer = Callable[[Answer], PrometheusMetrics]


@pytest.fixture
async def prometheus() -> AsyncIterator[WithAnswer]:
    made: list[PrometheusMetrics] = []

    def build(answer: Answer) -> PrometheusMetrics:
        made.append(
            PrometheusMetrics("http://prometheus.example/base/", transport=httpx.MockTransport(answer))
        )
        return made[-1]

    yield build
    for one in made:
        await one.close()


def vector(*values: str) -> httpx.Response:
    result = [{"metric": {"pod": f"pod-{n}"}, "value": [0, value]} for n, value in enumerate(values)]
    return httpx.Response(200, json={"status": "success", "data": {"resultType": "vector", "result": result}})


async def test_samples_keep_labels_and_numbers_that_are_none(prometheus: WithAnswer) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return vector("1.5", "NaN", "+Inf")

    found = await prometheus(answer).samples(QUERY)

    assert found[0].labels == {"pod": "pod-0"}
    assert found[0].value == 1.5
    assert isnan(found[1].value)
    assert found[2].value == float("inf")
    assert str(asked[0].url) == "http://prometheus.example/base/api/v1/query"


async def test_tenant_and_token_go_along_and_the_answer_must_be_whole(tmp_path: Path) -> None:
    asked: list[httpx.Request] = []
    (tmp_path / "token").write_text("s3cret\n")

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return vector("1")

    found = PrometheusMetrics(
        "https://mimir.example/prometheus",
        tenant="shop|shared",
        token=TokenFile(tmp_path / "token"),
        transport=httpx.MockTransport(answer),
    )
    await found.samples(QUERY)
    await found.close()

    assert str(asked[0].url) == "https://mimir.example/prometheus/api/v1/query"
    assert asked[0].headers["x-scope-orgid"] == "shop|shared"
    assert asked[0].headers["authorization"] == "Bearer s3cret"
    form = dict(parse_qsl(asked[0].content.decode()))
    assert (form["partial_response"], form["deny_partial_response"], form["nocache"]) == ("false", "1", "1")


async def test_an_answer_by_a_part_of_the_stores_is_an_outage(prometheus: WithAnswer) -> None:
    whole = vector("1").json()

    with pytest.raises(UpstreamUnavailable, match="a part only"):
        await prometheus(lambda _: httpx.Response(200, json={**whole, "isPartial": True})).samples(QUERY)
    assert await prometheus(lambda _: httpx.Response(200, json={**whole, "isPartial": False})).samples(QUERY)


async def test_a_token_file_that_is_away_is_an_outage(tmp_path: Path) -> None:
    found = PrometheusMetrics(
        "https://mimir.example", token=TokenFile(tmp_path / "none", whose="The Prometheus of eu-1's")
    )

    with pytest.raises(UpstreamUnavailable, match="The Prometheus of eu-1's token file none cannot be read"):
        await found.samples(QUERY)
    await found.close()


async def test_empty_answer_is_no_data(prometheus: WithAnswer) -> None:
    assert await prometheus(lambda _: vector()).samples(QUERY) == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(httpx.Response(503, text="starting"), UpstreamUnavailable, id="not JSON"),
        pytest.param(httpx.Response(200, text="<html>"), UpstreamUnavailable, id="a proxy's page"),
        pytest.param(httpx.Response(200, json=[]), UpstreamUnavailable, id="not a document"),
        pytest.param(httpx.Response(200, json={"status": "success"}), UpstreamUnavailable, id="no data"),
        pytest.param(
            httpx.Response(200, json={"status": "success", "data": {"resultType": "matrix", "result": []}}),
            UpstreamUnavailable,
            id="not a vector",
        ),
        pytest.param(
            httpx.Response(200, json={"status": "success", "data": {"resultType": "vector", "result": [{}]}}),
            UpstreamUnavailable,
            id="a sample without a value",
        ),
        pytest.param(
            httpx.Response(500, json={"status": "error", "errorType": "internal", "error": "disk"}),
            UpstreamUnavailable,
            id="an error of its own",
        ),
        pytest.param(
            httpx.Response(503, json={"status": "error", "errorType": "timeout", "error": "query timed out"}),
            UpstreamUnavailable,
            id="a query longer than its own limit",
        ),
        pytest.param(
            httpx.Response(
                422, json={"status": "error", "errorType": "execution", "error": "context deadline exceeded"}
            ),
            UpstreamUnavailable,
            id="storage that is too slow",
        ),
        pytest.param(
            httpx.Response(400, json={"status": "error", "errorType": "bad_data", "error": "parse"}),
            StepConfig,
            id="a query that it refuses",
        ),
        pytest.param(httpx.Response(429), UpstreamRateLimited, id="too many questions"),
    ],
)
async def test_answer_that_is_no_answer_is_raised(
    prometheus: WithAnswer, answer: httpx.Response, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await prometheus(lambda _: answer).samples(QUERY)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"resultType": "vector", "result": []}, id="not a matrix"),
        pytest.param({"resultType": "matrix", "result": {}}, id="not a list"),
        pytest.param({"resultType": "matrix", "result": [{"metric": {}}]}, id="a series without values"),
        pytest.param(
            {"resultType": "matrix", "result": [{"metric": {}, "values": [[0, "x"]]}]}, id="no number"
        ),
        pytest.param(
            {"resultType": "matrix", "result": [{"metric": [1], "values": []}]}, id="labels that are none"
        ),
    ],
)
async def test_series_that_cannot_be_read_are_an_outage(
    prometheus: WithAnswer, data: dict[str, object]
) -> None:
    answer = httpx.Response(200, json={"status": "success", "data": data})

    with pytest.raises(UpstreamUnavailable):
        await prometheus(lambda _: answer).series(RANGE)


async def test_refused_connection_is_an_outage_with_its_cause(prometheus: WithAnswer) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(UpstreamUnavailable) as raised:
        await prometheus(refuse).samples(QUERY)

    assert isinstance(raised.value.__cause__, httpx.ConnectError)


async def test_an_answer_that_trickles_in_is_given_up_like_none(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)  # the trickle itself
        writer.close()
        gone.set()

    monkeypatch.setattr(metrics, "TIMEOUT", 0.5)
    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        prometheus = PrometheusMetrics(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

        with pytest.raises(UpstreamUnavailable):
            await prometheus.samples(QUERY)

        await gone.wait()
        await prometheus.close()


async def test_null_has_no_data() -> None:
    nothing: Metrics = NullMetrics()

    assert await nothing.samples(QUERY) == []
    assert await nothing.series(RANGE) == []


def test_value_with_quotes_stays_a_value() -> None:
    assert escaped('a"b\\c\nd') == 'a\\"b\\\\c\\nd'
    assert selector("up", {"pod": 'x"} or up{a="'}) == 'up{pod="x\\"} or up{a=\\""}'


def test_label_that_is_no_label_is_refused() -> None:
    with pytest.raises(StepConfig):
        selector("up", {'pod"': "x"})
