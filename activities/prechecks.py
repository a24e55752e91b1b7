"""The last look at the world before anything is written. Each check is bounded, and each attempt is evidence.

A "no" fails the ticket, and nothing was touched. What nobody can know is `unknown`: it is shown, it is never
a pass, and it fails the ticket only where the policy asks for that check.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from activities import gitops_checks
from activities.commits import KIND as COMMIT
from activities.drift import drifted
from activities.exchanges import exchanges_of
from activities.fleet_counters import Place
from activities.forecast import forecast
from activities.gitops import Gitops
from activities.jobs import runs_of
from activities.manifests import load, load_whole
from activities.ownership import claims_by_hand
from activities.quota_room import full_quotas, needs_of
from activities.readiness import readiness
from activities.requests_check import may_be_sent
from activities.scaling import autoscaler_of
from activities.steps.registry import parts
from activities.writes import Apply
from holdpoint.clients.cluster import Cluster, ref_of
from holdpoint.clients.git import Repositories
from holdpoint.clients.http_peers import Peers
from holdpoint.clients.metrics import Metrics, NullMetrics
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.activity_calls import Check
from holdpoint.models.blue_green import SWITCHING
from holdpoint.models.errors import (
    AccessDenied,
    Conflict,
    InvalidChange,
    NotFound,
    StepConfig,
    UpstreamUnavailable,
)
from holdpoint.models.metric_names import MetricNames
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import Freeze, ObjectRef

HEALTH_TRIES, HEALTH_PAUSE = 8, 2.0
"""A Deployment that another change has just finished with settles within seconds."""

MOST_SHOWN = 5
"""Differences that a message lists."""


@dataclass(frozen=True)
class Finding:
    """What one attempt found: True, False, or None where nobody can know."""

    passed: bool | None
    message: str


@dataclass(frozen=True)
class World:
    """What the checks look at."""

    cluster: Cluster
    repositories: Repositories
    stored: StoredChange
    last: StoredChange | None
    plan: list[PlannedStep]
    freezes: list[Freeze]
    metrics: Metrics = field(default_factory=NullMetrics)
    scrape_interval: float = 5.0
    names: MetricNames = field(default_factory=MetricNames)
    demanded: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    """Checks that run one by one beside these."""
    peers: Peers = field(default_factory=Peers)
    gitops: Gitops | None = None
    gitops_writes: bool = False
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


async def run_checks(world: World) -> list[Check]:
    """Return every check. Raises UpstreamUnavailable when the cluster does not answer: that is no "no"."""
    loaded = await load_whole(world.repositories, world.stored)
    touched = parts(world.plan, world.stored.change, loaded.manifests, world.cluster.name)
    manifests, runs = _stated(world, loaded.stated, touched), runs_of(world.stored, loaded.all)
    jobs = [job for run in runs for job in (run.forward, run.backward) if job is not None]
    made = [await world.cluster.read(ref_of(world.cluster.name, job)) for job in jobs]
    live = [await world.cluster.read(ref_of(world.cluster.name, manifest)) for manifest in manifests]
    checks = [
        await _once("dry_run", lambda: _dry_run(world, [*manifests, *jobs], [*live, *made])),
        await _health(world, loaded.stated),
        await _once("rollback_target", lambda: _rollback_target(world, manifests, live)),
        await _once("gitops_owner", lambda: _owned(world, touched)),
        *await _pushable(world),
        await _once("drift", lambda: _drift(world)),
        await _once("freeze", lambda: _freeze(world)),
        await _once("forecast", lambda: _forecast(world)),
        *([await _once("quota", lambda: _quota(world, manifests))] if _doubles(world) else []),
        *([await _once("http", lambda: _http(world))] if exchanges_of(world.stored.change) else []),
        _unknown("error_budget", "The error budget is unknown: no SLO is configured."),
        _unknown("open_incidents", "Open incidents are unknown: no incident system is configured."),
    ]
    known = {check.name for check in checks}
    checks += [
        _failed(name, "The policy asks for a check of this name, which does not exist.")
        for name in world.demanded
        if name not in known and name not in world.named
    ]
    return [_demanded(check) if check.name in world.demanded else check for check in checks]


def _stated(
    world: World, manifests: list[dict[str, Any]], touched: Collection[ObjectRef]
) -> list[dict[str, Any]]:
    """Return the objects that are written: beside a commit, a source may only tell whose requests count."""
    if not any(step.kind == COMMIT for step in world.plan):
        return manifests
    return [one for one in manifests if ref_of(world.cluster.name, one) in touched]


def passed(checks: list[Check]) -> bool:
    """Tell whether nothing stands in the way."""
    return all(check.passed or check.unknown for check in checks)


async def _dry_run(
    world: World, manifests: list[dict[str, Any]], live: list[dict[str, Any] | None]
) -> Finding:
    """Have the API server take every object without writing it."""
    refused = []
    for manifest, before in zip(manifests, live, strict=True):
        ref = ref_of(world.cluster.name, manifest)
        autoscaled = before is not None and await autoscaler_of(world.cluster, ref) is not None
        write = Apply(
            "precheck",
            manifest,
            world.cluster.name,
            takeover=claims_by_hand(before),
            autoscaled=autoscaled,
        )
        try:
            await write.missing(world.cluster, before)
        except (AccessDenied, Conflict, NotFound, StepConfig) as error:
            refused.append(f"{manifest['kind']} {manifest['metadata']['name']}: {error.message}")
    if refused:
        return Finding(False, "The API server would refuse: " + " ".join(refused[:MOST_SHOWN]))
    return Finding(True, f"The API server would take all {len(manifests)} objects.")


async def _health(world: World, manifests: list[dict[str, Any]]) -> Check:
    """Look at the workloads that run now, again and again for a while: a rollout starts from good ground."""
    said: list[str] = []
    while True:
        finding = await _present_health(world, manifests)
        said.append(finding.message)
        if finding.passed or len(said) >= HEALTH_TRIES:
            return _check("health", _excused(world, finding), said)
        await world.pause(HEALTH_PAUSE)


async def _present_health(world: World, manifests: list[dict[str, Any]]) -> Finding:
    looked, ill = 0, []
    for manifest in manifests:
        body = await world.cluster.read(ref_of(world.cluster.name, manifest))
        if body is None or manifest["kind"] == "Job":
            continue
        now = readiness(body)
        looked += bool(now.message) or not now.ready
        if not now.ready:
            ill.append(now.message)
    if ill:
        return Finding(False, "What runs now is not healthy: " + "; ".join(ill))
    return Finding(True, "What runs now is healthy." if looked else "Nothing of it runs yet.")


def _excused(world: World, finding: Finding) -> Finding:
    """Let an emergency or a rollback begin on ground that is not good: it may be the fix."""
    emergency, back = world.stored.change.metadata.type == "emergency", world.stored.rolls_back is not None
    if finding.passed or not (emergency or back):
        return finding
    who = "A rollback" if back else "An emergency"
    return Finding(True, f"{finding.message} {who} goes on in spite of it.")


async def _rollback_target(
    world: World, manifests: list[dict[str, Any]], live: list[dict[str, Any] | None]
) -> Finding:
    """Make sure that what a new version was planned beside is still there to return to."""
    present = {
        manifest["metadata"]["name"]: before is not None
        for manifest, before in zip(manifests, live, strict=True)
        if manifest["kind"] == "Deployment"
    }
    gone = [
        str(step.config["deployment"])
        for step in world.plan
        if _beside_stable(step) and not present.get(str(step.config["deployment"]))
    ]
    if gone:
        return Finding(False, f"Deployment {', '.join(gone)} is gone since the change was evaluated.")
    if not any(before is not None for before in live):
        return Finding(True, "Nothing of it exists yet: the undo is deletion.")
    return Finding(True, "What runs now can be returned to: a snapshot is taken before the first write.")


def _beside_stable(step: PlannedStep) -> bool:
    return any(weight.stable > 0 for weight in step.weights)


def _doubles(world: World) -> bool:
    """Tell whether a second copy of something runs at full size, or the policy asks whether there is room."""
    return "quota" in world.demanded or any(step.kind == SWITCHING for step in world.plan)


async def _quota(world: World, manifests: list[dict[str, Any]]) -> Finding:
    """Say before anything is written whether the namespace has room for the new version beside the old."""
    said = []
    try:
        for step in world.plan:
            name = str(step.config.get("deployment"))
            if step.kind != SWITCHING or not _beside_stable(step):
                continue
            stable = next(m for m in manifests if (m["kind"], m["metadata"]["name"]) == ("Deployment", name))
            needs = needs_of(stable, step.weights[0].canary)
            said += await full_quotas(world.cluster, world.stored.change.spec.namespace, needs)
    except AccessDenied as error:
        return Finding(None, f"Nobody knows whether there is room for a second copy: {error.message}")
    if said:
        return Finding(False, "No room for a second copy at full size: " + " ".join(said[:MOST_SHOWN]))
    return Finding(True, "No quota stands in the way of a second copy.")


async def _owned(world: World, refs: Iterable[ObjectRef]) -> Finding:
    """Hold that nothing is written past a GitOps controller: it would take it back, or call it drift."""
    return Finding(*await gitops_checks.owned(world.cluster, refs, permitted=world.gitops_writes))


async def _pushable(world: World) -> list[Check]:
    """Hold that the commits of the plan can be pushed, and that somebody would report them."""
    if world.gitops is None or not any(step.kind == COMMIT for step in world.plan):
        return []
    gitops = world.gitops
    found = Finding(*await gitops_checks.pushable(gitops, world.plan, world.cluster.name))
    return [_check("git_push", found, [found.message])]


async def _drift(world: World) -> Finding:
    """Compare the cluster with what last succeeded, as Git has it."""
    if world.last is None:
        return Finding(True, "No change has succeeded here before, so there is nothing to compare with.")
    try:
        manifests = await load(world.repositories, world.last)
    except (InvalidChange, NotFound, StepConfig) as error:
        return Finding(None, f"Drift is unknown: {error.message}")
    found = []
    for manifest in manifests:
        found += await drifted(world.cluster, manifest)
    if not found:
        return Finding(True, f"The cluster is as commit {world.last.commit[:12]} has it.")
    more = f" and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
    words = (
        f"The cluster differs from commit {world.last.commit[:12]}: {'; '.join(found[:MOST_SHOWN])}{more}."
    )
    return Finding("drift" not in world.demanded, words)


async def _freeze(world: World) -> Finding:
    """A freeze is a hold and no failure: the rollout asks again before each write."""
    if world.freezes:
        return Finding(True, f"Frozen by {world.freezes[0].id}: the rollout will hold until that is lifted.")
    return Finding(True, "No freeze covers it.")


async def _http(world: World) -> Finding:
    return Finding(*await may_be_sent(world.peers, world.stored.change))


async def _forecast(world: World) -> Finding:
    """Say how long the canaries need for a verdict: one that cannot be judged in time is known before."""
    analysis = world.stored.change.spec.analysis
    canaries = [step for step in world.plan if _beside_stable(step)]
    if analysis is None or not canaries:
        return Finding(True, "No new version runs beside an old one.")
    try:
        told = [await forecast(world.metrics, analysis, step, _place(world, step)) for step in canaries]
    except (UpstreamUnavailable, StepConfig) as error:
        return Finding(None, f"Nobody knows how long a verdict takes: {error.message}")
    return Finding(True if all(one.in_time for one in told) else None, " ".join(one.text for one in told))


def _place(world: World, step: PlannedStep) -> Place:
    return Place(
        namespace=world.stored.change.spec.namespace,
        canary=[],
        stable=[str(step.config["deployment"])],
        began=datetime.now(UTC),
        every=world.scrape_interval,
        names=world.names,
    )


async def _once(name: str, look: Callable[[], Awaitable[Finding]]) -> Check:
    finding = await look()
    return _check(name, finding, [finding.message])


def _check(name: str, finding: Finding, said: list[str]) -> Check:
    return Check(
        name=name,
        passed=finding.passed is True,
        unknown=finding.passed is None,
        message=finding.message,
        attempts=len(said),
        evidence=said,
    )


def _unknown(name: str, message: str) -> Check:
    return _check(name, Finding(None, message), [message])


def _failed(name: str, message: str) -> Check:
    return _check(name, Finding(False, message), [message])


def _demanded(check: Check) -> Check:
    """Return the check as the policy demands it: unknown is not enough."""
    return check.model_copy(update={"unknown": False}) if check.unknown else check
