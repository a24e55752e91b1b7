"""A Holdpoint of its own for a measurement: the embedded stack, many services, and a client of its API."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from holdpoint.embedded.demo import shop

ACCOUNTS = ("ci", "approver", "commander", "auditor")
OPEN = """\
windows:
  - {days: [mon, tue, wed, thu, fri, sat, sun], start: "00:00", end: "24:00", zone: UTC}
services:
"""
OWNED = "  {service}: {{owner: team-{service}, backupOwner: team-platform, tier: 2}}\n"
CHANGE = """\
apiVersion: holdpoint.dev/v1
kind: Change
metadata: {{title: "{service}", service: {service}, environment: {environment}, type: {type}}}
spec:
  source: {{repository: ./shop, revision: {revision}, paths: [{service}.yaml]}}
  target: {{cluster: {cluster}, namespace: {namespace}}}
  plan: {{steps: [{step}], verify: {verify}}}
  analysis: {{errorRatio: {{max: 0.01}}}}
"""
EXPOSED = shop.DEPLOYMENT + "---\n" + shop.SERVICE
ANSWER = 120.0
"""Seconds for one answer of the API: under a burst it queues."""
LOOK = 0.1
"""Seconds between two looks at the tickets. The API has no stream of all tickets that could be awaited."""


class Installation:
    """A running stack in a folder of its own, as pipelines and people see it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.addresses: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self.api = httpx.AsyncClient(trust_env=False, timeout=ANSWER)

    async def up(
        self, services: Iterable[str], *, clusters: dict[str, dict[str, Any]], manifest: str
    ) -> None:
        """Start the stack with these services in its catalog and in a repository.

        `clusters` are known beside the sandbox, as the settings have them.
        """
        named = list(services)
        self.data.mkdir(mode=0o700)
        (self.data / "settings.yaml").write_text(yaml.safe_dump({"clusters": clusters}))
        (self.data / "catalog.yaml").write_text(OPEN + "".join(OWNED.format(service=name) for name in named))
        await asyncio.to_thread(make_repository, self.folder / "shop", named, manifest)
        self.addresses = await self.command("up", "--detach")
        self.api.base_url = httpx.URL(self.addresses["api"])
        for name in ACCOUNTS:
            self._tokens[name] = (await self.command("login", "--as", name))["token"]

    async def down(self) -> None:
        """Stop it."""
        await self.api.aclose()
        await self.command("down")

    async def processes(self, *names: str) -> list[int]:
        """Return the process IDs of these servers."""
        servers = (await self.command("status"))["servers"]
        return [servers[name]["pid"] for name in names]

    async def reconcile(self, log: Path, cluster: str) -> list[str]:
        """Return what does not agree between a cluster's audit log and the record."""
        asked = ("audit", "reconcile", "--kube-audit", str(log), "--cluster", cluster)
        found = await self.command(*asked, good=(0, 1))
        return [finding["message"] for finding in found["findings"]]

    async def command(self, *arguments: str, good: Collection[int] = (0,)) -> dict[str, Any]:
        """Run a command and return the document that it prints. Raises RuntimeError with what it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "holdpoint.cli", *arguments, "--output", "json", "--data", str(self.data),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder,
        )  # fmt: skip
        printed, said = await process.communicate()
        if process.returncode not in good:
            raise RuntimeError(f"holdpoint {' '.join(arguments)}: {said.decode()[-500:]}")
        document: dict[str, Any] = json.loads(printed)
        return document

    async def call(self, method: str, path: str, *, by: str, **sent: Any) -> Any:
        """Return what the API answers to one request. Raises httpx.HTTPStatusError."""
        headers = {"Authorization": f"Bearer {self._tokens[by]}", **sent.pop("headers", {})}
        answer = await self.api.request(method, path, headers=headers, **sent)
        answer.raise_for_status()
        return answer.json()

    async def submit(self, service: str, *, key: str, by: str = "ci", **change: str) -> str:
        """Submit a change of a service and return the ticket."""
        values = {
            "step": "{apply: {}}",
            "verify": "1s",
            "revision": "first",
            "cluster": "sandbox",
            "namespace": "default",
        } | change
        text = CHANGE.format(
            service=service,
            environment=values.pop("environment", "staging"),
            type=values.pop("type", "standard"),
            **values,
        )
        body = {"change": text, "base": str(self.folder)}
        view = await self.call("POST", "/v1/changes", by=by, json=body, headers={"Idempotency-Key": key})
        ticket: str = view["id"]
        return ticket

    async def show(self, ticket: str) -> dict[str, Any]:
        """Return a ticket as it stands."""
        view: dict[str, Any] = await self.call("GET", f"/v1/changes/{ticket}", by="ci")
        return view

    async def until(self, ticket: str, *phases: str) -> dict[str, Any]:
        """Return a ticket as soon as it is in one of these phases.

        Raises RuntimeError if it ended in another.
        """
        while (view := await self.show(ticket))["phase"] not in phases:
            if view["closed_at"] is not None:
                raise RuntimeError(f"{ticket} ended {view['phase']}: {view['reason']}")
            await asyncio.sleep(LOOK)
        return view

    async def all_until(self, tickets: Iterable[str], *phases: str) -> None:
        """Return when every one of these tickets is or has been in one of these phases."""
        for ticket in tickets:
            await self.until(ticket, *phases)


@asynccontextmanager
async def installed(
    services: Iterable[str], *, clusters: dict[str, dict[str, Any]] | None = None, manifest: str = EXPOSED
) -> AsyncIterator[Installation]:
    """Give a running installation, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="holdpoint-bench-") as folder:
        made = Installation(Path(folder))
        try:
            await made.up(services, clusters=clusters or {}, manifest=manifest)
            yield made
        finally:
            await made.down()


def make_repository(repository: Path, services: Iterable[str], manifest: str) -> None:
    """Make a repository with this manifest for each service, tagged `first` and then `next`."""
    repository.mkdir()
    _git(repository, "init", "--quiet", "--initial-branch", "main")
    for tag in ("first", "next"):
        for service in services:
            text = manifest.format(service=service, image=shop.image(service, tag))
            (repository / f"{service}.yaml").write_text(text)
        _git(repository, "add", "--all")
        _git(repository, "commit", "--quiet", "--message", tag)
        _git(repository, "tag", tag)


def _git(repository: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(repository), *arguments], check=True, env=os.environ | shop.AUTHOR)
