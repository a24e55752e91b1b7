"""What Holdpoint takes for granted of a Prometheus: answers worked out by hand, from the samples below.

The samples lie from T to T + 60, one each second.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from holdpoint.sandbox.faults import Faults
from holdpoint.sandbox.prom.endpoint import PrometheusEndpoint
from holdpoint.sandbox.prom.evaluate import Evaluator
from holdpoint.sandbox.prom.series import Database, Target
from tests.sandbox.process import free_port, wait_for
from tools.stack.parts import binary

T = 1_700_000_000
IMPLEMENTATIONS = ["sandbox", pytest.param("real", marks=pytest.mark.real)]

Value = Callable[[int], float]
SERIES: list[tuple[str, dict[str, str], Value]] = [
    ("requests_total", {"pod": "a", "status": "200"}, lambda s: 10 * s),
    ("requests_total", {"pod": "a", "status": "500"}, lambda s: max(0, s - 30)),
    ("requests_total", {"pod": "b", "status": "200"}, lambda s: 20 * (s % 30)),  # starts again at T + 30
    ("idle_total", {"pod": "a"}, lambda s: 0),
    ("large_total", {"pod": "a"}, lambda s: 1000 + 10 * s),
    ("temperature", {"pod": "a"}, lambda s: -2.5),
    ("temperature", {"pod": "b"}, lambda s: s / 4),
    *(
        ("latency_bucket", {"pod": pod, "le": le}, lambda s, n=n * scale: n * s)
        for pod, scale in (("a", 1), ("b", 3))
        for le, n in (("0.1", 50), ("0.3", 90), ("1", 98), ("+Inf", 100))
    ),
]


class Prometheus:
    """A Prometheus with the samples in it."""

    def __init__(self, get: Callable[[str, dict[str, str]], Any]) -> None:
        self._get = get

    async def ask(self, query: str, at: float = 60) -> httpx.Response:
        """Send an instant query for the moment T + `at`."""
        answer: httpx.Response = await self._get("query", {"query": query, "time": str(T + at)})
        return answer

    async def ask_range(self, query: str, start: float, end: float, step: str) -> httpx.Response:
        """Send a range query; start and end are relative to T."""
        form = {"query": query, "start": str(T + start), "end": str(T + end), "step": step}
        answer: httpx.Response = await self._get("query_range", form)
        return answer

    async def vector(self, query: str, at: float = 60) -> dict[str, str]:
        """Return an instant vector: the values, by labels as `a=1,b=2`."""
        answer = await self.ask(query, at)
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        assert data["resultType"] == "vector"
        return {_text(item["metric"]): item["value"][1] for item in data["result"]}


def _text(labels: dict[str, str], *, quote: bool = False) -> str:
    pairs = ((key, json.dumps(value) if quote else value) for key, value in sorted(labels.items()))
    return ",".join(f"{key}={value}" for key, value in pairs if key != "__name__")


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Where to send queries: the sandbox's application, or the address of a real Prometheus."""
    if request.param == "sandbox":
        yield _sandbox()
        return
    process, address = real_prometheus(binary("prometheus"), tmp_path_factory.mktemp("prometheus"))
    yield address
    process.terminate()
    process.wait()


@pytest.fixture
async def prometheus(client: Any) -> Any:
    """A Prometheus, by whichever implementation."""
    transport = httpx.ASGITransport(client) if isinstance(client, Starlette) else None
    base = "http://sandbox/prometheus" if transport else client
    async with httpx.AsyncClient(base_url=base, transport=transport) as http:
        yield Prometheus(lambda route, form: http.post(f"/api/v1/{route}", data=form))


def _sandbox() -> Starlette:
    database = Database()
    for name, labels, value in SERIES:
        target = Target({})
        target.add(name, **labels)
        for second in range(61):
            target.append((T + second) * 1000, [float(value(second))])
        database.targets.append(target)
    cluster: Any = SimpleNamespace(faults=Faults(), evaluator=Evaluator(database))
    endpoint = PrometheusEndpoint(cluster)
    return Starlette(routes=[Route("/prometheus/{path:path}", endpoint.answer, methods=["GET", "POST"])])


def real_prometheus(program: Path, folder: Path) -> tuple["subprocess.Popen[bytes]", str]:
    """Start a Prometheus with the samples in it; return the process and its address."""
    lines = [
        f"{name}{{{_text(labels, quote=True)}}} {value(second)} {T + second}"
        for name, labels, value in sorted(SERIES, key=lambda item: item[0])
        for second in range(61)
    ]
    (folder / "samples").write_text("\n".join([*lines, "# EOF", ""]))
    (folder / "prometheus.yml").write_text("global: {}\n")
    loading = ["tsdb", "create-blocks-from", "openmetrics", str(folder / "samples"), str(folder / "data")]
    subprocess.run([str(program.with_name("promtool")), *loading], check=True, stdout=subprocess.DEVNULL)
    address = f"127.0.0.1:{free_port()}"
    options: dict[str, Path | str] = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "storage.tsdb.retention.time": "100y",
        "web.listen-address": address,
        "log.level": "error",
    }
    process = subprocess.Popen([str(program), *(f"--{name}={value}" for name, value in options.items())])
    wait_for(lambda: _ready(f"http://{address}/-/ready"), seconds=30)
    return process, f"http://{address}"


def _ready(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.TransportError:
        return False


# A counter that rises by 10 a second and is sampled each second: over (50, 60] there are ten samples, 510 to
# 600, nine seconds apart, and one second is missing at the start: 90 * 10/9 = 100. Over 5.5 s there are six
# (55 to 60), half a second is missing at the start: 50 * 5.5/5 = 55. At T the counter was zero and cannot
# have been less: nothing is added before it.
BY_HAND = [
    ("requests_total{pod='a',status='200'}", 60, {"pod=a,status=200": "600"}),
    ("requests_total{pod='a',status='200'}", 30.7, {"pod=a,status=200": "300"}),
    ("requests_total{pod='a',status='200'} offset 20s", 60, {"pod=a,status=200": "400"}),
    ("requests_total{pod='a',status='200'}", 359.9, {"pod=a,status=200": "600"}),
    ("requests_total{pod='a',status='200'}", 360, {}),
    ("requests_total{pod='a',status='200'}", -1, {}),
    ("nothing", 60, {}),
    ("sum(nothing)", 60, {}),
    ("count(requests_total)", 60, {"": "3"}),
    ("count(requests_total{status=~'5..'})", 60, {"": "1"}),
    ("count(requests_total{status=~'5'})", 60, {}),
    ("count(requests_total{status!~'5..',pod!='b'})", 60, {"": "1"}),
    ("count(requests_total{missing=''})", 60, {"": "3"}),
    ("increase(large_total[10s])", 60, {"pod=a": "100"}),
    ("rate(large_total[10s])", 60, {"pod=a": "10"}),
    ("increase(large_total[5500ms])", 60, {"pod=a": "55"}),
    ("increase(large_total[10s] offset 5s)", 60, {"pod=a": "100"}),
    ("increase(large_total[1s])", 60, {}),
    ("increase(requests_total{pod='a',status='200'}[1m])", 30, {"pod=a,status=200": "300"}),
    ("increase(idle_total[1m])", 60, {"pod=a": "0"}),
    ("irate(large_total[1m])", 60, {"pod=a": "10"}),
    ("irate(requests_total{pod='b'}[10s])", 30, {"pod=b,status=200": "0"}),
    # 520, 540, 560, 580, then 0, 20 ... 100: 60 up to the reset and 100 after it, over nine of ten seconds
    ("increase(requests_total{pod='b'}[10s])", 35, {"pod=b,status=200": "177.7777777777778"}),
    ("sum by (status) (requests_total)", 60, {"status=200": "600", "status=500": "30"}),
    ("sum(requests_total) by (pod)", 45, {"pod=a": "465", "pod=b": "300"}),
    ("sum without (status, pod) (requests_total)", 60, {"": "630"}),
    ("avg(temperature)", 60, {"": "6.25"}),
    ("max(temperature)", 60, {"": "15"}),
    ("min by () (temperature)", 60, {"": "-2.5"}),
    ("requests_total{status='500'} / ignoring(status) requests_total{status='200'}", 60, {"pod=a": "0.05"}),
    ("requests_total{status='500'} / on(pod) requests_total{status='200'}", 60, {"pod=a": "0.05"}),
    ("sum(rate(idle_total[1m])) / sum(rate(idle_total[1m]))", 60, {"": "NaN"}),
    ("sum(rate(large_total[10s])) / sum(rate(idle_total[1m]))", 60, {"": "+Inf"}),
    ("temperature > 0", 60, {"pod=b": "15"}),
    ("temperature > bool 0", 60, {"pod=a": "0", "pod=b": "1"}),
    ("0 < temperature", 60, {"pod=b": "15"}),
    ("-temperature", 60, {"pod=a": "2.5", "pod=b": "-15"}),
    ("temperature - 1 * 2", 60, {"pod=a": "-4.5", "pod=b": "13"}),
    ("temperature * temperature", 60, {"pod=a": "6.25", "pod=b": "225"}),
    ("sum(nothing) or vector(0)", 60, {"": "0"}),
    ("vector(0.1) + vector(0.2)", 60, {"": "0.30000000000000004"}),
    ("vector(1e21)", 60, {"": "1e+21"}),
    ("vector(1e-7)", 60, {"": "1e-07"}),
    ("vector(1e-6)", 60, {"": "0.000001"}),
    # of 100 requests a second 50 are within 0.1 s, 90 within 0.3 s, 98 within 1 s
    ("histogram_quantile(0.5, rate(latency_bucket[10s]))", 60, {"pod=a": "0.1", "pod=b": "0.1"}),
    ("histogram_quantile(0.7, sum by (le) (rate(latency_bucket[10s])))", 60, {"": "0.2"}),
    ("histogram_quantile(0.99, sum by (le) (rate(latency_bucket[10s])))", 60, {"": "1"}),
    ("histogram_quantile(0.5, rate(idle_total[10s]))", 60, {}),
]


@pytest.mark.parametrize(("query", "at", "expected"), BY_HAND, ids=[f"{q} at {at}" for q, at, _ in BY_HAND])
async def test_an_instant_query_gives_what_was_worked_out(
    prometheus: Prometheus, query: str, at: float, expected: dict[str, str]
) -> None:
    found = await prometheus.vector(query, at)

    assert found.keys() == expected.keys()
    for labels, value in expected.items():
        assert float(found[labels]) == pytest.approx(float(value), rel=1e-12, nan_ok=True)
        if query.startswith("vector"):
            assert found[labels] == value


async def test_a_scalar_and_its_time_are_given_as_text_and_number(prometheus: Prometheus) -> None:
    whole, fraction = await prometheus.ask("1/0", 60), await prometheus.ask("2 ^ 3 ^ 2 - 12", 60.25)

    assert whole.json() == {"status": "success", "data": {"resultType": "scalar", "result": [T + 60, "+Inf"]}}
    assert fraction.json()["data"]["result"] == [T + 60.25, "500"]


async def test_a_range_selector_gives_the_samples_themselves(prometheus: Prometheus) -> None:
    answer = await prometheus.ask("temperature{pod='b'}[3s]", 10)

    metric = {"__name__": "temperature", "pod": "b"}
    values = [[T + 8, "2"], [T + 9, "2.25"], [T + 10, "2.5"]]
    assert answer.json()["data"] == {"resultType": "matrix", "result": [{"metric": metric, "values": values}]}


async def test_a_range_query_gives_a_value_for_each_step(prometheus: Prometheus) -> None:
    answer = await prometheus.ask_range("temperature > 2", 8, 11, "1s")

    metric = {"__name__": "temperature", "pod": "b"}
    values = [[T + 9, "2.25"], [T + 10, "2.5"], [T + 11, "2.75"]]
    assert answer.json()["data"] == {"resultType": "matrix", "result": [{"metric": metric, "values": values}]}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "sum(",
        "temperature{pod=a}",
        "temperature{pod='a'",
        "{}",
        "{pod=~'.*'}",
        "rate(temperature)",
        "sum(temperature[1m])",
        "rate(sum(temperature)[1m])",
        "temperature + temperature[1m]",
        "1 > 2",
        "1 and temperature",
        "temperature and bool temperature",
        "temperature{pod=~'('}",
        "unknown_function(temperature)",
        "histogram_quantile(0.9)",
        "vector(temperature)",
        "temperature temperature",
        "temperature{__name__='other'}",
        "temperature[0s]",
        "temperature offset",
        "1e400",
        "(" * 3 + "1" + ")" * 2,
    ],
)
async def test_what_is_no_query_is_bad_data(prometheus: Prometheus, query: str) -> None:
    answer = await prometheus.ask(query)

    assert answer.status_code == 400
    assert answer.json()["status"] == "error"
    assert answer.json()["errorType"] == "bad_data"
    assert answer.json()["error"].startswith('invalid parameter "query": ')


@pytest.mark.parametrize(
    "query",
    [
        "requests_total / on(pod) requests_total",
        "temperature + on() temperature",
        "-{pod='a'}",
    ],
    ids=["many to many", "many to one", "names dropped"],
)
async def test_ambiguous_matches_are_execution_errors(prometheus: Prometheus, query: str) -> None:
    answer = await prometheus.ask(query)

    assert (answer.status_code, answer.json()["errorType"]) == (422, "execution")


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [(10, 5, "1"), (0, 5, "0"), (0, 5, "-1"), (0, 5, "x"), (0, 5, ""), (0, 100_000, "1")],
)
async def test_a_senseless_range_is_bad_data(
    prometheus: Prometheus, start: float, end: float, step: str
) -> None:
    answer = await prometheus.ask_range("1", start, end, step)

    assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")
