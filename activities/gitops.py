"""What GitOps controllers say: Argo CD's Application and Flux's Kustomization, of a commit that was pushed.

Their own fields decide: the revision that was synced or applied, and the health that they found afterwards.
A revision that came after the commit includes it.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from holdpoint.clients.cluster import Cluster
from holdpoint.clients.git_branches import Branches
from holdpoint.models.errors import AccessDenied, StepConfig, UpstreamRateLimited
from holdpoint.models.git_steps import ControllerWait
from holdpoint.models.record import ObjectRef
from holdpoint.models.redact import redact

POLL = 2.0
"""Seconds between two looks: controllers take seconds to minutes, and a watch that breaks off would be taken
for one that says nothing."""

FAILED_PATIENCE = 30.0
"""Seconds for which a controller must say that the commit failed: what it said of the version before stays
until it has looked again, and the fix of a broken version must be able to go out."""

LONGEST_WORDS = 500

APPLICATION = ("argoproj.io/v1alpha1", "Application")
KUSTOMIZATION = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")

_FLUX_FAILED = frozenset({"HealthCheckFailed", "BuildFailed", "ReconciliationFailed", "PruneFailed"})
"""Reasons with which Flux says that it tried a revision in vain; others are of what it still waits for."""

Standing = Literal["applied", "failed", "waiting"]


@dataclass(frozen=True)
class Gitops:
    """Where commits go, and where the controllers are that report them: clusters under one identity."""

    branches: Branches
    cluster: Callable[[str], Cluster]


@dataclass(frozen=True)
class Report:
    """What a controller says of a commit, in one sentence; `seen` that it has got as far as the commit."""

    standing: Standing
    message: str
    seen: bool = False


@dataclass(frozen=True)
class Awaited:
    """One object of a controller, and the commit that it is asked about."""

    ref: ObjectRef
    repository: str
    commit: str

    def __str__(self) -> str:
        return told(self.ref)


def told(ref: ObjectRef) -> str:
    """Return a controller's object for people."""
    whose = "Argo CD" if ref.kind == APPLICATION[1] else "Flux"
    return f"{whose}'s {ref.kind} {ref.namespace}/{ref.name}"


def reporter(wait: ControllerWait, cluster: str) -> ObjectRef:
    """Return the reference of what is waited for; `cluster` is the target's."""
    named, (version, kind) = wait.application, APPLICATION
    if named is None:
        named, (version, kind) = wait.kustomization, KUSTOMIZATION
    if named is None:
        raise StepConfig("Nothing is named to wait for.")
    return ObjectRef(
        cluster=wait.cluster or cluster,
        api_version=version,
        kind=kind,
        namespace=named.namespace,
        name=named.name,
    )


async def look(gitops: Gitops, awaited: Awaited) -> Report:
    """Return what the controller says of the commit now."""
    ref = awaited.ref
    try:
        live = await gitops.cluster(ref.cluster).read(ref)
    except UpstreamRateLimited:
        return Report("waiting", f"The API server of {ref.cluster} asks for a pause")
    except AccessDenied as error:
        raise StepConfig(_not_readable(awaited.ref, error)) from error
    if live is None:
        return Report("failed", f"{awaited} is not there.")
    said = live.get("status") or {}
    revisions = applied_revisions(ref.kind, said)
    tried = tried_revisions(ref.kind, said)
    seen = [await _includes(gitops, awaited, one) for one in (revisions, tried)]
    if ref.kind == APPLICATION[1]:
        return of_application(awaited, said, synced=seen[0], tried=seen[1])
    return of_kustomization(awaited, live, applied=seen[0], tried=seen[1])


async def wait_applied(gitops: Gitops, awaited: Awaited, *, limit: float) -> Report:
    """Return when the controller has the commit healthy, has failed with it, or after `limit` seconds."""
    ends, since = time.monotonic() + limit, None
    while True:
        now = time.monotonic()
        report = await look(gitops, awaited)
        since = (since or now) if report.standing == "failed" else None
        settled = since is not None and time.monotonic() - since >= FAILED_PATIENCE
        if report.standing == "applied" or settled or time.monotonic() >= ends:
            return report
        await asyncio.sleep(min(POLL, max(0.0, ends - time.monotonic())))


def applied_revisions(kind: str, said: dict[str, Any]) -> list[str]:
    """Return the commits that the controller's object is at; several where it has several sources."""
    if kind == APPLICATION[1]:
        return _revisions(said.get("sync") or {})
    return [_flux_commit(said.get("lastAppliedRevision"))]


def tried_revisions(kind: str, said: dict[str, Any]) -> list[str]:
    """Return the commits that it has tried last, whatever became of that."""
    if kind == APPLICATION[1]:
        operation = said.get("operationState") or {}
        result = _revisions(operation.get("syncResult") or {})
        return result or _revisions((operation.get("operation") or {}).get("sync") or {})
    return [_flux_commit(said.get("lastAttemptedRevision"))]


def of_application(awaited: Awaited, said: dict[str, Any], *, synced: bool, tried: bool) -> Report:
    """Return what Argo CD's Application says (`status.sync`, `status.health`, `status.operationState`)."""
    sync, health = said.get("sync") or {}, said.get("health") or {}
    operation = said.get("operationState") or {}
    phase, healthy = operation.get("phase"), health.get("status")
    ended = phase not in ("Running", "Terminating")
    if tried and phase in ("Failed", "Error"):
        return Report("failed", _sentence(f"{awaited} could not sync", operation.get("message")), seen=synced)
    if synced and sync.get("status") == "Synced" and ended:
        if healthy == "Healthy":
            return Report("applied", f"{awaited} has synced it, and is Healthy.", seen=True)
        if healthy in ("Degraded", "Missing"):
            return Report("failed", _sentence(f"{awaited} is {healthy}", health.get("message")), seen=True)
    errors = [one for one in said.get("conditions") or [] if str(one.get("type", "")).endswith("Error")]
    if errors:  # not of the commit: what makes the manifests may be down, and answer again
        first = errors[0]
        return Report("waiting", _sentence(f"{awaited} has a {first['type']}", first.get("message")))
    words = f"{awaited} is {sync.get('status', 'Unknown')} and {healthy or 'Unknown'}"
    at = ", ".join(one[:12] for one in _revisions(sync)) or "no revision"
    return Report("waiting", f"{words}, at {at}{'' if ended else ', and still syncs'}.", seen=synced)


def of_kustomization(awaited: Awaited, live: dict[str, Any], *, applied: bool, tried: bool) -> Report:
    """Return what Flux's Kustomization says (`lastAppliedRevision`, `lastAttemptedRevision`, `Ready`)."""
    said = live.get("status") or {}
    generation = (live.get("metadata") or {}).get("generation")
    current = said.get("observedGeneration") == generation
    ready: dict[str, Any] = next(
        (one for one in said.get("conditions") or [] if one.get("type") == "Ready"), {}
    )
    if applied and current and ready.get("status") == "True":
        return Report("applied", f"{awaited} has applied it, and is Ready.", seen=True)
    if tried and ready.get("status") == "False" and ready.get("reason") in _FLUX_FAILED:
        words = f"{awaited} is not Ready ({ready['reason']})"
        return Report("failed", _sentence(words, ready.get("message")), seen=applied)
    words = f"{awaited} is at {said.get('lastAppliedRevision') or 'no revision'}"
    return Report("waiting", _sentence(words, ready.get("message")), seen=applied)


def objection(ref: ObjectRef, live: dict[str, Any] | None) -> str | None:
    """Return why a controller's object will never report a commit, as it is now."""
    if live is None:
        return f"{told(ref)} does not exist in cluster {ref.cluster}. Make it, or correct the step's `wait`."
    if ref.kind == KUSTOMIZATION[1] and (live.get("spec") or {}).get("suspend"):
        return f"{told(ref)} is suspended, and would apply nothing: `flux resume kustomization {ref.name}`."
    return None


async def _includes(gitops: Gitops, awaited: Awaited, revisions: list[str]) -> bool:
    for revision in revisions:
        if revision and await gitops.branches.includes(awaited.repository, revision, awaited.commit):
            return True
    return False


def _revisions(said: dict[str, Any]) -> list[str]:
    several = said.get("revisions")
    found = several if isinstance(several, list) and several else [said.get("revision")]
    return [str(one) for one in found if one]


def _flux_commit(revision: Any) -> str:
    """Return the commit of `main@sha1:<commit>`, or of `main/<commit>` as Flux wrote it before 2.0."""
    return str(revision or "").rpartition(":")[2].rpartition("/")[2]


def _sentence(words: str, message: Any) -> str:
    more = redact(str(message).strip())[:LONGEST_WORDS].rstrip(".") if message else ""
    return f"{words}: {more}." if more else f"{words}."


def _not_readable(ref: ObjectRef, error: AccessDenied) -> str:
    return (
        f"{told(ref)} may not be read: apply deploy/kubernetes/access.yaml in the namespace {ref.namespace}. "
        f"{error.message}"
    )
