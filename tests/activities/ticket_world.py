"""A small world for a ticket's activities: ledger, sandbox and repository are real, the policy is a fake."""

import dataclasses
import itertools
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from sqlalchemy import Connection
from temporalio.testing import ActivityEnvironment

from activities.ticket import TicketActivities
from holdpoint.clients.git import Repositories
from holdpoint.clients.http_peers import Peers
from holdpoint.clients.kubernetes import Clusters
from holdpoint.clients.rendering import Renderers
from holdpoint.ledger import entries, freezes, outbox, targets, tickets
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.outbox import OutboxRow
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.activity_calls import (
    CheckReport,
    EvaluateCall,
    Evaluation,
    LeaveCall,
    PrecheckCall,
    ScheduleCall,
    Scheduled,
)
from holdpoint.models.artifact import Soak
from holdpoint.models.change import Change
from holdpoint.models.phases import Phase
from holdpoint.models.policy import (
    ApprovalNeed,
    Decision,
    Obligations,
    PolicyInput,
    ServiceFacts,
    Window,
)
from holdpoint.models.record import Entry, EntryDraft, Freeze, Record, Scope
from holdpoint.models.ticket import Hold, HoldCode, Risk, RollsBack, TargetView, TicketView
from tests.activities.world import Sandbox, deployment, service

DIGEST = "sha256:" + "0" * 64
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
NIGHT = datetime(2026, 3, 2, 22, tzinfo=UTC)

_namespaces = itertools.count(1)


class Deciding:
    """A policy that records what it is asked and decides what a test says."""

    def __init__(self) -> None:
        self.asked: list[PolicyInput] = []
        self.error: Exception | None = None
        self.decision = Decision(
            risk=Risk(level="low"),
            approvals=ApprovalNeed(count=1, groups=["approver"]),
            obligations=Obligations(window=True),
            revision="r1",
            digest=DIGEST,
        )

    async def decide(self, question: PolicyInput) -> Decision:
        self.asked.append(question)
        if self.error is not None:
            raise self.error
        return self.decision


class Services:
    """A catalog of one service, with one window."""

    def __init__(self) -> None:
        self.known = ServiceFacts(known=True, owner="team-shop", tier=1, windows=[Window()])

    def facts(self, service: str) -> ServiceFacts:
        return self.known if service == "shop" else ServiceFacts(known=False)


class TicketWorld:
    """One service, its repository and its tickets, with the activities that carry a ticket along."""

    def __init__(
        self,
        sandbox: Sandbox,
        folder: Path,
        *,
        renderers: Renderers | None = None,
        peers: Peers | None = None,
    ) -> None:
        self.sandbox = sandbox
        self.namespace = f"shop-t{next(_namespaces)}"
        self.repository = folder / "repository"
        self.ledger = Ledger(f"sqlite:///{folder}/ledger.db")
        self.ledger.migrate()
        self.blobs = Blobs(folder / "blobs", b"k" * 32)
        self.clusters = Clusters(dict.fromkeys(("sandbox", "other"), sandbox.settings()))
        self.repositories = Repositories(folder / "git", allow_local=True, renderers=renderers)
        self.policy, self.catalog, self.peers = Deciding(), Services(), peers
        self.time = MONDAY
        self.target = f"sandbox/{self.namespace}/shop"
        self._activities = itertools.count(1)
        self.activities = self.again()
        space = {"kind": "Namespace", "metadata": {"name": self.namespace}}
        assert sandbox.ask("POST", "/api/v1/namespaces", json=space).status_code == 201
        self.repository.mkdir()
        self.git("init", "-q", "-b", "main")

    def again(self) -> TicketActivities:
        """Return the activities as another worker has them."""
        return TicketActivities(
            ledger=self.ledger,
            blobs=self.blobs,
            policy=self.policy,
            catalog=self.catalog,
            repositories=self.repositories,
            clusters=self.clusters,
            peers=self.peers,
            now=self.now,
        )

    def now(self, db: Connection) -> datetime:
        return self.time

    async def close(self) -> None:
        await self.clusters.close()
        self.ledger.close()

    # The repository and the cluster

    def git(self, *arguments: str) -> str:
        who = {
            f"GIT_{role}_{what}": f"{role}@x.example"
            for role in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.repository,
            env={**os.environ, **who},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, *objects: dict[str, Any]) -> str:
        """Commit the service's manifests; by default its Deployment and its Service."""
        text = yaml.safe_dump_all(objects or (deployment(), service()))
        (self.repository / "shop.yaml").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "Sell more")
        return self.git("rev-parse", "HEAD")

    def deploy(self, *objects: dict[str, Any]) -> None:
        """Bring objects into the cluster as our own forward identity does."""
        for item in objects:
            body = {**item, "metadata": {**item["metadata"], "namespace": self.namespace}}
            answer = self.sandbox.ask(
                "PATCH",
                f"{self.path(item)}?fieldManager=holdpoint",
                token="forward",
                content=yaml.safe_dump(body),
                headers={"Content-Type": "application/apply-patch+yaml"},
            )
            assert answer.status_code in (200, 201), answer.text

    def path(self, item: dict[str, Any]) -> str:
        root = "/apis/apps/v1" if item["kind"] == "Deployment" else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{item['kind'].lower()}s/{item['metadata']['name']}"

    def until_ready(self, item: dict[str, Any]) -> None:
        for _ in self._looks():
            body = self.sandbox.ask("GET", self.path(item)).json()
            if body.get("status", {}).get("availableReplicas") == body["spec"]["replicas"]:
                return
        raise AssertionError("it did not become ready")

    def _looks(self) -> Iterator[None]:
        with httpx.Client(trust_env=False) as client:
            for _ in range(400):
                yield
                client.get(f"{self.sandbox.url}/readyz")

    # Tickets

    def a_change(self, **metadata: str) -> Change:
        return Change.model_validate(
            {
                "apiVersion": "holdpoint.dev/v1",
                "kind": "Change",
                "metadata": {"title": "shop 2", "service": "shop", "environment": "production", **metadata},
                "spec": {
                    "source": {
                        "repository": str(self.repository),
                        "revision": "main",
                        "paths": ["shop.yaml"],
                    },
                    "target": {"cluster": "sandbox", "namespace": self.namespace},
                    "plan": {
                        "steps": [{"canary": {"deployment": "shop", "weights": [25, 50], "bake": "1s"}}]
                    },
                    "analysis": {"errorRatio": {"max": 0.01}},
                },
            }
        )

    def submit(
        self,
        ticket: str = "chg-1",
        *,
        commit: str | None = None,
        change: Change | None = None,
        back: tuple[str, str] | None = None,
        retries: str | None = None,
        rehearsal: bool = False,
        at: datetime = MONDAY,
        many: tuple[str, ...] = (),
    ) -> None:
        """Open a ticket; `back` makes it the rollback of the first named one to the second."""
        links = None if back is None else RollsBack(ticket=back[0], to=back[1])
        change = change or self.a_change()
        commit = commit or self.git("rev-parse", "HEAD")
        stored = StoredChange(
            ticket=ticket,
            change=change,
            commit=commit,
            repository=str(self.repository),
            requester="ci",
            digest=DIGEST,
            rolls_back=links,
            retries=retries,
            rehearsal=rehearsal,
            targets=list(many),
        )
        view = TicketView(
            id=ticket,
            title=change.metadata.title,
            service="shop",
            environment=change.metadata.environment,
            type=change.metadata.type,
            phase=Phase.EVALUATING,
            created_at=at,
            requester="ci",
            commit=commit,
            repository=str(self.repository),
            revision="main",
            target=self.target,
            targets=[TargetView(target=key, wave=1) for key in many],
            rolls_back=None if links is None else links.ticket,
            restores=None if links is None else links.to,
            is_rehearsal=rehearsal,
        )
        draft = EntryDraft(key=f"{ticket}/submitted", kind="ticket.submitted", actor="ci", at=MONDAY)
        self.ledger.write_now(
            tickets.open_ticket,
            view=view,
            stored=stored,
            key=ticket,
            content=ticket,
            scope_open_only=False,
            draft=draft,
        )

    def enters(self, ticket: str, phase: Phase, hold: HoldCode | None = None, **more: Any) -> None:
        """Record that a ticket is in a phase, perhaps on hold, as its workflow does."""
        held = [] if hold is None else [Hold(code=hold, message="m", by="x", since=MONDAY, lift="l")]
        draft = EntryDraft(key=f"{ticket}/{phase}/{hold}", kind="phase.entered", actor="holdpoint", at=MONDAY)
        patch = {"phase": phase.value, "holds": [item.model_dump(mode="json") for item in held], **more}
        self.ledger.write_now(entries.append, Record(ticket=ticket, entries=[draft], patch=patch))

    def approve(self, ticket: str, digest: str, by: str, *roles: str) -> None:
        """Write the entry that the API's door writes."""
        body = {"by": by, "digest": digest, "roles": list(roles or ("approver",)), "reason": ""}
        draft = EntryDraft(
            key=f"approval.given/{digest}/{by}", kind="approval.given", actor=by, at=MONDAY, body=body
        )
        self.ledger.write_now(entries.append_entry, draft, ticket)

    def takes_target(self, ticket: str, *, dirty: bool = False) -> None:
        """Have a rollout of the ticket hold the target."""
        self.ledger.write_now(targets.enter_lane, ticket=ticket, target=self.target, priority=4)
        self.ledger.write_now(
            targets.take_target, target=self.target, ticket=ticket, run="run-1", rollout={"mode": "forward"}
        )

    def freeze(self, *except_types: str, until: timedelta | None = None) -> Freeze:
        return self.ledger.write_now(
            freezes.create_freeze,
            scope=Scope(service="shop"),
            reason="INC-7",
            by="commander",
            until=None if until is None else datetime.now(UTC) + until,
            except_types=list(except_types),
        )

    def view(self, ticket: str) -> TicketView:
        return self.ledger.read_now(tickets.get_ticket, ticket)

    def recorded(self, ticket: str, kind: str) -> list[Entry]:
        return [e for e in self.ledger.read_now(entries.entries_of, ticket) if e.kind == kind]

    def posted(self, kind: str) -> list[OutboxRow]:
        rows = self.ledger.write_now(outbox.take, limit=100, lease=0.0)
        return [row for row in rows if row.kind == kind]

    # Activities

    async def evaluate(
        self, ticket: str = "chg-1", *, purpose: Any = "submit", before: Evaluation | None = None
    ) -> Evaluation:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, activity_id=str(next(self._activities)))
        shown = before.plan_diff if before is not None else None
        call = EvaluateCall(ticket=ticket, purpose=purpose, plan_diff=shown.digest if shown else None)
        done: Evaluation = await environment.run(self.activities.evaluate, call)
        return done

    async def schedule(
        self,
        ticket: str = "chg-1",
        *,
        priority: int = 4,
        window: bool = False,
        supersede: bool = False,
        soak: Soak | None = None,
    ) -> Scheduled:
        call = ScheduleCall(
            ticket=ticket,
            target=self.target,
            priority=priority,
            window=window,
            supersede=supersede,
            soak=soak,
        )
        return await self.activities.schedule(call)

    async def leave(self, ticket: str = "chg-1") -> None:
        await self.activities.leave(LeaveCall(ticket=ticket, target=self.target))

    async def precheck(self, ticket: str = "chg-1", *, checks: list[str] | None = None) -> CheckReport:
        plan = (await self.evaluate(ticket)).plan
        call = PrecheckCall(ticket=ticket, target=self.target, plan=plan, checks=checks or [])
        return await self.activities.precheck(call)
