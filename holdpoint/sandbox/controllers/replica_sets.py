"""ReplicaSets keep their number of pods."""

import secrets
import time
from typing import Any

from holdpoint.sandbox.clock import seconds_text
from holdpoint.sandbox.controllers.pods import Kubelet, is_ready
from holdpoint.sandbox.controllers.settled import Settled
from holdpoint.sandbox.kube import quotas
from holdpoint.sandbox.kube.defaults import defaulted
from holdpoint.sandbox.kube.kinds import PODS, REPLICA_SETS
from holdpoint.sandbox.kube.status import Refusal
from holdpoint.sandbox.store import Object, Store, new_uid

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""The letters of Kubernetes' generated names: none that spell words."""

MOST_PODS = 1000
"""The capacity of the cluster; what is asked beyond it is not there, as in a cluster that is full."""


class ReplicaSets:
    """Creates and deletes pods and keeps each ReplicaSet's status."""

    def __init__(self, store: Store, kubelet: Kubelet) -> None:
        self._store = store
        self._kubelet = kubelet
        self._room = MOST_PODS
        self._settled = Settled(store, self._one)

    def reconcile(self) -> float | None:
        """Bring every ReplicaSet to its number; return when a pod becomes available (Unix seconds)."""
        pods = self._store.all(PODS)
        self._room = MOST_PODS - len(pods)
        owned = owned_by_uid(pods)
        alive = {body["metadata"]["uid"]: body for body in self._store.all(REPLICA_SETS)}
        due = [self._kept(body, owned.get(uid, [])) for uid, body in alive.items()]
        self._settled.forget_all_but(set(alive))
        return min((moment for moment in due if moment is not None), default=None)

    def _kept(self, body: Object, pods: list[Object]) -> float | None:
        # What lacks pods is looked at again: a quota or the cluster's room may give way.
        lacking = body["spec"]["replicas"] > len(_active(pods))
        return self._settled.due(body, pods, again=lacking)

    def _one(self, body: Object, pods: list[Object]) -> float | None:
        active = _active(pods)
        refusal: str | None = None
        if "deletionTimestamp" not in body["metadata"]:
            missing = body["spec"]["replicas"] - len(active)
            refusal = self._create(body, missing)
            for pod in sorted(active, key=_least_wanted)[: max(0, -missing)]:
                self._end(pod)
        return self._observe(body, active, refusal)

    def _create(self, body: Object, missing: int) -> str | None:
        """Make the pods that are missing; return why the API server refuses one, if it does."""
        for _ in range(min(missing, self._room)):
            pod = _pod(body)
            try:
                quotas.check(self._store, PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
            except Refusal as refusal:
                return str(refusal)
            self._store.put(PODS, pod)
            self._room -= 1
        return None

    def _end(self, pod: Object) -> None:
        metadata = {**pod["metadata"], "deletionTimestamp": seconds_text(time.time() + 30)}
        self._store.put(PODS, {**pod, "metadata": {**metadata, "deletionGracePeriodSeconds": 30}})

    def _observe(self, body: Object, active: list[Object], refusal: str | None) -> float | None:
        now, wait = time.time(), body["spec"].get("minReadySeconds", 0)
        since = [self._kubelet.ready_at(pod) for pod in active if is_ready(pod)]
        available = sum(moment + wait <= now for moment in since)
        counts = {
            "fullyLabeledReplicas": len(active),
            "readyReplicas": len(since),
            "availableReplicas": available,
        }
        status: dict[str, Any] = {
            "replicas": len(active),
            **{name: count for name, count in counts.items() if count},
            "observedGeneration": body["metadata"]["generation"],
            **({"conditions": [_failure(body, refusal)]} if refusal else {}),
        }
        if body.get("status") != status:
            self._store.put(REPLICA_SETS, {**body, "status": status})
        return min((moment + wait for moment in since if moment + wait > now), default=None)


def _active(pods: list[Object]) -> list[Object]:
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def owned_by_uid(objects: list[Object]) -> dict[str, list[Object]]:
    """Return objects by the UID of their controller."""
    found: dict[str, list[Object]] = {}
    for body in objects:
        for owner in body["metadata"].get("ownerReferences", []):
            if owner.get("controller"):
                found.setdefault(owner["uid"], []).append(body)
    return found


def owner_reference(kind: str, api_version: str, owner: Object) -> dict[str, Any]:
    """Return the reference by which a controller owns what it made."""
    metadata = owner["metadata"]
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _failure(body: Object, refusal: str) -> dict[str, str]:
    """Return the condition of a ReplicaSet whose pods are refused; it keeps the first refusal's words."""
    former: list[dict[str, str]] = (body.get("status") or {}).get("conditions") or []
    if former:
        return former[0]
    return {
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": seconds_text(time.time()),
        "reason": "FailedCreate",
        "message": refusal,
    }


def _least_wanted(pod: Object) -> tuple[bool, int]:
    """Order pods for deletion as Kubernetes does: the unready first, then the youngest."""
    return is_ready(pod), -int(pod["metadata"]["resourceVersion"])


def _pod(owner: Object) -> Object:
    template, metadata = owner["spec"]["template"], owner["metadata"]
    given = template.get("metadata") or {}
    name = f"{metadata['name']}-{''.join(secrets.choice(_ALPHABET) for _ in range(5))}"
    body: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "uid": new_uid(),
            "creationTimestamp": seconds_text(time.time()),
            "generateName": f"{metadata['name']}-",
            "labels": dict(given.get("labels") or {}),
            "ownerReferences": [owner_reference("ReplicaSet", "apps/v1", owner)],
        },
        "spec": {**template["spec"], "nodeName": "sandbox"},
        "status": {"phase": "Pending"},
    }
    if given.get("annotations"):
        body["metadata"]["annotations"] = dict(given["annotations"])
    return defaulted(PODS, body)
