"""One stack for the whole session, driven as a stranger would drive it: through the `holdpoint` command."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdpoint.embedded.demo import shop
from holdpoint.embedded.lock import command_line
from holdpoint.embedded.server import clean_environment, python

PATIENT = pytest.mark.timeout(300)
"""A whole stack starts within the first test, and each command is a process of its own."""
ACCOUNTS = ("ci", "approver", "approver2", "sre", "commander", "auditor")
PATIENCE = 45.0

CHANGE = """\
apiVersion: holdpoint.dev/v1
kind: Change
metadata: {{title: "{service} {revision}", service: {service}, environment: {environment}, type: {type}}}
spec:
  source:
    repository: ./shop
    revision: {revision}
    paths: [{service}/deployment.yaml, {service}/service.yaml]
  target: {{cluster: sandbox, namespace: default}}
  plan:
    steps: [{step}]
    verify: 1s
  analysis: {{errorRatio: {{max: 0.01}}}}
"""


@dataclass(frozen=True)
class Done:
    """How a command ended and the document that it printed."""

    code: int
    document: Any


class Stack:
    """A running stack on `data`, with a shop's repository and its change files beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.addresses: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    def up(self) -> dict[str, str]:
        self.addresses = self.run("up", "--detach").document
        return self.addresses

    def log_in(self) -> None:
        self.tokens = {name: self.run("login", "--as", name).document["token"] for name in ACCOUNTS}

    def run(self, *arguments: str, by: str | None = None, expect: int | None = 0) -> Done:
        """Run one command; its exit code must be the expected one, if one is."""
        process = self.start(*arguments, by=by)
        printed, said = process.communicate(timeout=100)
        assert expect is None or process.returncode == expect, (arguments, printed, said)
        return Done(process.returncode, json.loads(printed) if printed.strip() else None)

    def start(self, *arguments: str, by: str | None = None) -> "subprocess.Popen[str]":
        environment = clean_environment() | {"HOLDPOINT_DATA": str(self.data)}
        if "HOLDPOINT_OPA" in os.environ:
            environment["HOLDPOINT_OPA"] = os.environ["HOLDPOINT_OPA"]
        if by is not None:
            environment["HOLDPOINT_TOKEN"] = self.tokens[by]
        return subprocess.Popen(
            [*python("holdpoint.cli", *arguments), "--output", "json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=environment,
        )

    def change(
        self,
        service: str,
        *,
        revision: str = shop.NEXT,
        environment: str = "staging",
        type: str = "standard",
        bake: str | None = "2s",
    ) -> str:
        """Write a change file: a canary that bakes so long, or a plain `apply`; return its name."""
        canary = f"{{canary: {{deployment: {service}, weights: [50], bake: {bake}}}}}"
        text = CHANGE.format(
            service=service,
            revision=revision,
            environment=environment,
            type=type,
            step=canary if bake else "{apply: {}}",
        )
        (self.folder / f"{service}.yaml").write_text(text)
        return f"{service}.yaml"

    def submit(self, service: str, *, by: str = "ci", **change: Any) -> str:
        """Submit a change without waiting for it; return the ticket."""
        ticket: str = self.run("submit", self.change(service, **change), by=by).document["id"]
        return ticket

    def first_releases(self) -> None:
        """Bring the first release of every service to the cluster, all at once."""
        changes = [self.change(service, revision=shop.FIRST, bake=None) for service in shop.SERVICES]
        for process in [self.start("submit", change, "--wait", by="ci") for change in changes]:
            printed, said = process.communicate(timeout=100)
            assert process.returncode == 0, (printed, said)

    def view(self, ticket: str) -> dict[str, Any]:
        """Return the ticket as the API shows it now."""
        answer = httpx.get(
            f"{self.addresses['api']}/v1/changes/{ticket}",
            headers={"Authorization": f"Bearer {self.tokens['ci']}"},
            trust_env=False,
        )
        document: dict[str, Any] = answer.json()
        return document

    def until(self, ticket: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the ticket as soon as it has come that far."""
        deadline, after = time.monotonic() + PATIENCE, 0
        while True:
            news = self._news(ticket, after)
            view: dict[str, Any] = news["view"]
            if reached(view):
                return view
            assert time.monotonic() < deadline, view
            after = max([after, *(entry["seq"] for entry in news["entries"])])

    def _news(self, ticket: str, after: int) -> dict[str, Any]:
        """Return the ticket with its entries after a sequence number; wait 5 s for one if there is none."""
        answer = httpx.get(
            f"{self.addresses['api']}/v1/changes/{ticket}/entries",
            params={"after": after, "wait": 5},
            headers={"Authorization": f"Bearer {self.tokens['ci']}"},
            timeout=10,
            trust_env=False,
        )
        news: dict[str, Any] = answer.json()
        return news

    def ends(self, ticket: str) -> dict[str, Any]:
        """Return the ticket when it is closed, whatever its end is."""
        document: dict[str, Any] = self.run("watch", ticket, by="ci", expect=None).document
        return document

    def images(self, service: str) -> list[str]:
        """Return the images that the cluster's Deployments of a service run, by the cluster's own word."""
        token = (self.data / "sandbox" / "tokens" / "forward.token").read_text().strip()
        answer = httpx.get(
            f"{self.addresses['sandbox']}/apis/apps/v1/namespaces/default/deployments",
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
        )
        return sorted(
            item["spec"]["template"]["spec"]["containers"][0]["image"]
            for item in answer.json()["items"]
            if item["metadata"]["name"].startswith(service)
        )

    def processes(self) -> list[str]:
        """Return the command lines of all processes that name the data folder, but for our own commands."""
        found = (command_line(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [line for line in found if str(self.data) in line]


def in_canary(view: dict[str, Any]) -> bool:
    """Tell whether the ticket has brought its canary to a weight."""
    return view["phase"] == "Executing" and any(step["weight"] for step in view["steps"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(PATIENT)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("e2e"))
    made.data.mkdir(mode=0o700)
    (made.data / "catalog.yaml").write_text(shop.catalog())
    shop.make_repository(made.folder)
    made.up()
    made.log_in()
    made.run("sandbox", "behave", "--image", "*", "--rps", "5000")  # enough to judge in seconds
    made.first_releases()
    yield made
    made.run("down")
    assert made.processes() == []
