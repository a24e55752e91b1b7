"""What was answered is still there after a SIGKILL, and the request log tells all of it."""

import subprocess
import sys
import threading

import httpx

from tests.sandbox.process import Sandbox, a_config, a_deployment, a_service, path_of, wait_for


def test_objects_behaviours_and_log_survive_a_kill(own_sandbox: Sandbox) -> None:
    own_sandbox.steer("behave", image="web:1", error_rate=0.5, after=3)
    own_sandbox.apply(a_service())
    own_sandbox.apply(a_deployment(), audit_id="intent-1.1")
    before = own_sandbox.deployed(path_of(a_deployment()))
    pods = own_sandbox.get("/api/v1/namespaces/default/pods")["items"]
    log = own_sandbox.audit()

    own_sandbox.kill()
    own_sandbox.start()

    assert own_sandbox.get(path_of(a_deployment())) == before
    assert own_sandbox.get("/api/v1/namespaces/default/pods")["items"] == pods
    assert own_sandbox.audit()[: len(log)] == log
    state = own_sandbox.send("GET", "/sandbox/state", by="steer").json()
    assert [(b["image"], b["error_rate"], b["after"]) for b in state["behaviours"]] == [("web:1", 0.5, 3)]
    changed = own_sandbox.apply(a_deployment(image="web:2")).json()
    assert int(changed["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


def test_a_rollout_goes_on_after_a_kill(own_sandbox: Sandbox) -> None:
    own_sandbox.apply(a_deployment(replicas=8))
    own_sandbox.deployed(path_of(a_deployment()))
    own_sandbox.apply(a_deployment(replicas=8, image="web:2"))

    own_sandbox.kill()
    own_sandbox.start()

    own_sandbox.deployed(path_of(a_deployment()))


def test_every_answered_write_is_stored_and_logged_although_the_process_is_killed(
    own_sandbox: Sandbox,
) -> None:
    answered: dict[str, str] = {}

    def write() -> None:
        for number in range(10_000):
            try:
                answer = own_sandbox.apply(a_config(f"c-{number}"), audit_id=f"i-{number}.1")
            except httpx.TransportError:
                return
            answered[f"i-{number}.1"] = answer.json()["metadata"]["uid"]

    writer = threading.Thread(target=write)
    writer.start()
    wait_for(lambda: len(answered) > 50)
    own_sandbox.kill()
    writer.join()
    own_sandbox.start()

    stored = own_sandbox.get("/api/v1/namespaces/default/configmaps")["items"]
    logged = {line["auditID"]: line for line in own_sandbox.audit() if line["verb"] == "patch"}
    assert set(answered.values()) <= {body["metadata"]["uid"] for body in stored}
    assert set(answered) <= set(logged)
    assert len(stored) == len(logged)


def test_each_write_has_one_line_that_joins_with_its_intent(own_sandbox: Sandbox) -> None:
    own_sandbox.apply(a_deployment(), audit_id="intent-1.1")
    own_sandbox.apply(a_deployment(image="web:2"), audit_id="intent-2.1", dry_run=True)
    own_sandbox.apply(a_deployment(replicas=-1), audit_id="intent-3.1")
    own_sandbox.send("DELETE", path_of(a_deployment()), by="undo", headers={"Audit-ID": "intent-4.1"})
    own_sandbox.apply(a_config("by-hand"), by="steer")

    lines = [line for line in own_sandbox.audit() if line["verb"] in ("create", "update", "patch", "delete")]
    done = {
        line["auditID"]: (line["verb"], line["user"]["username"])
        for line in lines
        if line["responseStatus"]["code"] < 300
        and "dryRun=" not in line["requestURI"]
        and line["user"]["username"].startswith("holdpoint-")
    }
    assert done == {"intent-1.1": ("patch", "holdpoint-forward"), "intent-4.1": ("delete", "holdpoint-undo")}
    assert {line["auditID"]: line["responseStatus"]["code"] for line in lines}["intent-3.1"] == 422


def test_a_line_has_the_form_of_a_kubernetes_audit_event(own_sandbox: Sandbox) -> None:
    agent = {"User-Agent": "stranger/1.0"}
    own_sandbox.send("POST", "/api/v1/namespaces/default/configmaps", body=a_config("one"), headers=agent)

    line = own_sandbox.audit()[-1]
    received, finished = line.pop("requestReceivedTimestamp"), line.pop("stageTimestamp")
    assert received < finished
    assert received.endswith("Z")
    assert line.pop("auditID")
    assert line.pop("annotations")["authorization.k8s.io/decision"] == "allow"
    assert line == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/default/configmaps",
        "verb": "create",
        "user": {"username": "holdpoint-forward", "groups": ["system:authenticated"]},
        "sourceIPs": ["127.0.0.1"],
        "userAgent": "stranger/1.0",
        "objectRef": {"resource": "configmaps", "namespace": "default", "name": "one", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201},
    }


def test_a_torn_line_and_a_missing_one_are_mended_at_the_start(own_sandbox: Sandbox) -> None:
    own_sandbox.apply(a_config("one"), audit_id="intent-1.1")
    own_sandbox.kill()
    path = own_sandbox.data / "sandbox" / "audit.jsonl"
    path.write_bytes(path.read_bytes()[:-40])

    own_sandbox.start()

    assert [line["auditID"] for line in own_sandbox.audit() if line["verb"] == "patch"] == ["intent-1.1"]


def test_a_second_sandbox_on_the_folder_refuses(own_sandbox: Sandbox) -> None:
    command = [sys.executable, "-m", "holdpoint.sandbox", "--data", str(own_sandbox.data), "--port", "0"]

    second = subprocess.run(command, capture_output=True, text=True, timeout=30)

    assert second.returncode == 1
    assert "Another sandbox runs on" in second.stderr
    assert own_sandbox.apply(a_config("still")).status_code == 201
