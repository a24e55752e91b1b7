"""Deployments: a ReplicaSet for each template, rolled from the old to the new."""

import copy
import hashlib
import json
import time
from typing import Any

from holdpoint.sandbox.clock import seconds_text
from holdpoint.sandbox.controllers import deployment_status, rollout
from holdpoint.sandbox.controllers.replica_sets import owned_by_uid, owner_reference
from holdpoint.sandbox.controllers.rollout import Generation
from holdpoint.sandbox.controllers.settled import Settled
from holdpoint.sandbox.kube.kinds import DEPLOYMENTS, REPLICA_SETS
from holdpoint.sandbox.kube.ownership import Manager, after_update, with_managers
from holdpoint.sandbox.store import Object, Store, new_uid

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_NOT_COPIED = (REVISION, "kubectl.kubernetes.io/last-applied-configuration")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class Deployments:
    """Keeps the ReplicaSets and the status of every Deployment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._settled = Settled(store, self._one)

    def reconcile(self) -> float | None:
        """Move every Deployment on; return when a progress deadline passes (Unix seconds)."""
        owned = owned_by_uid(self._store.all(REPLICA_SETS))
        alive = {
            body["metadata"]["uid"]: body
            for body in self._store.all(DEPLOYMENTS)
            if "deletionTimestamp" not in body["metadata"]
        }
        due = [self._settled.due(body, owned.get(uid, [])) for uid, body in alive.items()]
        self._settled.forget_all_but(set(alive))
        return min((moment for moment in due if moment is not None), default=None)

    def _one(self, body: Object, sets: list[Object]) -> float | None:
        sets = sorted(sets, key=revision_of)
        new = next((s for s in sets if _same_template(s, body)), None)
        if new is None and not body["spec"].get("paused"):
            new = self._store.put(REPLICA_SETS, _replica_set(body))
            sets.append(new)
        if new is not None:
            sets, new, body = self._number(body, sets, new)
            sets = self._resize(body, sets, new)
            new = next(s for s in sets if s["metadata"]["uid"] == new["metadata"]["uid"])
            self._tidy(body, sets, new)
        status, due = deployment_status.observed(body, sets, new)
        if status != body.get("status"):
            self._store.put(DEPLOYMENTS, {**body, "status": status})
        return due

    def _number(self, body: Object, sets: list[Object], new: Object) -> tuple[list[Object], Object, Object]:
        """Give the current ReplicaSet revision and annotations, and the Deployment the revision."""
        others = [revision_of(s) for s in sets if s is not new]
        wanted = max([1, revision_of(new), *(number + 1 for number in others)])
        noted = _annotated(new, {**_copied(body), REVISION: str(wanted)})
        if noted != new:
            noted = self._store.put(REPLICA_SETS, noted)
        if revision_of(body) != wanted:
            body = self._store.put(DEPLOYMENTS, _owned(body, _annotated(body, {REVISION: str(wanted)})))
        return [*(s for s in sets if s is not new), noted], noted, body

    def _resize(self, body: Object, sets: list[Object], new: Object) -> list[Object]:
        """Give each ReplicaSet its next size; a paused Deployment is scaled, but does not roll."""
        old = [s for s in sets if s is not new]
        sizes = rollout.next_sizes(body["spec"], _numbers(new), [_numbers(s) for s in old])
        if body["spec"].get("paused"):
            active = [s for s in sets if s["spec"]["replicas"]] or [new]
            sizes = {active[0]["metadata"]["name"]: body["spec"]["replicas"]} if len(active) == 1 else {}
        return [self._resized(s, sizes.get(s["metadata"]["name"]), body["spec"]) for s in sets]

    def _resized(self, current: Object, size: int | None, wanted: dict[str, Any]) -> Object:
        spec = {key: value for key, value in current["spec"].items() if key != "minReadySeconds"}
        if wanted.get("minReadySeconds"):
            spec["minReadySeconds"] = wanted["minReadySeconds"]
        if size is not None:
            spec["replicas"] = size
        if spec == current["spec"]:
            return current
        return self._store.put(REPLICA_SETS, _respecified(current, spec))

    def _tidy(self, body: Object, sets: list[Object], new: Object) -> None:
        """Remove the oldest empty ReplicaSets beyond the history limit, once the rollout is complete."""
        finished = [
            s
            for s in sets
            if s is not new and not s["spec"]["replicas"] and not s.get("status", {}).get("replicas")
        ]
        spare = len(finished) - body["spec"].get("revisionHistoryLimit", 10)
        for gone in finished[: max(0, spare)]:
            self._store.remove(REPLICA_SETS, gone["metadata"]["namespace"], gone["metadata"]["name"])


def revision_of(body: Object) -> int:
    """Return the revision annotation of a Deployment or ReplicaSet, 0 without one."""
    text = (body["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def template_hash(template: dict[str, Any]) -> str:
    """Return ten letters that stand for a pod template."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:10])


def _same_template(replica_set: Object, body: Object) -> bool:
    template = copy.deepcopy(replica_set["spec"]["template"])
    template.get("metadata", {}).get("labels", {}).pop(HASH_LABEL, None)
    wanted = body["spec"]["template"]
    return bool(template.get("spec") == wanted.get("spec")) and _bare(template) == _bare(wanted)


def _bare(template: dict[str, Any]) -> tuple[Any, Any]:
    metadata = template.get("metadata") or {}
    return metadata.get("labels") or {}, metadata.get("annotations") or {}


def _numbers(replica_set: Object) -> Generation:
    status = replica_set.get("status", {})
    # a ReplicaSet that has not seen its latest size yet may count pods that are about to go
    available = min(status.get("availableReplicas", 0), replica_set["spec"]["replicas"])
    return Generation(replica_set["metadata"]["name"], replica_set["spec"]["replicas"], available)


def _annotated(body: Object, notes: dict[str, str]) -> Object:
    annotations = {**(body["metadata"].get("annotations") or {}), **notes}
    return {**body, "metadata": {**body["metadata"], "annotations": annotations}}


def _copied(body: Object) -> dict[str, str]:
    """Return the annotations that a ReplicaSet takes from its Deployment, and its bounds."""
    given = body["metadata"].get("annotations") or {}
    spec = body["spec"]
    surge = rollout.bounds(spec)[0] if spec["strategy"]["type"] == "RollingUpdate" else 0
    return {
        **{key: value for key, value in given.items() if key not in _NOT_COPIED},
        "deployment.kubernetes.io/desired-replicas": str(spec["replicas"]),
        "deployment.kubernetes.io/max-replicas": str(spec["replicas"] + surge),
    }


def _owned(before: Object, after: Object) -> Object:
    """Return the Deployment with the controller's field under its name, lest it is taken for nobody's."""
    stamp = seconds_text(time.time())
    writer = Manager("kube-controller-manager", "Update", "apps/v1", frozenset(), time=stamp)
    return with_managers(after, after_update(before, after, writer))


def _respecified(body: Object, spec: dict[str, Any]) -> Object:
    metadata = {**body["metadata"], "generation": body["metadata"]["generation"] + 1}
    return {**body, "metadata": metadata, "spec": spec}


def _replica_set(body: Object) -> Object:
    spec, metadata = body["spec"], body["metadata"]
    template = copy.deepcopy(spec["template"])
    code = template_hash(spec["template"])
    labels = {**(template.get("metadata", {}).get("labels") or {}), HASH_LABEL: code}
    template["metadata"] = {**(template.get("metadata") or {}), "labels": labels}
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: code}
    out: Object = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{code}",
            "namespace": metadata["namespace"],
            "uid": new_uid(),
            "creationTimestamp": seconds_text(time.time()),
            "generation": 1,
            "labels": labels,
            "ownerReferences": [owner_reference("Deployment", "apps/v1", body)],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
        "status": {"replicas": 0},
    }
    if spec.get("minReadySeconds"):
        out["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    return out
