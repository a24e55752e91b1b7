"""Jobs run one pod each, for a moment, and are complete or have failed.

That is less than Kubernetes does (no parallelism, no second try of a pod, no selector), and all that a step
needs: conditions, `activeDeadlineSeconds` and `ttlSecondsAfterFinished`. An image of which every request
fails (an error rate of 1) fails its Jobs, too; one whose pods are never ready runs without an end.
"""

import time
import uuid
from typing import Any

from holdpoint.sandbox.behaviour import Behaviours
from holdpoint.sandbox.clock import from_text, seconds_text
from holdpoint.sandbox.controllers.pods import images_of
from holdpoint.sandbox.controllers.replica_sets import owner_reference
from holdpoint.sandbox.kube.defaults import defaulted
from holdpoint.sandbox.kube.kinds import JOBS, PODS
from holdpoint.sandbox.store import Object, Store

RUN_SECONDS = 0.3
"""From a Job's pod to its end: short, and long enough to be seen."""

_ENDINGS = {
    "Complete": ("CompletionsReached", "Reached expected number of succeeded pods"),
    "BackoffLimitExceeded": ("BackoffLimitExceeded", "Job has reached the specified backoff limit"),
    "DeadlineExceeded": ("DeadlineExceeded", "Job was active longer than specified deadline"),
}
"""Reason and message of each ending, in the words of Kubernetes' Job controller."""


class Jobs:
    """Moves Jobs on. Moments finer than the whole seconds in an object are kept in memory only."""

    def __init__(self, store: Store, behaviours: Behaviours) -> None:
        self._store, self._behaviours = store, behaviours
        self._begun: dict[str, float] = {}

    def reconcile(self) -> float | None:
        """Begin, end and remove the Jobs that are due; return when the next one is (Unix seconds)."""
        jobs = self._store.all(JOBS)
        due = [self._one(job, time.time()) for job in jobs if "deletionTimestamp" not in job["metadata"]]
        for uid in self._begun.keys() - {job["metadata"]["uid"] for job in jobs}:
            del self._begun[uid]
        return min((moment for moment in due if moment is not None), default=None)

    def _one(self, job: Object, now: float) -> float | None:
        status = job.get("status") or {}
        if status.get("conditions"):
            return self._remove(job, now)
        if job["spec"].get("suspend"):
            return None
        if "startTime" not in status:
            return self._begin(job, now)
        started = from_text(status["startTime"])
        deadline = job["spec"].get("activeDeadlineSeconds")
        over = None if deadline is None else started + deadline
        if over is not None and now >= over:
            return self._end(job, "DeadlineExceeded", now)
        images = images_of(job["spec"]["template"])
        if self._behaviours.never_ready(images) or not job["spec"].get("parallelism", 1):
            return over
        ends = self._begun.get(job["metadata"]["uid"], started) + RUN_SECONDS
        if now < ends:
            return ends if over is None else min(ends, over)
        fails = any(one.error_rate == 1 for one in self._behaviours.in_effect(images, now))
        return self._end(job, "BackoffLimitExceeded" if fails else "Complete", now)

    def _begin(self, job: Object, now: float) -> float:
        self._begun[job["metadata"]["uid"]] = now
        self._store.put(PODS, _pod(job, "Running", now))
        self._store.put(JOBS, {**job, "status": {"startTime": seconds_text(now), "active": 1, "ready": 0}})
        return now + RUN_SECONDS

    def _end(self, job: Object, how: str, now: float) -> float | None:
        reason, message = _ENDINGS[how]
        stamp, good = seconds_text(now), how == "Complete"
        condition = {"status": "True", "lastProbeTime": stamp, "lastTransitionTime": stamp}
        condition |= {"type": "Complete" if good else "Failed", "reason": reason, "message": message}
        more = {"completionTime": stamp, "succeeded": 1} if good else {"failed": 1}
        status = {"startTime": job["status"]["startTime"], "conditions": [condition], "ready": 0, **more}
        self._store.put(PODS, _pod(job, "Succeeded" if good else "Failed", now))
        self._store.put(JOBS, {**job, "status": status})
        return None

    def _remove(self, job: Object, now: float) -> float | None:
        """Remove a finished Job when its time is over; its pod is collected after it."""
        kept = job["spec"].get("ttlSecondsAfterFinished")
        if kept is None:
            return None
        ends = from_text(job["status"]["conditions"][0]["lastTransitionTime"]) + float(kept)
        if now < ends:
            return ends
        if not job["metadata"].get("finalizers"):
            self._store.remove(JOBS, job["metadata"]["namespace"], job["metadata"]["name"])
        return None


def _pod(job: Object, phase: str, now: float) -> Object:
    template, metadata = job["spec"]["template"], job["metadata"]
    labels = {
        **((template.get("metadata") or {}).get("labels") or {}),
        "batch.kubernetes.io/job-name": metadata["name"],
        "job-name": metadata["name"],
    }
    body: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{metadata['uid'][:5]}",
            "namespace": metadata["namespace"],
            "uid": str(uuid.uuid5(uuid.UUID(metadata["uid"]), "pod")),
            "creationTimestamp": metadata["creationTimestamp"],
            "labels": labels,
            "ownerReferences": [owner_reference("Job", "batch/v1", job)],
        },
        "spec": {**template["spec"], "nodeName": "sandbox"},
        "status": {"phase": phase, "containerStatuses": _containers(template, phase, now)},
    }
    return defaulted(PODS, body)


def _containers(template: Object, phase: str, now: float) -> list[dict[str, Any]]:
    stamp = seconds_text(now)
    state: dict[str, Any] = {"running": {"startedAt": stamp}}
    if phase != "Running":
        code = 0 if phase == "Succeeded" else 1
        state = {
            "terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": stamp}
        }
    return [
        {"name": one["name"], "image": one["image"], "ready": False, "restartCount": 0, "state": state}
        for one in template["spec"].get("containers", [])
    ]
