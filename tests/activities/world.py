"""A small world for the rollout's activities: the real sandbox process, a real ledger, files in memory."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from activities.rollout import RolloutActivities
from activities.snapshot import Snapshot
from activities.steps.registry import outline
from holdpoint.clients.git_branches import Branches
from holdpoint.clients.git_rendering import Rendered
from holdpoint.clients.http_peers import Peers
from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import freezes, intents, targets, tickets
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.doors import LedgerDoor
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.activity_calls import (
    BeginCall,
    Begun,
    CheckReport,
    CompareCall,
    Compared,
    FinishCall,
    Gate,
    GateCall,
    JudgeCall,
    Judgement,
    PostcheckCall,
    StepCall,
    StepOutcome,
    UndoCall,
    Undone,
)
from holdpoint.models.change import Change
from holdpoint.models.phases import Phase
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import EntryDraft, Freeze, Intent, ObjectRef, Scope
from holdpoint.models.settings import ClusterSettings
from holdpoint.models.ticket import TicketView
from holdpoint.models.workflow_messages import RolloutStart

Send = Callable[[str, str, Any, str], Any]
"""A platform team's or a stranger's request: method, path, body, field manager; returns the object."""

GOOD = "registry.example/shop:1.0"
BETTER = "registry.example/shop:1.1"


def deployment(
    name: str = "shop", *, image: str = GOOD, replicas: int | None = 4, **env: str
) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "web", "image": image, "ports": [{"containerPort": 8080}]}
    if env:
        container["env"] = [{"name": key, "value": value} for key, value in env.items()]
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str = "shop", port: int = 80) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": port, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def secret(name: str = "shop", **values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


class Crash(BaseException):
    """A worker that dies."""


class Files:
    """A repository in memory: the commit is the only name of a state."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}

    async def read(self, repository: str, commit: str, path: str) -> bytes:
        return self.states[commit]

    async def render(self, repository: str, commit: str, wanted: Rendered) -> bytes:
        return self.states[commit]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sandbox:
    """The sandbox process, and a stranger's hands in it."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
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
        with httpx.Client(trust_env=False) as client:
            for _ in range(400):
                try:
                    if client.get(f"{self.url}/readyz").status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                try:
                    self.process.wait(0.05)
                    raise AssertionError("the sandbox ended")
                except subprocess.TimeoutExpired:
                    continue
        raise AssertionError("the sandbox did not become ready")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def settings(self) -> ClusterSettings:
        tokens = self.data / "sandbox" / "tokens"
        return ClusterSettings(
            server=self.url,
            prometheus=f"{self.url}/prometheus",
            scrape_interval=1,
            forward_token_file=tokens / "forward.token",
            undo_token_file=tokens / "undo.token",
        )

    def ask(self, method: str, path: str, *, token: str = "steer", **more: Any) -> httpx.Response:
        secret = (self.data / "sandbox" / "tokens" / f"{token}.token").read_text().strip()
        headers = {"Authorization": f"Bearer {secret}", **more.pop("headers", {})}
        with httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20) as client:
            return client.request(method, path, **more)

    def steer(self, what: str, **body: Any) -> None:
        answer = self.ask("POST", f"/sandbox/{what}", json=body)
        assert answer.status_code < 300, answer.text

    def slow(self, delay: float, *, seconds: float) -> None:
        """Hold each forward write between receipt and commit for `delay` seconds."""
        body = {
            "part": "kubernetes",
            "mode": "slow",
            "user": "holdpoint-forward",
            "delay": delay,
            "for": seconds,
        }
        self.steer("fail", **body)

    def edit(self, path: str, patch: dict[str, Any], manager: str = "stranger") -> None:
        """Change an object as a stranger does."""
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = self.ask("PATCH", f"{path}?fieldManager={manager}", json=patch, headers=headers)
        assert answer.status_code == 200, answer.text

    def audit(self) -> list[dict[str, Any]]:
        lines = (self.data / "sandbox" / "audit.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def writes(self) -> list[dict[str, Any]]:
        """Return what our users changed: every 2xx line that is neither a read nor a dry run."""
        return [
            line
            for line in self.audit()
            if line["verb"] not in ("get", "list", "watch")
            and line["user"]["username"].startswith("holdpoint")
            and 200 <= line["responseStatus"]["code"] < 300
            and "dryRun=All" not in line["requestURI"]
        ]


class World:
    """One service in one namespace of its own, with the activities that change it."""

    def __init__(self, sandbox: Sandbox, folder: Path, namespace: str) -> None:
        self.sandbox, self.namespace, self.folder = sandbox, namespace, folder
        self.ledger = Ledger(f"sqlite:///{folder}/ledger.db")
        self.ledger.migrate()
        self.blobs = Blobs(folder / "blobs", b"k" * 32)
        self.files = Files()
        self.clusters = Clusters({"sandbox": sandbox.settings()})
        self.branches: Branches | None = None
        self.peers = Peers()
        self.activities = self.again()
        self.target = f"sandbox/{namespace}/shop"
        self.plan: list[PlannedStep] = []
        self.ticket, self.run = "", ""

    def again(self) -> RolloutActivities:
        """Return the activities as another worker has them."""
        return RolloutActivities(
            ledger=self.ledger,
            blobs=self.blobs,
            repositories=self.files,
            clusters=self.clusters,
            branches=self.branches,
            peers=self.peers,
        )

    @asynccontextmanager
    async def without_ledger(self) -> AsyncIterator[None]:
        """Have the activities meet a ledger that is down."""
        whole, self.ledger = self.ledger, Ledger("sqlite:////nowhere/ledger.db")
        self.activities = self.again()
        yield
        self.ledger.close()
        self.ledger = whole
        self.activities = self.again()

    async def close(self) -> None:
        await self.clusters.close()
        self.ledger.close()

    # Tickets

    async def submit(
        self, ticket: str, *objects: dict[str, Any], steps: list[Any] | None = None, **analysis: Any
    ) -> None:
        """Store a change of these objects, plan it, and let it hold the target."""
        self.files.states[ticket] = yaml.safe_dump_all(objects).encode()
        change = a_change(
            self.namespace,
            steps or [{"canary": {"deployment": "shop", "weights": [25, 50], "bake": "1s"}}],
            analysis,
        )
        stored = StoredChange(
            ticket=ticket,
            change=change,
            commit=ticket,
            repository="memory",
            requester="ci",
            digest="sha256:" + "0" * 64,
        )
        draft = EntryDraft(
            key=f"{ticket}/submitted", kind="ticket.submitted", actor="ci", at=datetime.now(UTC)
        )
        self.ledger.write_now(
            tickets.open_ticket, view=a_view(ticket, self.target), stored=stored, key=ticket, content=ticket,
            scope_open_only=False, draft=draft,
        )  # fmt: skip
        self.ledger.write_now(targets.enter_lane, ticket=ticket, target=self.target, priority=4)
        self.ticket, self.run = ticket, f"{self.namespace}-{ticket}"
        placed = [{**o, "metadata": {**o["metadata"], "namespace": self.namespace}} for o in objects]
        cluster = self.clusters.forward("sandbox")
        self.plan = [
            await outline(index, step, placed, cluster, self.namespace)
            for index, step in enumerate(change.spec.plan.steps)
        ]

    def of_rollout(self) -> dict[str, Any]:
        return {
            "ticket": self.ticket, "target": self.target, "run": self.run,
            "service": "shop", "environment": "staging", "type": "standard",
        }  # fmt: skip

    async def begin(self, mode: Any = "forward") -> Begun:
        start = RolloutStart(
            ticket=self.ticket, target=self.target, service="shop", environment="staging",
            type="standard", mode=mode, plan=self.plan, verify=1,
        )  # fmt: skip
        self.begun = await self.activities.begin_rollout(BeginCall(**self.of_rollout(), start=start))
        return self.begun

    def step_call(self, stage: Any, weight: int = 0, step: int = 0) -> StepCall:
        return StepCall(
            **self.of_rollout(),
            step=self.plan[step],
            stage=stage,
            weight=weight,
            snapshot=self.begun.snapshot,
        )

    async def weight(self, index: int) -> StepOutcome:
        return await self.activities.apply_step(self.step_call("weight", index))

    async def finish_step(self, step: int = 0) -> StepOutcome:
        return await self.activities.apply_step(self.step_call("finish", step=step))

    async def dies_after_sending(self) -> None:
        """Have a worker die in a step after its first write was sent, and before that is recorded."""

        async def die(self: LedgerDoor, intent: Intent, status: str, result: dict[str, Any]) -> None:
            raise Crash

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LedgerDoor, "close", die)
            with pytest.raises(Crash):
                await self.finish_step()

    async def judge(
        self, *, weight: float, window: float, since: datetime, verifying: bool = False
    ) -> Judgement:
        """Judge; while verifying, as the last look of it."""
        analysis = a_change(self.namespace, [{"apply": {}}], {}).spec.analysis
        assert analysis is not None
        call = JudgeCall(
            **self.of_rollout(), step=None if verifying else self.plan[0],
            weight=weight, since=since, window=window, analysis=analysis,
            snapshot=self.begun.snapshot if verifying else None,
        )  # fmt: skip
        return await self.activities.judge(call)

    async def postcheck(self) -> CheckReport:
        return await self.activities.postcheck(
            PostcheckCall(**self.of_rollout(), snapshot=self.begun.snapshot)
        )

    async def undo(self, *, begun: list[int] | None = None) -> Undone:
        return await self.activities.undo(
            UndoCall(**self.of_rollout(), snapshot=self.begun.snapshot, plan=self.plan, begun=begun)
        )

    async def undone_again(self) -> tuple[bool, list[dict[str, Any]]]:
        """Undo what is undone already; return whether that is complete, and what it wrote."""
        before = len(self.writes())
        again = await self.undo()
        return again.complete, self.writes()[before:]

    async def compare(self) -> Compared:
        return await self.activities.compare(
            CompareCall(**self.of_rollout(), snapshot=self.begun.snapshot, plan=self.plan)
        )

    async def finish(self, *, succeeded: bool) -> None:
        await self.activities.finish_rollout(FinishCall(**self.of_rollout(), succeeded=succeeded))

    async def deploy(self, ticket: str, *objects: dict[str, Any]) -> None:
        """Bring objects to the cluster as an earlier, finished change did."""
        await self.submit(ticket, *objects, steps=[{"apply": {}}])
        await self.begin()
        outcome = await self.finish_step()
        assert outcome.status == "done", outcome
        await self.finish(succeeded=True)

    # The cluster

    def ref(self, name: str = "shop", kind: str = "Deployment") -> ObjectRef:
        version = "apps/v1" if kind == "Deployment" else "v1"
        return ObjectRef(
            cluster="sandbox", api_version=version, kind=kind, namespace=self.namespace, name=name
        )

    async def read(self, name: str = "shop", kind: str = "Deployment") -> dict[str, Any] | None:
        return await self.clusters.forward("sandbox").read(self.ref(name, kind))

    async def live(self, name: str = "shop", kind: str = "Deployment") -> dict[str, Any]:
        found = await self.read(name, kind)
        assert found is not None
        return found

    def path(self, name: str = "shop", kind: str = "Deployment") -> str:
        root = "/apis/apps/v1" if kind == "Deployment" else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{kind.lower()}s/{name}"

    # The ledger

    def intents(self, direction: str = "forward") -> list[Intent]:
        found = self.ledger.read_now(intents.intents_of, self.ticket)
        return [intent for intent in found if intent.request.direction == direction]

    def freeze(self) -> Freeze:
        scope = Scope(service="shop")
        return self.ledger.write_now(
            freezes.create_freeze, scope=scope, reason="INC-7", by="commander", until=None, except_types=[]
        )

    def lift(self, freeze: Freeze) -> None:
        self.ledger.write_now(freezes.lift_freeze, freeze.id, by="commander", reason="over")

    async def gate(self, **asked: Any) -> Gate:
        return await self.activities.gate(GateCall(**self.of_rollout(), **asked))

    async def open_forward(self) -> list[Intent]:
        return await self.ledger.read(intents.open_intents, target=self.target)

    def create(self, body: dict[str, Any], manager: str) -> None:
        """Create an object as a stranger does."""
        path = self.path("", body["kind"]).rstrip("/") + f"?fieldManager={manager}"
        answer = self.sandbox.ask("POST", path, json=body)
        assert answer.status_code == 201, answer.text

    def snapshot(self) -> Snapshot:
        return Snapshot.model_validate_json(self.blobs.get_secret(self.begun.snapshot))

    def writes(self) -> list[dict[str, Any]]:
        """Return what our users changed in this namespace."""
        return [
            line for line in self.sandbox.writes() if line["objectRef"].get("namespace") == self.namespace
        ]


def a_change(namespace: str, steps: list[Any], analysis: dict[str, Any]) -> Change:
    return Change.model_validate(
        {
            "apiVersion": "holdpoint.dev/v1",
            "kind": "Change",
            "metadata": {"title": "shop", "service": "shop", "environment": "staging"},
            "spec": {
                "source": {"repository": "./shop", "revision": "main", "paths": ["all.yaml"]},
                "target": {"cluster": "sandbox", "namespace": namespace},
                "plan": {"steps": steps},
                "analysis": analysis
                or {"errorRatio": {"max": 0.01}, "latency": {"quantile": 0.99, "max": "300ms"}},
            },
        }
    )


def a_view(ticket: str, target: str) -> TicketView:
    return TicketView(
        id=ticket,
        title="shop",
        service="shop",
        environment="staging",
        type="standard",
        phase=Phase.EXECUTING,
        created_at=datetime.now(UTC),
        requester="ci",
        commit=ticket,
        repository="memory",
        revision="main",
        target=target,
    )


@contextmanager
def a_sandbox(folder: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(folder)
    try:
        yield sandbox
    finally:
        sandbox.stop()


async def until(condition: Any, seconds: float = 10.0) -> None:
    """Return when an awaited condition holds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  # the condition is in another process
            # The condition is looked up in another process.
            await asyncio.sleep(0.05)
