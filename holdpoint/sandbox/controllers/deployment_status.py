"""The status of a Deployment: counts, and the conditions Available and Progressing."""

import time
from typing import Any

from holdpoint.sandbox.clock import from_text, seconds_text
from holdpoint.sandbox.controllers import rollout
from holdpoint.sandbox.store import Object

Status = dict[str, Any]


def observed(body: Object, sets: list[Object], new: Object | None) -> tuple[Status, float | None]:
    """Return the status, and when its progress deadline passes (Unix seconds) if it can pass."""
    before: Status = body.get("status") or {}
    total = _count(sets, "replicas")
    available = _count(sets, "availableReplicas")
    counts = {
        "replicas": total,
        "updatedReplicas": _count([new] if new else [], "replicas"),
        "readyReplicas": _count(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, max(total, body["spec"]["replicas"]) - available),
    }
    status: Status = {"observedGeneration": body["metadata"]["generation"], **_nonzero(counts)}
    former = {condition["type"]: condition for condition in before.get("conditions", [])}
    progressing, due = _progressing(body, counts, before, former.get("Progressing"), new)
    refused = [_replica_failure(new, former.get("ReplicaFailure"))] if _failures(new) else []
    status["conditions"] = [_available(body, available, former.get("Available")), *refused, progressing]
    return status, due


def _failures(new: Object | None) -> list[Status]:
    found: list[Status] = ((new or {}).get("status") or {}).get("conditions") or []
    return found


def _replica_failure(new: Object | None, former: Status | None) -> Status:
    """Return the current ReplicaSet's condition as the Deployment's."""
    cause = _failures(new)[0]
    return _condition(cause["type"], cause["status"], cause["reason"], cause["message"], former)


def complete(body: Object, counts: dict[str, int]) -> bool:
    """Tell whether all replicas are updated and available and no old one is left."""
    wanted: int = body["spec"]["replicas"]
    return all(counts[name] == wanted for name in ("updatedReplicas", "replicas", "availableReplicas"))


def _count(sets: list[Object], name: str) -> int:
    return sum(body.get("status", {}).get(name, 0) for body in sets)


def _nonzero(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _available(body: Object, available: int, former: Status | None) -> Status:
    spec = body["spec"]
    slack = rollout.bounds(spec)[1] if spec["strategy"]["type"] == "RollingUpdate" else 0
    if available >= spec["replicas"] - slack:
        return _condition(
            "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", former
        )
    message = "Deployment does not have minimum availability."
    return _condition("Available", "False", "MinimumReplicasUnavailable", message, former)


def _progressing(
    body: Object, counts: dict[str, int], before: Status, former: Status | None, new: Object | None
) -> tuple[Status, float | None]:
    name = f'"{new["metadata"]["name"]}"' if new else f'"{body["metadata"]["name"]}"'
    if complete(body, counts):
        message = f"ReplicaSet {name} has successfully progressed."
        return _condition("Progressing", "True", "NewReplicaSetAvailable", message, former), None
    if former is None or _moved(body, counts, before):
        message = f"ReplicaSet {name} is progressing."
        fresh = _condition("Progressing", "True", "ReplicaSetUpdated", message, None)
        if former and former["status"] == "True":
            fresh["lastTransitionTime"] = former["lastTransitionTime"]
        return fresh, time.time() + body["spec"]["progressDeadlineSeconds"]
    if former["reason"] == "NewReplicaSetAvailable":
        return former, None  # a rollout that is over cannot run out of time, whatever becomes of its pods
    due = from_text(former["lastUpdateTime"]) + body["spec"]["progressDeadlineSeconds"]
    if time.time() < due and former["status"] == "True":
        return former, due
    message = f"ReplicaSet {name} has timed out progressing."
    return _condition("Progressing", "False", "ProgressDeadlineExceeded", message, former), None


def _moved(body: Object, counts: dict[str, int], before: Status) -> bool:
    """Tell whether the rollout came nearer to its end, or began anew, since the last look."""
    if before.get("observedGeneration") != body["metadata"]["generation"]:
        return True
    old = counts["replicas"] - counts["updatedReplicas"]
    old_before: int = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    names = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old < old_before or any(counts[name] > before.get(name, 0) for name in names)


def _condition(kind: str, status: str, reason: str, message: str, former: Status | None) -> Status:
    now = seconds_text(time.time())
    if former and all(
        former[k] == v for k, v in (("status", status), ("reason", reason), ("message", message))
    ):
        return former
    changed = former["lastTransitionTime"] if former and former["status"] == status else now
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": changed,
        "reason": reason,
        "message": message,
    }
