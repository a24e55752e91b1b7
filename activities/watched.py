"""Whose requests a rollout is judged by, and where their metrics are."""

from activities.fleet_counters import Place
from activities.manifests import Files, load
from activities.steps.registry import kind_of
from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.activity_calls import JudgeCall, RolloutCall


def cluster_of(call: RolloutCall) -> str:
    """Return the cluster's name: the first part of the target's key."""
    return call.target.partition("/")[0]


async def watched(call: JudgeCall, stored: StoredChange, *, clusters: Clusters, repositories: Files) -> Place:
    """Return the Deployments whose requests count, those that they are compared with, and how to ask."""
    step, cluster = call.step, cluster_of(call)
    return Place(
        namespace=stored.change.spec.namespace,
        canary=await _judged(call, stored, repositories),
        stable=kind_of(step.kind).beside(step, call.weight) if step is not None else [],
        began=call.began or call.since,
        every=clusters.scrape_interval(cluster),
        names=clusters.metric_names(cluster),
        lag=clusters.metrics_lag(cluster),
    )


async def _judged(call: JudgeCall, stored: StoredChange, repositories: Files) -> list[str]:
    """Return the step's Deployments, or all that the change brings in beside, or all of the change."""
    names = kind_of(call.step.kind).judged(call.step, call.weight) if call.step is not None else []
    steps = stored.change.spec.plan.steps
    names = names or [kind.deployment for s in steps for kind in (s.canary, s.blueGreen) if kind]
    if not names:
        manifests = await load(repositories, stored)
        names = [m["metadata"]["name"] for m in manifests if m["kind"] == "Deployment"]
    return sorted(set(names))
