"""A real OPA for tests, found or built as the product does it, and served as `up` serves it."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

from holdpoint.embedded.opa import find_from
from holdpoint.embedded.policy_bundle import Bundle, packaged_policies


@cache
def find() -> Path:
    """Return an OPA; the first run on a machine builds it, which takes about a minute."""
    return find_from(os.environ, print)


@dataclass
class Served:
    """An OPA that listens, with the bundle that it serves."""

    bundle: Bundle
    policies: Path
    url: str
    process: "subprocess.Popen[bytes]"

    def ask(self, method: str, path: str, *, token: str | None = None, **more: object) -> httpx.Response:
        secret = self.bundle.token_file.read_text() if token is None else token
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            headers = {"Authorization": f"Bearer {secret}"} if secret else {}
            return client.request(method, path, headers=headers, **more)  # type: ignore[arg-type]  # httpx's own keywords

    def until_served(self, revision: str) -> None:
        for _ in range(400):
            answer = self.ask("POST", "/v1/data/holdpoint/decision?provenance=true", json={"input": {}})
            if revision in answer.text:
                return
            time.sleep(0.02)  # OPA takes a new bundle over by itself, and tells nobody
        raise AssertionError("the new bundle was not taken over")


def bundle_in(folder: Path) -> tuple[Bundle, Path]:
    """Return a bundle of a copy of the packaged policies, not yet built."""
    policies = folder / "policies"
    shutil.copytree(packaged_policies(), policies)
    return Bundle(opa=find(), policies=policies, folder=folder / "opa"), policies


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """Serve the packaged policies from a folder."""
    bundle, policies = bundle_in(folder)
    bundle.refresh()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with subprocess.Popen(bundle.command(port), stderr=subprocess.DEVNULL) as process:
        try:
            made = Served(bundle, policies, f"http://127.0.0.1:{port}", process)
            _until_ready(made)
            yield made
        finally:
            process.kill()


def _until_ready(made: Served) -> None:
    for _ in range(400):
        try:
            if made.ask("GET", "/health", token="").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.02)  # OPA tells of its readiness only when it is asked
    raise AssertionError("OPA did not become ready")
