"""The series follow the pods that are really there, and show what their images were told to do."""

from typing import Any

import pytest

from tests.sandbox.process import Sandbox, a_deployment, a_service, path_of, wait_for

WINDOW = "5s"


@pytest.fixture(scope="module", autouse=True)
def _four_services(sandbox: Sandbox) -> None:
    """Start all at once, so that the module waits for its samples once."""
    sandbox.steer("behave", image="ill:1", error_rate=0.1, latency_ms=400)
    sandbox.steer("behave", image="busy:1", rps=50)
    sandbox.steer("behave", image="dud:1", never_ready=True)
    sandbox.steer("behave", image="late:1", error_rate=1, after=3)
    for name, replicas in {"well": 4, "ill": 1, "busy": 2, "dud": 1, "late": 1}.items():
        sandbox.apply(a_service(name))
        sandbox.apply(a_deployment(name, image=f"{name}:1", replicas=replicas))
    sandbox.apply(a_deployment("alone", image="alone:1"))
    for name in ("split", "split-canary"):
        sandbox.apply(a_service(name))
        sandbox.apply(a_deployment(name, image="split:1", replicas=1))
    sandbox.apply(a_route("split", {"split": 90, "split-canary": 10}))
    for name in ("well", "ill", "busy", "late", "split", "split-canary"):
        sandbox.deployed(path_of(a_deployment(name)))
    wait_for(lambda: rate(sandbox, 'deployment="well"') > 190, seconds=12)


def a_route(name: str, weights: dict[str, int]) -> dict[str, Any]:
    backends = [{"name": service, "port": 80, "weight": weight} for service, weight in weights.items()]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"rules": [{"backendRefs": backends}]},
    }


def rate(sandbox: Sandbox, labels: str) -> float:
    """Return requests a second of the series with these labels."""
    found = sandbox.query(f"sum(rate(http_requests_total{{{labels}}}[{WINDOW}]))")
    return found[0][1] if found else 0.0


def test_a_service_gets_200_requests_a_second_evenly_spread(sandbox: Sandbox) -> None:
    by_pod = sandbox.query(f'sum by (pod) (rate(http_requests_total{{deployment="well"}}[{WINDOW}]))')

    assert len(by_pod) == 4
    assert [value for _, value in by_pod] == pytest.approx([50] * 4, rel=0.1)


def test_requests_follow_the_weights_of_a_route(sandbox: Sandbox) -> None:
    def rates() -> list[float]:
        return [rate(sandbox, f'deployment="{name}"') for name in ("split", "split-canary")]

    # The last of the module's pods became ready after the others, and its window fills up yet.
    wait_for(lambda: rates() == pytest.approx([180, 20], rel=0.1), seconds=12)


def test_by_default_there_are_no_errors_and_p99_is_80_ms(sandbox: Sandbox) -> None:
    errors = sandbox.query('sum(increase(http_requests_total{deployment="well",status=~"5.."}[1m]))')
    buckets = 'http_request_duration_seconds_bucket{deployment="well"}'
    quantile = sandbox.query(f"histogram_quantile(0.99, sum by (le) (rate({buckets}[1m])))")

    assert errors == [({}, 0.0)]
    assert quantile[0][1] == pytest.approx(0.08, rel=0.15)


def test_errors_and_latency_are_in_proportion(sandbox: Sandbox) -> None:
    requests = 'http_requests_total{deployment="ill"'
    ratio = sandbox.query(
        f'sum(rate({requests},status="500"}}[{WINDOW}])) / sum(rate({requests}}}[{WINDOW}]))'
    )
    within = sandbox.query(
        f'sum(rate(http_request_duration_seconds_bucket{{deployment="ill",le="0.3"}}[{WINDOW}]))'
        f' / sum(rate(http_request_duration_seconds_count{{deployment="ill"}}[{WINDOW}]))'
    )

    assert ratio[0][1] == pytest.approx(0.1, rel=0.05)
    assert within[0][1] == pytest.approx(1 - 100**-0.75, abs=0.005)


def test_the_rate_of_an_image_is_that_of_its_service(sandbox: Sandbox) -> None:
    assert rate(sandbox, 'deployment="busy"') == pytest.approx(50, rel=0.1)


def test_pods_without_a_service_or_unready_get_no_requests(sandbox: Sandbox) -> None:
    assert rate(sandbox, 'deployment="alone"') == 0
    assert rate(sandbox, 'deployment="dud"') == 0


def test_a_regression_begins_after_its_delay(sandbox: Sandbox) -> None:
    query = "max_over_time(up[1m])"
    assert sandbox.http.get("/prometheus/api/v1/query", params={"query": query}).status_code == 400

    good = sandbox.query('sum(http_requests_total{deployment="late",status="200"})')
    wait_for(lambda: sandbox.query('sum(http_requests_total{deployment="late",status="500"})')[0][1] > 0)

    assert 200 < good[0][1] < 1000


def test_series_end_with_their_pod_and_appear_with_a_new_one(sandbox: Sandbox) -> None:
    before = {labels["pod"] for labels, _ in sandbox.query('up{deployment="alone"}')}
    sandbox.apply(a_deployment("alone", image="alone:2"))

    def replaced() -> bool:
        after = {labels["pod"] for labels, _ in sandbox.query('up{deployment="alone"}')}
        return len(after) == 2 and not after & before

    wait_for(replaced)
    kept = sandbox.query('rate(http_requests_total{deployment="alone",status="200"}[1m])')
    assert before <= {labels["pod"] for labels, _ in kept}


def test_a_range_query_follows_the_steps(sandbox: Sandbox) -> None:
    now = sandbox.http.get("/prometheus/api/v1/query", params={"query": "vector(1)"}).json()
    end = int(now["data"]["result"][0]["value"][0])
    form = {"query": 'count(up{deployment="well"})', "start": str(end - 2), "end": str(end), "step": "1"}

    answer = sandbox.http.post("/prometheus/api/v1/query_range", data=form).json()

    (row,) = answer["data"]["result"]
    assert row == {"metric": {}, "values": [[end - 2, "4"], [end - 1, "4"], [end, "4"]]}
