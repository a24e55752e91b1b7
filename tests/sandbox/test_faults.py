"""Parts of the sandbox fail as they are told, and only they."""

import threading
import time

import httpx
import pytest

from tests.sandbox.process import Sandbox, a_config, a_deployment, path_of, wait_for


@pytest.fixture(autouse=True)
def _healthy_again(sandbox: Sandbox) -> None:
    for part in ("kubernetes", "prometheus"):
        sandbox.steer("fail", part=part, mode="error", lasts=0)


class Later:
    """An apply that is on its way in another thread."""

    def __init__(self, sandbox: Sandbox, manifest: dict[str, object], **options: str) -> None:
        self._thread = threading.Thread(target=self._send, args=(sandbox, manifest, options))
        self._thread.start()

    def _send(self, sandbox: Sandbox, manifest: dict[str, object], options: dict[str, str]) -> None:
        self._answer = sandbox.apply(manifest, **options)

    def answer(self) -> httpx.Response:
        """Wait for the answer and return it."""
        self._thread.join(20)
        return self._answer


def test_down_answers_nothing_and_does_nothing(sandbox: Sandbox) -> None:
    sandbox.apply(a_config("down", a="1"))
    sandbox.steer("fail", part="kubernetes", mode="down", lasts=30)

    with pytest.raises(httpx.TransportError):
        sandbox.apply(a_config("down", a="2"))
    with pytest.raises(httpx.TransportError):
        sandbox.send("GET", path_of(a_config("down")))
    assert sandbox.http.get("/prometheus/api/v1/query", params={"query": "up"}).status_code == 200
    sandbox.steer("fail", part="kubernetes", mode="down", lasts=0)

    assert sandbox.get(path_of(a_config("down")))["data"] == {"a": "1"}


def test_a_fault_ends_by_itself(sandbox: Sandbox) -> None:
    sandbox.steer("fail", part="kubernetes", mode="error", lasts=0.2)

    assert sandbox.send("GET", "/api/v1/namespaces").status_code == 500
    wait_for(lambda: sandbox.send("GET", "/api/v1/namespaces").status_code == 200, seconds=2)


def test_errors_are_statuses(sandbox: Sandbox) -> None:
    sandbox.steer("fail", part="kubernetes", mode="error", lasts=30)

    answer = sandbox.apply(a_config("error"))

    assert (answer.status_code, answer.json()["kind"], answer.json()["reason"]) == (
        500,
        "Status",
        "InternalError",
    )


def test_a_held_write_meets_what_happened_meanwhile(sandbox: Sandbox) -> None:
    version = sandbox.apply(a_config("held", a="1")).json()["metadata"]["resourceVersion"]
    late = a_config("held", a="2")
    late["metadata"]["resourceVersion"] = version
    sandbox.steer("fail", part="kubernetes", mode="slow", lasts=30, delay=0.7, user="holdpoint-forward")
    held = Later(sandbox, late, audit_id="intent-1.1")
    time.sleep(0.2)  # the request must be inside before the fence is sent; nothing outside shows that it is

    fence = sandbox.merge(path_of(late), {"metadata": {"annotations": {"fence": "1"}}}, by="undo")
    after = held.answer()

    assert (fence.status_code, after.status_code) == (200, 409)
    assert sandbox.get(path_of(late))["data"] == {"a": "1"}
    (line,) = [line for line in sandbox.audit() if line["auditID"] == "intent-1.1"]
    assert line["responseStatus"]["code"] == 409


def test_a_held_write_lands_when_nothing_happened(sandbox: Sandbox) -> None:
    sandbox.steer("fail", part="kubernetes", mode="slow", lasts=0.2, delay=0.5)
    begun = time.monotonic()

    assert sandbox.apply(a_config("lands", a="1")).status_code == 201
    assert time.monotonic() - begun >= 0.5


def test_a_held_write_lands_although_its_client_has_gone(sandbox: Sandbox) -> None:
    sandbox.steer("fail", part="kubernetes", mode="slow", lasts=0.3, delay=0.6)
    path = "/api/v1/namespaces/default/configmaps"
    with pytest.raises(httpx.ReadTimeout):
        sandbox.send("POST", path, body=a_config("orphan"), timeout=0.2)

    wait_for(lambda: sandbox.send("GET", path_of(a_config("orphan"))).status_code == 200)


def test_a_write_is_given_up_at_its_own_timeout(sandbox: Sandbox) -> None:
    sandbox.steer("fail", part="kubernetes", mode="slow", lasts=0.3, delay=5)

    answer = sandbox.apply(a_config("brief"), timeout="200ms")

    assert (answer.status_code, answer.json()["reason"]) == (504, "Timeout")
    assert sandbox.send("GET", path_of(a_config("brief"))).status_code == 404


def test_slowness_spares_reads_and_dry_runs(sandbox: Sandbox) -> None:
    sandbox.steer("fail", part="kubernetes", mode="slow", lasts=30, delay=5)
    begun = time.monotonic()

    sandbox.send("GET", "/api/v1/namespaces")
    sandbox.apply(a_deployment("dry"), dry_run=True)

    assert time.monotonic() - begun < 2


def test_prometheus_fails_by_itself(sandbox: Sandbox) -> None:
    query = {"query": "up"}
    sandbox.steer("fail", part="prometheus", mode="error", lasts=30)
    error = sandbox.http.get("/prometheus/api/v1/query", params=query)
    sandbox.steer("fail", part="prometheus", mode="slow", lasts=30, delay=0.3)
    begun = time.monotonic()
    slow = sandbox.http.get("/prometheus/api/v1/query", params=query)
    took = time.monotonic() - begun
    sandbox.steer("fail", part="prometheus", mode="down", lasts=30)

    assert (error.status_code, error.json()["errorType"]) == (503, "unavailable")
    assert (slow.status_code, took >= 0.3) == (200, True)
    with pytest.raises(httpx.TransportError):
        sandbox.http.get("/prometheus/api/v1/query", params=query)
    assert sandbox.send("GET", "/api/v1/namespaces").status_code == 200
