"""The stand-in for scheduler and kubelet: pods start, become ready, and go."""

import hashlib
import time
from typing import Any

from holdpoint.sandbox.behaviour import Behaviours
from holdpoint.sandbox.clock import from_text, seconds_text
from holdpoint.sandbox.kube.kinds import PODS
from holdpoint.sandbox.store import Object, Store

START_SECONDS = 0.3
"""From a pod's creation to its readiness: short, and long enough to be seen."""

STOP_SECONDS = 0.2
"""From a pod's deletion to its end, within its grace."""


class Kubelet:
    """Moves pods on. Moments finer than the whole seconds in an object are kept in memory only."""

    def __init__(self, store: Store, behaviours: Behaviours) -> None:
        self._store = store
        self._behaviours = behaviours
        self._seen: dict[str, float] = {}
        self._ready: dict[str, float] = {}
        self._stopping: dict[str, float] = {}
        self._up: dict[str, str] = {}
        """The version in which a pod was found to run and to be ready: nothing is to do before it changes."""

    def reconcile(self) -> float | None:
        """Start, ready and end the pods that are due; return when the next one is (Unix seconds)."""
        now = time.time()
        due: list[float] = []
        pods = self._store.all(PODS)
        if self._behaviours.keep_from_ready:
            self._up.clear()
        for pod in pods:
            if self._up.get(pod["metadata"]["uid"]) == pod["metadata"]["resourceVersion"]:
                continue
            moment = self._stop(pod, now) if "deletionTimestamp" in pod["metadata"] else self._start(pod, now)
            if moment is not None:
                due.append(moment)
        self._forget({pod["metadata"]["uid"] for pod in pods})
        return min(due, default=None)

    def ready_at(self, pod: Object) -> float:
        """Return since when a ready pod is ready (Unix seconds)."""
        return self._ready.get(pod["metadata"]["uid"], 0.0) or _condition_time(pod)

    def _start(self, pod: Object, now: float) -> float | None:
        metadata = pod["metadata"]
        if any(owner["kind"] == "Job" for owner in metadata.get("ownerReferences", [])):
            return None  # it serves nothing, and ends: see `jobs.py`
        if metadata["uid"] not in self._seen:
            self._seen[metadata["uid"]] = _first_seen(pod, now)
        due = self._seen[metadata["uid"]] + START_SECONDS
        if now < due:
            return due
        wanted = not self._behaviours.never_ready(images_of(pod))
        if is_ready(pod) != wanted or pod["status"].get("phase") != "Running":
            if wanted:
                self._ready[metadata["uid"]] = now
            self._store.put(PODS, {**pod, "status": _status(pod, wanted, now)})
        elif wanted:
            self._up[metadata["uid"]] = metadata["resourceVersion"]
        return None

    def _stop(self, pod: Object, now: float) -> float | None:
        metadata = pod["metadata"]
        due = self._stopping.setdefault(metadata["uid"], now) + STOP_SECONDS
        if now < due:
            return due
        if not metadata.get("finalizers"):
            self._store.remove(PODS, metadata["namespace"], metadata["name"])
        return None

    def _forget(self, alive: set[str]) -> None:
        kept: tuple[dict[str, Any], ...] = (self._seen, self._ready, self._stopping, self._up)
        for moments in kept:
            for uid in moments.keys() - alive:
                del moments[uid]


def images_of(pod: Object) -> list[str]:
    """Return the images of a pod's containers."""
    return [container.get("image", "") for container in pod["spec"].get("containers", [])]


def is_ready(pod: Object) -> bool:
    """Tell whether a pod takes traffic: ready and not about to go."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    return any(
        c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", [])
    )


def _first_seen(pod: Object, now: float) -> float:
    """Return the moment a pod appeared; after a restart of the sandbox that was long ago."""
    created = from_text(pod["metadata"]["creationTimestamp"])
    return now if now - created < 2 else created


def _condition_time(pod: Object) -> float:
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready":
            return from_text(condition["lastTransitionTime"])
    return 0.0


def _status(pod: Object, ready: bool, now: float) -> dict[str, Any]:
    before = {c["type"]: c for c in pod.get("status", {}).get("conditions", [])}
    stamp = seconds_text(now)
    states = {
        "PodReadyToStartContainers": True,
        "Initialized": True,
        "Ready": ready,
        "ContainersReady": ready,
    }
    conditions = [
        _condition(name, state, before, stamp) for name, state in {**states, "PodScheduled": True}.items()
    ]
    address = _address(pod["metadata"]["uid"])
    started = pod.get("status", {}).get("startTime", stamp)
    return {
        "observedGeneration": pod["metadata"].get("generation", 1),
        "phase": "Running",
        "conditions": conditions,
        "hostIP": "10.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": started,
        "containerStatuses": [_container(c, ready, started) for c in pod["spec"].get("containers", [])],
        "qosClass": "BestEffort",
    }


def _condition(name: str, state: bool, before: dict[str, Any], stamp: str) -> dict[str, Any]:
    text = "True" if state else "False"
    former = before.get(name)
    changed = former["lastTransitionTime"] if former and former["status"] == text else stamp
    condition = {"type": name, "status": text, "lastProbeTime": None, "lastTransitionTime": changed}
    if not state:
        condition |= {"reason": "ContainersNotReady", "message": "containers with unready status"}
    return condition


def _container(container: dict[str, Any], ready: bool, started: str) -> dict[str, Any]:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "sandbox://sha256:" + hashlib.sha256(container["image"].encode()).hexdigest(),
        "ready": ready,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": started}},
    }


def _address(uid: str) -> str:
    digest = hashlib.sha256(uid.encode()).digest()
    return f"10.244.{digest[0]}.{digest[1]}"
