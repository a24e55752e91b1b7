"""Wait until an object that was applied does what it is for: the rules of `kubectl rollout status`."""

import asyncio
import time
from typing import Any

from holdpoint.clients.cluster import Cluster
from holdpoint.models.base import Model
from holdpoint.models.errors import UpstreamRateLimited
from holdpoint.models.record import ObjectRef

PATIENCE = 120.0
"""Seconds without progress after which a rollout has failed, where the manifest states no deadline."""

POLL = 0.5
"""Seconds between two looks: short against a bake, long against an API server's work."""

LONGEST = 10
"""Times the patience: a rollout that flaps makes progress for ever."""


class Readiness(Model):
    """Whether an object is ready, will never be, or has its pods refused; and how far it is."""

    ready: bool
    failed: bool = False
    refused: bool = False
    message: str = ""


async def wait_ready(
    cluster: Cluster,
    ref: ObjectRef,
    *,
    patience: float,
    limit: float | None = None,
    heed: bool = True,
    refused: float | None = None,
) -> Readiness:
    """Return when the object is ready, has failed, or made no progress for `patience` seconds.

    `limit` is the longest wait in all; without it a rollout that flaps is given up after ten times that.
    Without `heed` the controller's own word that it failed is not taken: after an undo it may be the old one.
    `refused` is the patience while the API server lets no pods of it in.
    """
    began = moved = time.monotonic()
    said = ""
    while True:
        body = await _look(cluster, ref)
        now = (
            Readiness(ready=False, message=f"{ref.name} does not exist") if body is None else readiness(body)
        )
        if now.ready or (now.failed and heed):
            return now
        if now.message != said:
            moved, said = time.monotonic(), now.message
        allowed = patience if refused is None or not now.refused else min(patience, refused)
        if time.monotonic() - moved >= allowed:
            return Readiness(ready=False, failed=True, message=f"{said}; no progress in {allowed:.0f} s")
        if time.monotonic() - began >= (patience * LONGEST if limit is None else limit):
            return Readiness(ready=False, failed=True, message=f"{said}; the time for it is over")
        # Looked at, not watched: a watch that breaks off silently would be taken for no progress.
        await asyncio.sleep(POLL)


async def _look(cluster: Cluster, ref: ObjectRef) -> dict[str, Any] | None:
    """Return the object, after the pause that a busy API server asked for.

    One that asks twice is an outage for the caller, and never a rollout without progress.
    """
    try:
        return await cluster.read(ref)
    except UpstreamRateLimited as busy:
        await asyncio.sleep(POLL if busy.retry_after is None else busy.retry_after)
        return await cluster.read(ref)


async def wait_gone(cluster: Cluster, ref: ObjectRef, *, limit: float) -> dict[str, Any] | None:
    """Return None when the object is gone, or what is left of it after `limit` seconds."""
    ends = time.monotonic() + limit
    while True:
        body = await _look(cluster, ref)
        if body is None or time.monotonic() >= ends:
            return body
        # As above.
        await asyncio.sleep(POLL)


async def wait_scaled(cluster: Cluster, ref: ObjectRef, *, patience: float) -> None:
    """Return when no more pods run than are wanted, ready or not, or after `patience` seconds."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        body = await cluster.read(ref)
        if body is None or _scaled(body):
            return
        # As above.
        await asyncio.sleep(POLL)


def readiness(body: dict[str, Any]) -> Readiness:
    """Return how ready an object is. What is not a workload is ready as soon as it exists."""
    rule = {
        "Deployment": _deployment,
        "StatefulSet": _stateful_set,
        "DaemonSet": _daemon_set,
        "Job": _job,
    }.get(body["kind"])
    if rule is None:
        return Readiness(ready=True)
    meta, status = body["metadata"], body.get("status") or {}
    named = f"{body['kind']} {meta['name']}"
    if body["kind"] != "Job" and status.get("observedGeneration", 0) < meta.get("generation", 0):
        return Readiness(ready=False, message=f"{named}: not yet seen by its controller")
    return rule(named, body.get("spec") or {}, status)


def _scaled(body: dict[str, Any]) -> bool:
    status = body.get("status") or {}
    seen = status.get("observedGeneration", 0) >= body["metadata"].get("generation", 0)
    return seen and int(status.get("replicas", 0)) <= int(body["spec"].get("replicas", 1))


def patience_of(manifest: dict[str, Any]) -> float:
    """Return the seconds without progress that the manifest allows."""
    return float((manifest.get("spec") or {}).get("progressDeadlineSeconds") or PATIENCE)


def _deployment(named: str, spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    wanted, why = spec.get("replicas", 1), _no_pods(status)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            said = condition.get("message") or "progress deadline exceeded"
            return Readiness(ready=False, failed=True, message=f"{named}: {said}{why}")
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    ready, available = status.get("readyReplicas", 0), status.get("availableReplicas", 0)
    done = updated >= wanted and total <= updated and min(ready, available) >= wanted
    return Readiness(
        ready=done,
        refused=bool(why),
        message=f"{named}: {updated} of {wanted} replicas updated, {available} ready, {total} in all{why}",
    )


def _no_pods(status: dict[str, Any]) -> str:
    """Return why the controller cannot make pods (a quota, a webhook, a policy), as the API server said."""
    for condition in status.get("conditions") or []:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return f"; {condition.get('reason')}: {condition.get('message')}"
    return ""


def _stateful_set(named: str, spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    """Return how far a StatefulSet is; pods below its partition, and all of OnDelete, keep what they run."""
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    strategy = spec.get("updateStrategy") or {}
    kept = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    due = 0 if strategy.get("type") == "OnDelete" else max(0, wanted - kept)
    moved = status.get("updateRevision") == status.get("currentRevision")
    updated = due if moved else status.get("updatedReplicas", 0)
    return Readiness(
        ready=updated >= due and ready >= wanted,
        message=f"{named}: {updated} of {due} updated, {ready} of {wanted} ready",
    )


def _daemon_set(named: str, spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    wanted, updated = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    available = status.get("numberAvailable", 0)
    done = updated >= wanted and available >= wanted
    return Readiness(ready=done, message=f"{named}: {updated} of {wanted} updated, {available} available")


def _job(named: str, spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    for condition in status.get("conditions") or []:
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            failed = condition["type"] == "Failed"
            return Readiness(
                ready=not failed, failed=failed, message=f"{named}: {condition.get('message', '')}"
            )
    done, wanted = status.get("succeeded", 0), spec.get("completions", 1)
    return Readiness(ready=False, message=f"{named}: {done} of {wanted} completions")
