"""A sandbox as a process of its own, spoken to over HTTP."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Sandbox:
    """One sandbox process on a data folder; it can be killed and started again."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)
        self.start()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        command = [
            sys.executable,
            "-m",
            "holdpoint.sandbox",
            "--data",
            str(self.data),
            "--port",
            str(self.port),
        ]
        self.process = subprocess.Popen(command)
        wait_for(self._ready, seconds=20)

    def kill(self) -> None:
        """End the process as a power cut of the program would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End the process and close the client."""
        self.process.terminate()
        self.process.wait(10)
        self.http.close()

    def token(self, name: str) -> str:
        """Return the token of forward, undo or steer."""
        return (self.data / "sandbox" / "tokens" / f"{name}.token").read_text()

    def send(
        self, method: str, path: str, *, by: str = "forward", body: Any = None, **options: Any
    ) -> httpx.Response:
        """Send one request; options are headers, content and params of httpx."""
        headers = {"Authorization": f"Bearer {self.token(by)}", **options.pop("headers", {})}
        return self.http.request(method, path, json=body, headers=headers, **options)

    def apply(
        self, manifest: dict[str, Any], *, manager: str = "holdpoint", by: str = "forward", **options: Any
    ) -> httpx.Response:
        """Apply a manifest server-side; options: force, dry_run, timeout, audit_id."""
        params = {"fieldManager": manager}
        params |= {"force": "true"} if options.get("force") else {}
        params |= {"dryRun": "All"} if options.get("dry_run") else {}
        params |= {"timeout": options["timeout"]} if options.get("timeout") else {}
        headers = {"Content-Type": APPLY}
        headers |= {"Audit-ID": options["audit_id"]} if options.get("audit_id") else {}
        return self.send(
            "PATCH", path_of(manifest), by=by, content=json.dumps(manifest), params=params, headers=headers
        )

    def merge(
        self, path: str, patch: dict[str, Any], *, by: str = "forward", **params: str
    ) -> httpx.Response:
        """Send a JSON merge patch."""
        content = json.dumps(patch)
        return self.send(
            "PATCH", path, by=by, content=content, params=params, headers={"Content-Type": MERGE}
        )

    def get(self, path: str) -> dict[str, Any]:
        """Return an object that must be there."""
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def steer(self, action: str, **body: Any) -> dict[str, Any]:
        """Steer the sandbox; `lasts` stands for `for`."""
        if "lasts" in body:
            body["for"] = body.pop("lasts")
        answer = self.send("POST", f"/sandbox/{action}", by="steer", body=body)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def query(self, text: str) -> list[tuple[dict[str, str], float]]:
        """Return an instant vector."""
        answer = self.http.get("/prometheus/api/v1/query", params={"query": text})
        assert answer.status_code == 200, answer.text
        return [(item["metric"], float(item["value"][1])) for item in answer.json()["data"]["result"]]

    def audit(self) -> list[dict[str, Any]]:
        """Return the request log."""
        return [json.loads(line) for line in (self.data / "sandbox" / "audit.jsonl").read_text().splitlines()]

    def deployed(self, path: str) -> dict[str, Any]:
        """Wait until a Deployment is complete and return it."""
        body: dict[str, Any] = wait_for(lambda: complete(self.get(path)))
        return body

    def _ready(self) -> bool:
        assert self.process.poll() is None, "the sandbox ended"
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


def wait_for(look: Callable[[], Any], seconds: float = 10) -> Any:
    """Look until there is something to see, and return it."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)  # what is looked for is in another process, which tells nobody
    return seen


def complete(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return a Deployment whose rollout is over, None while it goes on."""
    status, wanted = body.get("status", {}), body["spec"]["replicas"]
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    seen = status.get("observedGeneration") == body["metadata"]["generation"]
    return body if seen and counts == {wanted} else None


def path_of(manifest: dict[str, Any]) -> str:
    """Return the path of a manifest's object."""
    version, kind = manifest["apiVersion"], manifest["kind"].lower()
    plural = {"ingress": "ingresses"}.get(kind, f"{kind}s")
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    metadata = manifest["metadata"]
    place = "" if kind == "namespace" else f"/namespaces/{metadata.get('namespace', 'default')}"
    return f"{root}{place}/{plural}/{metadata['name']}"


def a_deployment(
    name: str = "web", *, image: str = "web:1", replicas: int | None = 2, **spec: Any
) -> dict[str, Any]:
    """Return a Deployment; further keywords go into its spec."""
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
            **spec,
        },
    }
    if replicas is not None:
        body["spec"]["replicas"] = replicas
    return body


def a_service(name: str = "web", **selector: str) -> dict[str, Any]:
    """Return a Service for the pods with these labels, by default `app` like its name."""
    spec = {"selector": selector or {"app": name}, "ports": [{"port": 80}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def a_config(name: str = "settings", **data: str) -> dict[str, Any]:
    """Return a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }
