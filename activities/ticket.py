"""A ticket's activities outside its rollout: evaluate, record, schedule, leave, precheck. Safe to repeat."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from temporalio import activity

from activities import schedule as lanes
from activities.altered import keep
from activities.beat import beating
from activities.checks.asked import Asked, objections_to, with_policys
from activities.checks.kind import Means
from activities.evaluation import Gathered, Sources, binding_digest, held_to, target_of
from activities.gitops import Gitops
from activities.many import cluster_in, each, gather_all
from activities.prechecks import World, passed, run_checks
from activities.quorum import count_quorum
from holdpoint.clients.catalog import Services
from holdpoint.clients.git import Repositories
from holdpoint.clients.http_peers import Peers
from holdpoint.clients.kubernetes import Clusters
from holdpoint.clients.policy import PolicyEngine, denial
from holdpoint.ledger import clock, entries, freezes, targets, tickets
from holdpoint.ledger.blobs import Blobs
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models import contracts
from holdpoint.models.activity_calls import (
    Call,
    Check,
    CheckReport,
    Done,
    EvaluateCall,
    Evaluation,
    LeaveCall,
    PrecheckCall,
    ScheduleCall,
    Scheduled,
)
from holdpoint.models.artifact import Artifact
from holdpoint.models.errors import InvalidChange, NotFound, StepConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.policy import Decision, Window
from holdpoint.models.record import EntryDraft, Freeze, Record

Clock = Callable[[Connection], datetime]
"""Tells the time. The database's own, so that workers whose clocks differ see the same window."""


class TicketActivities:
    """What a ticket's workflow asks of the outside, with the clients that it takes."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        blobs: Blobs,
        policy: PolicyEngine,
        catalog: Services,
        repositories: Repositories,
        clusters: Clusters,
        means: Means | None = None,
        peers: Peers | None = None,
        now: Clock = clock.now,
    ) -> None:
        self._ledger, self._blobs = ledger, blobs
        self._policy = policy
        self._sources = Sources(ledger, catalog, repositories, clusters, blobs.fingerprint, means or Means())
        self._peers = peers or Peers()
        self._now = now

    @activity.defn(name=contracts.EVALUATE.name)
    async def evaluate(self, call: EvaluateCall) -> Evaluation:
        """Ask the policy, count the approvals in the ledger, and record the decision with its input."""
        async with beating():
            stored, now = await self._ledger.read(self._asked_now, call.ticket)
            gathered, decision = await self._decide(call, stored, now)
            evaluation = await self._counted(stored, gathered, decision)
            if gathered is not None:
                alters = gathered.altered
                moves = await asyncio.to_thread(keep, self._blobs, alters, call.plan_diff)
                evaluation = evaluation.model_copy(update={"plan_diff": alters.summary, "moved": moves})
            await self._ledger.write(entries.append, _evaluated(call, gathered, evaluation, now))
            return evaluation

    @activity.defn(name=contracts.RECORD.name)
    async def record(self, call: Call) -> Done:
        """Do nothing more: what the call carries was recorded by the interceptor before this ran."""
        return Done()

    @activity.defn(name=contracts.SCHEDULE.name)
    async def schedule(self, call: ScheduleCall) -> Scheduled:
        """Grant the target's lane, or say what the ticket waits for."""
        stored = await self._ledger.read(tickets.change_of, call.ticket)
        facts = self._sources.catalog.facts(stored.change.metadata.service) if call.window else None
        windows = facts.windows if facts is not None else []
        return await self._ledger.write(self._ask, call, windows)

    @activity.defn(name=contracts.LEAVE.name)
    async def leave(self, call: LeaveCall) -> Done:
        """Give the place in the lane back, and the target if no rollout has begun on it."""
        for target in call.targets or [call.target]:
            await self._ledger.write(targets.leave_lane, ticket=call.ticket, target=target)
        return Done()

    @activity.defn(name=contracts.PRECHECK.name)
    async def precheck(self, call: PrecheckCall) -> CheckReport:
        """Run every check once more before anything is written."""
        async with beating():
            if not call.plans:
                checks = await self._check(call, call.target, call.plan)
            else:
                # The gate bounds how many clusters are asked at one time.
                found = await each(call.plans.items(), lambda one: self._check(call, *one))
                checks = [
                    check.model_copy(update={"message": f"{cluster_in(target)}: {check.message}"})
                    for target, of_one in zip(call.plans, found, strict=True)
                    for check in of_one
                ]
            return CheckReport(passed=passed(checks), checks=checks)

    async def _check(self, call: PrecheckCall, target: str, plan: list[PlannedStep]) -> list[Check]:
        stored, last, covering = await self._ledger.read(_before, call.ticket, target)
        cluster = stored.change.spec.place.cluster
        world = World(
            cluster=self._sources.clusters.forward(cluster),
            repositories=self._sources.repositories,
            stored=stored,
            last=last,
            plan=plan,
            freezes=covering,
            metrics=self._sources.clusters.metrics(cluster),
            scrape_interval=self._sources.clusters.scrape_interval(cluster),
            names=self._sources.clusters.metric_names(cluster),
            demanded=call.checks,
            named=call.named,
            peers=self._peers,
            gitops=Gitops(self._sources.repositories.branches, self._sources.clusters.forward),
            gitops_writes=self._sources.clusters.gitops_writes(cluster),
        )
        return await run_checks(world)

    async def _decide(
        self, call: EvaluateCall, stored: StoredChange, now: datetime
    ) -> tuple[Gathered | None, Decision]:
        """Return the decision; a plan that cannot run is a "no" like any other."""
        try:
            gathered = await gather_all(self._sources, stored, purpose=call.purpose, now=now)
        except (StepConfig, InvalidChange, NotFound) as error:
            return None, denial(error.message, "none")
        decision = await self._policy.decide(gathered.question)
        asked = with_policys(gathered.asked, decision.obligations)
        cannot = objections_to(asked, self._sources.means)
        gathered = replace(gathered, asked=asked)
        return gathered, held_to(decision, gathered.plan, [*gathered.objections, *cannot])

    async def _counted(
        self, stored: StoredChange, gathered: Gathered | None, decision: Decision
    ) -> Evaluation:
        """Return the decision, what it binds, and the approvals that the ledger has for exactly that."""
        digest = decision.digest if gathered is None else binding_digest(stored, gathered, decision)
        plan = [] if gathered is None else gathered.plan
        written = await self._ledger.read(entries.entries_of, stored.ticket)
        quorum = count_quorum(written, digest=digest, need=decision.approvals, requester=stored.requester)
        warnings = [] if gathered is None else gathered.warnings
        asked = Asked() if gathered is None else gathered.asked
        return Evaluation(
            decision=decision,
            digest=digest,
            plan=plan,
            quorum=quorum,
            warnings=warnings,
            prechecks=asked.before,
            postchecks=asked.after,
            plans={} if gathered is None else gathered.plans,
        )

    def _asked_now(self, db: Connection, ticket: str) -> tuple[StoredChange, datetime]:
        return tickets.change_of(db, ticket), self._now(db)

    def _ask(self, db: Connection, call: ScheduleCall, windows: list[Window]) -> Scheduled:
        return lanes.ask(db, call, windows, self._now(db))


def _before(
    db: Connection, ticket: str, target: str
) -> tuple[StoredChange, StoredChange | None, list[Freeze]]:
    """Return the change, the one that succeeded before it on its target, and the freezes that cover it."""
    stored = tickets.change_of(db, ticket).at(target)
    metadata = stored.change.metadata
    covering = freezes.covering(
        db, service=metadata.service, environment=metadata.environment, change_type=stored.freeze_type
    )
    return stored, tickets.last_succeeded(db, target_of(stored)), covering


def _evaluated(
    call: EvaluateCall, gathered: Gathered | None, evaluation: Evaluation, now: datetime
) -> Record:
    """Return the entry that has the decision whole, so that it can be taken again from its input."""
    body = {
        "purpose": call.purpose,
        "decision": evaluation.decision.model_dump(mode="json"),
        "revision": evaluation.decision.revision,
        "input": None if gathered is None else gathered.question.model_dump(mode="json"),
        "digest": evaluation.digest,
        "plan_diff": None if evaluation.plan_diff is None else evaluation.plan_diff.model_dump(mode="json"),
        "quorum": evaluation.quorum.model_dump(mode="json"),
    }
    kind = "ticket.evaluated"
    draft = EntryDraft(key=_attempt(kind), kind=kind, actor="policy", at=now, body=body)
    patch = {} if gathered is None else {"plan_shape": gathered.question.plan_shape, **_brings(gathered)}
    patch |= {} if gathered is None else _rehearsed(gathered)
    return Record(ticket=call.ticket, entries=[draft], patch=patch)


def _brings(gathered: Gathered) -> dict[str, Any]:
    """Return what the ticket's view has of its artifact; what writes nothing brings none anywhere."""
    facts = gathered.question.artifact
    if facts == "unknown" or not facts.written:
        return {}
    return {"artifact": Artifact(**vars(facts)).model_dump()}


def _rehearsed(gathered: Gathered) -> dict[str, Any]:
    """Return what the ticket's view has of its rehearsal, or of what it rehearses."""
    found = gathered.question.rehearsal
    return {
        "rehearses": gathered.rehearses,
        "rehearsal": None if found is None else found.model_dump(mode="json"),
    }


def _attempt(kind: str) -> str:
    """Return the key of an entry that each attempt of this activity writes once."""
    info = activity.info()
    return f"{kind}/{info.workflow_run_id}/{info.activity_id}/{info.attempt}"
