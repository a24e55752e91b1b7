"""Holdpoint as production runs it, on the real stack: its own database with least privileges, two identities
with the shipped rights, an issuer, a Git server with a password, one API and two workers as processes.

Between each process and each server lies a line (`lines.py`) on which a test can stall or hold what passes.
"""

import asyncio
import json
import secrets
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from temporalio.client import Client

from holdpoint.embedded.server import clean_environment, python
from holdpoint.ledger.signing import Signer
from holdpoint.service.tokens import create_issuer_keys, issue
from tests.real import shop
from tests.real.database import Database
from tests.real.git_repository import know_password, make_repository
from tests.real.kubernetes_admin import Admin
from tests.real.lines import Held, Lines, Moment, ProcessLines, Sent
from tests.real.outside import Outside
from tests.real.processes import Process, StackServer
from tests.sandbox.process import free_port

ISSUER = "https://tokens.example"
ACCOUNTS = ("ci", "approver", "sre", "commander", "auditor")
PATIENCE = 150.0
"""Seconds for a ticket to come to its end: an outage of 30 s and the rounds of attempts around it."""
LONG_POLL = 5
WORKERS = ("worker-1", "worker-2")
Json = dict[str, Any]


class Installation:
    """One installation; `namespace` is where its changes go."""

    def __init__(self, folder: Path, stack_folder: Path) -> None:
        self.folder, self.stack_folder = folder, stack_folder
        self.stack: Json = json.loads((stack_folder / "stack.json").read_text())
        self.data = folder / "data"
        self.namespace = f"shop-{uuid.uuid4().hex[:6]}"
        self.database = Database(self.stack["postgres"]["url"])
        self.admin = Admin(self.stack["kubernetes"])
        self._network = Lines()
        names = ("api", *WORKERS)
        self.lines = {name: ProcessLines(self._network, self.stack) for name in names}
        self.processes: dict[str, Process] = {}
        self.http = httpx.Client(trust_env=False, timeout=60)
        self.tokens: dict[str, str] = {}
        self.ports = {name: free_port() for name in names}
        self.outside = Outside(
            folder=folder,
            admin=self.admin,
            namespace=self.namespace,
            database=self.database,
            audit_log=Path(self.stack["kubernetes"]["audit_log"]),
        )

    # Made and taken back.

    def install(self) -> None:
        """Do what an operator does before the first start."""
        keys = self.data / "keys"
        keys.mkdir(parents=True, mode=0o700)
        (keys / "blob.key").write_bytes(secrets.token_bytes(32))
        Signer.load_or_create(keys)
        issuer = create_issuer_keys(_made(self.folder / "issuer"))
        self.tokens = {name: issue(issuer, name, issuer=ISSUER) for name in ACCOUNTS}
        self.outside.api, self.outside.auditor = self.address, self.tokens["auditor"]
        (self.data / "catalog.yaml").write_text(shop.catalog("boutique"))
        self.database.create()
        self.admin.namespace(self.namespace)
        self.admin.install_rights(self.namespace)
        self.repository = make_repository(self.stack["git"], self.namespace, shop.releases())
        know_password(self.stack["git"], self.folder)
        self._behave("*", rps=shop.REQUESTS_A_SECOND)
        for name in self.lines:
            self._configure(name)
        self._migrate()

    def start(self) -> None:
        """Start API and workers, and let this release take new tickets."""
        for process in self.processes.values():
            process.begin()
        made = self.command("worker", "--make-current", "--settings", str(self._settings("worker-1")))
        assert made["build_id"]
        for process in self.processes.values():
            process.until_ready()

    def hold(self, matches: Callable[[Sent], bool], moment: Moment) -> Held:
        """Hold the next request of any worker to the API server that matches."""
        held = self._network.held(matches, moment)
        for name in WORKERS:
            self.lines[name].cluster.hold(held)
        return held

    def pass_everything(self) -> None:
        """Let go what is held on any line, and let nothing stall."""
        for lines in self.lines.values():
            lines.cluster.let_go()
            for line in lines.all().values():
                line.resume()

    def close(self) -> dict[str, int | None]:
        """Stop everything, take back what was made outside of the folder; return the exit codes."""
        codes = {name: process.stop() for name, process in self.processes.items()}
        self.http.close()
        self._network.close()
        asyncio.run(self._end_workflows())
        self.admin.delete(f"/api/v1/namespaces/{self.namespace}")
        self.outside.close()
        self.database.drop()
        return codes

    # What pipelines and people ask.

    def command(
        self, *arguments: str, by: str = "ci", expect: int = 0, env: dict[str, str] | None = None
    ) -> Any:
        """Run a command and return the document that it prints."""
        done = subprocess.run(
            [*python("holdpoint.cli", *arguments), "--output", "json"],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self._environment()
            | {"HOLDPOINT_URL": self.address, "HOLDPOINT_TOKEN": self.tokens[by]}
            | (env or {}),
            timeout=600,
            check=False,
        )
        assert done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def call(self, method: str, path: str, *, by: str = "ci", **sent: Any) -> Any:
        """Return what the API answers."""
        answer = self.http.request(
            method,
            f"{self.address}/v1{path}",
            headers={"Authorization": f"Bearer {self.tokens[by]}"} | sent.pop("headers", {}),
            **sent,
        )
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json()

    def change_file(self, service: str, release: int, **change: Any) -> Path:
        """Write a change file and return it."""
        text = shop.change(service, release, repository=self.repository, namespace=self.namespace, **change)
        file = self.folder / f"{service}-{release}.yaml"
        file.write_text(text)
        return file

    def submit(self, service: str, release: int, **change: Any) -> str:
        """Submit a change and return its ticket."""
        return self.submit_text(self.change_file(service, release, **change).read_text())

    def submit_text(self, text: str) -> str:
        """Submit what a change file says and return its ticket."""
        key = {"Idempotency-Key": uuid.uuid4().hex}
        ticket: str = self.call("POST", "/changes", json={"change": text}, headers=key)["id"]
        return ticket

    def bring_first_releases(self) -> None:
        """Apply the first release of every service, all of them in one change; once."""
        if not self.outside.images("web"):
            ended = self.ends(self.submit("shop", 1, services=shop.SERVICES))
            assert ended["phase"] == "Succeeded", ended

    def view(self, ticket: str) -> Json:
        """Return a ticket as it stands."""
        found: Json = self.call("GET", f"/changes/{ticket}")
        return found

    def until(self, ticket: str, reached: Callable[[Json], bool], seconds: float = PATIENCE) -> Json:
        """Return a ticket as soon as it has come that far, whatever becomes of the API meanwhile."""
        end, after = time.monotonic() + seconds, 0
        while True:
            try:
                asked = {"after": after, "wait": LONG_POLL}
                news = self.call("GET", f"/changes/{ticket}/entries", params=asked)
            except (httpx.HTTPError, AssertionError):
                assert time.monotonic() < end, f"the API does not answer about {ticket}"
                time.sleep(0.2)  # the API is down: nobody is there who could tell when it is back
                continue
            view: Json = news["view"]
            if reached(view):
                return view
            assert time.monotonic() < end, view
            assert view["closed_at"] is None, view
            after = max([after, *(entry["seq"] for entry in news["entries"])])

    def ends(self, ticket: str, seconds: float = PATIENCE) -> Json:
        """Return a ticket when it is closed, whatever its end is."""
        return self.until(ticket, lambda view: view["closed_at"] is not None, seconds)

    def behave(self, service: str, release: int, **behaviour: float) -> None:
        """Say how the pods of a release behave."""
        self._behave(shop.image(service, release), **behaviour)

    def _behave(self, image: str, **behaviour: float) -> None:
        url = f"{self.stack['workload']['url']}/behave"
        answer = httpx.post(url, json={"image": image, **behaviour}, trust_env=False, timeout=60)
        assert answer.is_success, answer.text

    def server(self, name: str) -> StackServer:
        """Return a server of the stack."""
        return StackServer(self.stack_folder, name, supervisor=self.stack["pid"])

    # How it is put together.

    @property
    def address(self) -> str:
        """Return where the API is."""
        return f"http://127.0.0.1:{self.ports['api']}"

    def _migrate(self) -> None:
        """Make the ledger's tables, as the role that owns them."""
        owner = {"HOLDPOINT_LEDGER_URL": self.database.ledger_url("holdpoint_owner")}
        settings = ("--settings", str(self._settings("worker-1")))
        assert self.command("migrate", *settings, "--grant-to", "holdpoint_app", env=owner)["migrated"]

    def _configure(self, name: str) -> None:
        lines = self.lines[name]
        cluster = self.admin.settings(
            _made(self.folder / "tokens"), server=lines.cluster.address, ca_file=None
        )
        values = {
            "data": str(self.data),
            "ledger_url": self.database.ledger_url("holdpoint_app", lines.ledger.port),
            "ledger_password_file": str(self.database.password_file(self.folder)),
            "temporal_address": lines.temporal.address,
            "temporal_namespace": self.stack["temporal"]["namespace"],
            "opa_url": f"http://{lines.policy.address}",
            "opa_token_file": self.stack["opa"]["token_file"],
            "token_issuer": ISSUER,
            "token_issuer_key": str(self.folder / "issuer" / "issuer.pub"),
            "git_hosts": [urlsplit(self.stack["git"]["url"]).netloc],
            "clusters": {
                "real": {
                    **cluster.model_dump(mode="json", exclude_none=True),
                    "prometheus": f"http://{lines.prometheus.address}",
                    "scrape_interval": 1,
                }
            },
        }
        port = self.ports[name]
        values["api_address" if name == "api" else "health_address"] = f"127.0.0.1:{port}"
        self._settings(name).write_text(yaml.safe_dump(values))
        role = "api" if name == "api" else "worker"
        self.processes[name] = Process(
            name,
            python("holdpoint.cli", role, "--settings", str(self._settings(name))),
            ready=f"http://127.0.0.1:{port}/v1/ready",
            log=self.folder / f"{name}.log",
            env=self._environment(),
        )

    def _settings(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    def _environment(self) -> dict[str, str]:
        return clean_environment() | {"GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig")}

    async def _end_workflows(self) -> None:
        temporal = self.stack["temporal"]
        client = await Client.connect(temporal["address"], namespace=temporal["namespace"])
        async for found in client.list_workflows("ExecutionStatus = 'Running'"):
            await client.get_workflow_handle(found.id, run_id=found.run_id).terminate("the test is over")


@contextmanager
def installed(folder: Path, stack_folder: Path) -> Iterator[Installation]:
    """Give a running installation, and take it back."""
    made = Installation(folder, stack_folder)
    try:
        made.install()
        made.start()
        yield made
    except BaseException:
        made.close()
        raise
    assert not any(codes := made.close().values()), list(codes)


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
