"""A world for the doors: a real ledger, and stand-ins that record what they were asked."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from holdpoint.clients.cluster import Receipt
from holdpoint.ledger import entries, intents, targets, tickets
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.clock import now
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.artifact import Artifact
from holdpoint.models.base import Model
from holdpoint.models.contracts import Named
from holdpoint.models.errors import Conflict, NotFound, UpstreamUnavailable
from holdpoint.models.phases import Phase
from holdpoint.models.plan_diff import PlanDiff
from holdpoint.models.policy import Decision
from holdpoint.models.record import EntryDraft, Intent, IntentRequest, ObjectRef, Opened, Record
from holdpoint.models.settings import ClusterSettings, Settings
from holdpoint.models.source import Source
from holdpoint.models.ticket import Risk, TicketView
from holdpoint.models.workflow_messages import Answer, CloseStart, TicketStart
from holdpoint.service import read
from holdpoint.service.outbox import Delivery
from holdpoint.service.preview import Preview
from holdpoint.service.roles import ACCOUNT_ROLES, Actor
from holdpoint.service.submit import Submission, Submitted, submit
from holdpoint.service.turns import Turns

COMMIT = "a" * 40
DIGEST = "sha256:" + "d" * 64
TARGET = "sandbox/default/podinfo"
RUN = "run-1"

CHANGE = """\
apiVersion: holdpoint.dev/v1
kind: Change
metadata:
  title: {title}
  service: {service}
  environment: {environment}
  type: {type}
spec:
  source:
    repository: {repository}
    revision: main
    paths: [deploy.yaml]
  target: {{cluster: sandbox, namespace: default}}
  plan:
    steps:
      - canary: {{deployment: podinfo, weights: [10, 50], bake: 5s}}
  analysis:
    errorRatio: {{max: 0.01}}
"""


def a_change(
    *,
    title: str = "podinfo 2",
    service: str = "podinfo",
    environment: str = "staging",
    type: str = "standard",
    repository: str = "./podinfo",
) -> str:
    return CHANGE.format(
        title=title, service=service, environment=environment, type=type, repository=repository
    )


def actor(account: str) -> Actor:
    return Actor(account=account, roles=frozenset(ACCOUNT_ROLES[account]))


class FakeTemporal:
    """Takes what it is given; can be down, refuse, or know nothing of a workflow."""

    def __init__(self) -> None:
        self.down = False
        self.refusal: str | None = None
        self.updates_used_up = False
        self.running: set[str] = set()
        self.started: list[TicketStart] = []
        self.has_started = asyncio.Event()
        self.closings: list[CloseStart] = []
        self.updates: dict[str, tuple[str, str, Model]] = {}
        self.has_heard = asyncio.Event()
        self.signals: list[tuple[str, str, Model]] = []

    async def start_ticket(self, start: TicketStart) -> None:
        self._up()
        if f"change/{start.ticket}" not in self.running:
            self.running.add(f"change/{start.ticket}")
            self.started.append(start)
            self.has_started.set()

    async def start_closing(self, start: CloseStart) -> None:
        self._up()
        if f"close/{start.ticket}" in self.running:
            raise Conflict("already")
        self.running.add(f"close/{start.ticket}")
        self.closings.append(start)

    async def update(self, workflow: str, update: Named[Any, Any], argument: Any, *, id: str) -> Any:
        self._up()
        if self.updates_used_up:
            raise UpstreamUnavailable("No more updates.")
        self._there(workflow)
        if self.refusal:
            raise Conflict(self.refusal)
        self.updates.setdefault(id, (workflow, update.name, argument))
        self.has_heard.set()
        return Answer(phase=Phase.EXECUTING)

    async def signal(self, workflow: str, name: str, argument: Model) -> None:
        self._up()
        self._there(workflow)
        self.signals.append((workflow, name, argument))

    def _up(self) -> None:
        if self.down:
            raise UpstreamUnavailable("Temporal cannot be reached.")

    def _there(self, workflow: str) -> None:
        if workflow not in self.running:
            raise NotFound(f"no {workflow}")


class FakeRepositories:
    """Every revision is the same commit, until told otherwise."""

    def __init__(self) -> None:
        self.commit = COMMIT
        self.asked: list[tuple[str, str]] = []

    async def resolve(self, repository: str, revision: str) -> str:
        self.asked.append((repository, revision))
        return self.commit

    async def check_source(self, repository: str, commit: str, source: Source) -> None:
        return None


def an_artifact(image: str, config: str = "") -> Artifact:
    """Return what brings one image."""
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in (image, image + config)]
    return Artifact(digest=f"sha256:{digests[0]}", content=f"sha256:{digests[1]}", images=[image])


class FakeEvaluator:
    """Every change brings the same image, until told otherwise."""

    def __init__(self) -> None:
        self.brings = an_artifact("podinfo:2")
        self.asked: list[StoredChange] = []

    async def preview(self, stored: StoredChange) -> Preview:
        self.asked.append(stored)
        decision = Decision(risk=Risk(level="low"), revision="test", digest=DIGEST)
        return Preview(
            plan=[], plan_diff=PlanDiff(cluster="c", namespace="n"), decision=decision, warnings=[]
        )

    async def artifact(self, stored: StoredChange) -> Artifact:
        self.asked.append(stored)
        return self.brings


class FakeCluster:
    """Objects with a version, one of which a fence moves."""

    def __init__(self) -> None:
        self.name = "sandbox"
        self.down = False
        self.objects: dict[str, dict[str, Any]] = {}
        self.fences: list[str] = []

    async def read(self, ref: ObjectRef) -> dict[str, Any] | None:
        self._up()
        return self.objects.get(str(ref))

    async def fence(self, ref: ObjectRef, *, intent: Intent, budget: float = 15.0) -> Receipt:
        self._up()
        if str(ref) not in self.objects:
            raise NotFound(f"{ref} is not there")
        self.fences.append(intent.audit_id)
        meta = self.objects[str(ref)]["metadata"]
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)
        return Receipt(object=ref, audit_id=intent.audit_id, resource_version=meta["resourceVersion"])

    def _up(self) -> None:
        if self.down:
            raise UpstreamUnavailable("Cluster sandbox gave no answer.")


class FakeClusters:
    """One cluster under both identities."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()

    def undo(self, name: str) -> FakeCluster:
        return self.cluster

    def forward(self, name: str) -> FakeCluster:
        return self.cluster

    def denies_creates(self, name: str) -> bool:
        return False

    async def close(self) -> None:
        return None


@dataclass
class World:
    """One installation without its servers."""

    settings: Settings
    ledger: Ledger
    signer: Signer
    temporal: FakeTemporal = field(default_factory=FakeTemporal)
    repositories: Any = field(default_factory=FakeRepositories)
    clusters: Any = field(default_factory=FakeClusters)
    evaluator: Any = field(default_factory=FakeEvaluator)
    turns: Turns = field(default_factory=Turns)
    delivery: Delivery = field(init=False)
    blobs: Blobs = field(init=False)

    def __post_init__(self) -> None:
        self.blobs = Blobs(self.settings.data / "blobs", b"k" * 32)
        self.delivery = Delivery(ledger=self.ledger, temporal=self.temporal)

    async def submit(
        self, text: str, *, key: str = "content:x", by: str = "ci", promote_from: str | None = None
    ) -> Submitted:
        return await submit(
            Submission(text=text, base="/srv/files", key=key, promote_from=promote_from),
            actor(by),
            ledger=self.ledger,
            repositories=self.repositories,
            settings=self.settings,
            delivery=self.delivery,
            evaluator=self.evaluator,
        )

    async def a_ticket(self, *, phase: Phase = Phase.EVALUATING, by: str = "ci", **patch: Any) -> TicketView:
        """Return a ticket that is in this phase, its workflow started."""
        view = (await self.submit(a_change(), by=by)).view
        await self.delivery.deliver_due()
        if phase is not Phase.EVALUATING or patch:
            await self.record(view.id, phase=phase, **patch)
        return await self.ledger.read(tickets.get_ticket, view.id)

    async def record(self, ticket: str, *, phase: Phase, by: str = "workflow", **patch: Any) -> None:
        """Do what the workflow's record does: an entry, and a patch of the view."""
        at = await self.ledger.read(now)
        draft = EntryDraft(key=f"phase/{phase}", kind="phase.entered", actor=by, at=at, body={"phase": phase})
        changes = {"phase": phase.value, **patch}
        await self.ledger.write(entries.append, Record(ticket=ticket, entries=[draft], patch=changes))

    async def kinds(self, ticket: str) -> list[str]:
        """Return the kinds of a ticket's entries, in order."""
        return [entry.kind for entry in await self.ledger.read(entries.entries_of, ticket)]

    async def an_open_intent(
        self, ticket: str, *, name: str = "podinfo", exists: bool = True, type: str = "standard"
    ) -> Intent:
        """Return a forward intent that is under way, on an object of the cluster or on none."""
        ref = a_deployment(name=name)
        if exists:
            self.clusters.cluster.objects[str(ref)] = {"metadata": {"resourceVersion": "7"}}
        version = "7" if exists else None
        await self.take_target(ticket)
        return await self.open_intent(ticket, ref, resource_version=version, change_type=type)

    async def take_target(self, ticket: str) -> None:
        """Let the ticket's rollout hold the target."""
        rollout = {"mode": "forward"}
        await self.ledger.write(targets.take_target, target=TARGET, ticket=ticket, run=RUN, rollout=rollout)

    async def open_intent(self, ticket: str, ref: ObjectRef, **changes: Any) -> Intent:
        """Open an intent of the rollout that holds the target: to create an object, unless told otherwise."""
        request = IntentRequest(
            **{
                "ticket": ticket,
                "target": TARGET,
                "run": RUN,
                "key": f"0/weight/0/{ref.kind}/{ref.name}",
                "direction": "forward",
                "verb": "apply",
                "object": ref,
                "resource_version": None,
                "service": "podinfo",
                "environment": "staging",
                "change_type": "standard",
                **changes,
            }
        )
        outcome = await self.ledger.write(intents.open_intent, request)
        assert isinstance(outcome, Opened)
        return outcome.intent


def a_deployment(*, name: str, namespace: str = "default") -> ObjectRef:
    """Return where a Deployment of the sandbox is."""
    return ObjectRef(
        cluster="sandbox", api_version="apps/v1", kind="Deployment", namespace=namespace, name=name
    )


@cache
def _fresh_tables() -> bytes:
    """Return a migrated ledger's file: migrating once for each process keeps the tests quick."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.db"
        ledger = Ledger(f"sqlite:///{file}")
        ledger.migrate()
        ledger.close()
        return file.read_bytes()


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    """Open a world in a folder."""
    url = f"sqlite:///{folder / 'ledger.db'}"
    settings = Settings(
        data=folder,
        ledger_url=url,
        temporal_address="127.0.0.1:1",
        opa_url="http://127.0.0.1:1",
        opa_token_file=folder / "opa.token",
        clusters={
            "sandbox": ClusterSettings(
                server="http://127.0.0.1:1",
                prometheus="http://127.0.0.1:1",
                forward_token_file=folder / "forward.token",
                undo_token_file=folder / "undo.token",
            )
        },
        local_repositories=True,
        embedded=True,
    )
    (folder / "ledger.db").write_bytes(_fresh_tables())
    ledger = Ledger(url)
    try:
        # Nobody but a workflow records what it was told, and here there is none to wait for.
        with patch.object(read, "HEARD_WITHIN", 0.0):
            yield World(settings=settings, ledger=ledger, signer=Signer.load_or_create(folder / "keys"))
    finally:
        ledger.close()
