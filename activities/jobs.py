"""The Jobs of `job` steps: how they are named and bounded, so that each runs once, and how they ended.

A Job runs under a name that is made from its ticket and step. Whoever comes later, after a worker's death or
a late create, finds it by that name and waits for it; nothing makes it a second time.
"""

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from activities.readiness import POLL
from activities.writes import Apply, Body
from holdpoint.clients.cluster import Cluster, ref_of
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.base import Model
from holdpoint.models.change import Change
from holdpoint.models.errors import HoldpointError, StepConfig, UpstreamRateLimited
from holdpoint.models.object_steps import JobConfig
from holdpoint.models.record import ObjectRef
from holdpoint.models.redact import redact

API_VERSION, KIND = "batch/v1", "Job"

LONGEST_NAME = 63
"""Characters of a Job's name: its pods carry it as a label."""

KEPT = 7 * 86400
"""Seconds for which a Job stays after its end, for evidence, where its manifest says nothing."""

SHORTEST_KEPT = 86400
"""A Job that is gone sooner could be taken for one that never was, by a worker that comes back late."""

GRACE = 60.0
"""Seconds past its own deadline in which a Job's controller should have said that it failed."""

ENDED_AT_ONCE = 1
"""The deadline in seconds of a Job that is to end: its controller stops its pods, and says so."""

MOST_PODS = 3
"""Pods whose last words are quoted; the others mostly say the same."""

LONGEST_WORDS = 300
"""Characters of each pod's last words."""


class JobRun(Model):
    """One run of a `job` step: what is made, what takes it back, and how long each may run in seconds."""

    index: int
    forward: dict[str, Any]
    backward: dict[str, Any] | None = None
    timeout: float


def named_by_steps(change: Change) -> set[str]:
    """Return the names of the Jobs that are run by steps, and are not applied with the other objects."""
    found = [step.job for step in change.spec.plan.steps if step.job is not None]
    return {job.name for job in found} | {job.undo.name for job in found if job.undo is not None}


def is_job(item: dict[str, Any], names: set[str]) -> bool:
    """Tell whether an object is a Job of one of these names."""
    return item["kind"] == KIND and item["apiVersion"] == API_VERSION and item["metadata"]["name"] in names


def run_name(name: str, ticket: str, index: int, *, undo: bool = False) -> str:
    """Return the name under which a Job runs: its own, cut where it is long, the ticket and the step."""
    end = f"-{ticket}-{index}{'-undo' if undo else ''}".lower()
    return name[: LONGEST_NAME - len(end)].rstrip("-.") + end


def runs_of(stored: StoredChange, objects: list[dict[str, Any]]) -> list[JobRun]:
    """Return the runs of a change's `job` steps, in order. Raises StepConfig for a Job that cannot run."""
    return list(_runs(stored, objects))


def _runs(stored: StoredChange, objects: list[dict[str, Any]]) -> Iterator[JobRun]:
    for index, step in enumerate(stored.change.spec.plan.steps):
        if step.job is None:
            continue
        forward, backward = chosen(step.job, objects)
        name = run_name(step.job.name, stored.ticket, index)
        forward = _prepared(forward, name, step.job.timeout)
        if backward is not None and step.job.undo is not None:
            name = run_name(step.job.undo.name, stored.ticket, index, undo=True)
            backward = _prepared(backward, name, step.job.timeout)
        yield JobRun(index=index, forward=forward, backward=backward, timeout=step.job.timeout)


def chosen(config: JobConfig, objects: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the step's Job and the one that takes it back. Raises StepConfig for one that cannot run."""
    undo = None if config.undo is None else _job(config.undo.name, objects)
    return _job(config.name, objects), undo


def _job(name: str, objects: list[dict[str, Any]]) -> dict[str, Any]:
    found = next((item for item in objects if is_job(item, {name})), None)
    if found is None:
        raise StepConfig(f"Unknown Job: {name} is not among the change's objects (a batch/v1 Job).")
    spec = found.get("spec")
    if not isinstance(spec, dict):
        raise StepConfig(f"Job without a spec: {name} has nothing to run.")
    if spec.get("suspend"):
        raise StepConfig(f"Suspended Job: {name} has suspend: true and would never run. Leave that out.")
    kept = spec.get("ttlSecondsAfterFinished", KEPT)
    if not isinstance(kept, int) or kept < SHORTEST_KEPT:
        raise StepConfig(
            f"Job gone too soon: {name} has ttlSecondsAfterFinished: {kept}. A Job that is gone could be run "
            f"a second time: state at least {SHORTEST_KEPT}, or leave it out."
        )
    return found


def _prepared(manifest: dict[str, Any], name: str, timeout: float) -> dict[str, Any]:
    """Return a Job under the name of its run, ended by its controller when its time is over."""
    spec, deadline = manifest["spec"], math.ceil(timeout)
    stated = spec.get("activeDeadlineSeconds")
    bounds = {
        "activeDeadlineSeconds": min(stated, deadline) if isinstance(stated, int) else deadline,
        "ttlSecondsAfterFinished": spec.get("ttlSecondsAfterFinished", KEPT),
    }
    return {
        **manifest,
        "metadata": {**manifest["metadata"], "name": name},
        "spec": {**spec, **bounds},
    }


@dataclass(frozen=True)
class RunOnce(Apply):
    """Make a Job that is not there. One that is there runs, or has run: nothing is missing."""

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the Job while there is none."""
        return Body(self.manifest) if live is None else None


@dataclass(frozen=True)
class EndJob(Apply):
    """Have a Job that still runs come to its end: its controller stops its pods, and it stays as failed."""

    async def missing(self, cluster: Cluster, live: dict[str, Any] | None) -> Body | None:
        """Return the Job with a deadline that is over, and the marks that it has."""
        if live is None or ended(live) is not None:
            return None
        spec = live.get("spec") or {}
        if spec.get("activeDeadlineSeconds") == ENDED_AT_ONCE:
            return None
        notes = {
            key: value
            for key, value in (live["metadata"].get("annotations") or {}).items()
            if key.startswith("holdpoint.dev/")
        }
        meta = self.manifest["metadata"]
        meta = {**meta, "annotations": {**(meta.get("annotations") or {}), **notes}}
        short = {**self.manifest["spec"], "activeDeadlineSeconds": ENDED_AT_ONCE}
        return Body({**self.manifest, "metadata": meta, "spec": short}, force=True)


def ended(body: dict[str, Any]) -> str | None:
    """Return `Complete` or `Failed` as the Job's conditions say; None while it runs."""
    for condition in (body.get("status") or {}).get("conditions") or []:
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            return str(condition["type"])
    return None


async def wait_ended(cluster: Cluster, ref: ObjectRef, *, limit: float) -> dict[str, Any] | None:
    """Return the Job when it has ended or after `limit` seconds as it is then; None when it is gone."""
    ends = time.monotonic() + limit
    while True:
        try:
            live = await cluster.read(ref)
        except UpstreamRateLimited as busy:
            await asyncio.sleep(POLL if busy.retry_after is None else busy.retry_after)
            live = await cluster.read(ref)
        if live is None or ended(live) is not None or time.monotonic() >= ends:
            return live
        # Looked at, not watched: a watch that breaks off silently would be taken for a Job without an end.
        await asyncio.sleep(POLL)


async def told(cluster: Cluster, live: dict[str, Any]) -> str:
    """Return how a Job failed, or that it still runs, with the last words of its pods if they can be read."""
    name = live["metadata"]["name"]
    if ended(live) is None:
        return f"Job {name} has not ended in its time{await _words(cluster, live)}."
    failed = next(one for one in live["status"]["conditions"] if one.get("type") in ("Failed", "Complete"))
    said = ": ".join(str(failed[key]).rstrip(".") for key in ("reason", "message") if failed.get(key))
    return redact(f"Job {name} failed: {said}{await _words(cluster, live)}.")


async def _words(cluster: Cluster, live: dict[str, Any]) -> str:
    meta = live["metadata"]
    try:
        pods = await cluster.list("v1", "Pod", meta["namespace"], f"job-name={meta['name']}")
    except HoldpointError:
        return ""  # without them the Job's own word stands
    found = [words for pod in pods if (words := _last_words(pod))]
    return "".join(f"; {words}" for words in found[-MOST_PODS:])


def _last_words(pod: dict[str, Any]) -> str:
    """Return how the first container that did not end well did end, or why it does not start."""
    status = pod.get("status") or {}
    for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = one.get("state") or {}
        over = state.get("terminated") or (one.get("lastState") or {}).get("terminated") or {}
        if over.get("exitCode"):
            more = f": {over['message'].strip()}" if over.get("message") else ""
            said = f"{one['name']} exited with {over['exitCode']} ({over.get('reason', 'Error')}){more}"
        elif waiting := state.get("waiting"):
            said = f"{one['name']} waits: {waiting.get('reason')} {waiting.get('message') or ''}".rstrip()
        else:
            continue
        return f"pod {pod['metadata']['name']}: {said}"[:LONGEST_WORDS].rstrip(".")
    return ""


def refs_of(run: JobRun, cluster: str) -> tuple[ObjectRef, ObjectRef | None]:
    """Return the references of a run's Job and of the one that takes it back."""
    return ref_of(cluster, run.forward), None if run.backward is None else ref_of(cluster, run.backward)
