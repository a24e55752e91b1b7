"""StatefulSets: pods with numbers, made and changed one after the other, from the top down to a partition.

As Kubernetes' controller (pkg/controller/statefulset/stateful_set_control.go), without volumes: claims are
kept in the object and nothing is made of them.
"""

import copy
import time
from typing import Any

from holdpoint.sandbox.clock import seconds_text
from holdpoint.sandbox.controllers.deployments import template_hash
from holdpoint.sandbox.controllers.pods import is_ready
from holdpoint.sandbox.controllers.replica_sets import owned_by_uid, owner_reference
from holdpoint.sandbox.controllers.settled import Settled
from holdpoint.sandbox.kube import quotas
from holdpoint.sandbox.kube.defaults import defaulted
from holdpoint.sandbox.kube.kinds import PODS, REVISIONS, STATEFUL_SETS
from holdpoint.sandbox.kube.status import Refusal
from holdpoint.sandbox.store import Object, Store, new_uid

REVISION_LABEL = "controller-revision-hash"
INDEX_LABEL = "apps.kubernetes.io/pod-index"
NAME_LABEL = "statefulset.kubernetes.io/pod-name"


class StatefulSets:
    """Keeps the pods, the revisions and the status of every StatefulSet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._settled = Settled(store, self._one)

    def reconcile(self) -> float | None:
        """Move every StatefulSet on; nothing of it is due at a later moment."""
        owned = owned_by_uid([*self._store.all(PODS), *self._store.all(REVISIONS)])
        alive = {
            body["metadata"]["uid"]: body
            for body in self._store.all(STATEFUL_SETS)
            if "deletionTimestamp" not in body["metadata"]
        }
        for uid, body in alive.items():
            mine = owned.get(uid, [])
            # What lacks pods is looked at again: a quota may give way.
            lacking = body["spec"]["replicas"] > sum(one["kind"] == "Pod" for one in mine)
            self._settled.due(body, mine, again=lacking)
        self._settled.forget_all_but(set(alive))
        return None

    def _one(self, body: Object, owned: list[Object]) -> float | None:
        revisions = {one["metadata"]["name"]: one for one in owned if one["kind"] == "ControllerRevision"}
        pods = {_number(one): one for one in owned if one["kind"] == "Pod"}
        update = self._revised(body, revisions)
        current = (body.get("status") or {}).get("currentRevision", update)
        if current not in revisions:
            current = update
        self._move(body, pods, revisions, current, update)
        status = _observed(body, list(pods.values()), current, update)
        if status != body.get("status"):
            self._store.put(STATEFUL_SETS, {**body, "status": status})
        return None

    def _revised(self, body: Object, revisions: dict[str, Object]) -> str:
        """Have the revision of the template that is stated now be the newest; return its name."""
        template = body["spec"]["template"]
        name = f"{body['metadata']['name']}-{template_hash(template)}"
        known, newest = revisions.get(name), max([0, *(one["revision"] for one in revisions.values())])
        if known is None:
            made = _revision(body, name, newest + 1)
            revisions[name] = self._store.put(REVISIONS, made)
        elif known["revision"] < newest:
            revisions[name] = self._store.put(REVISIONS, {**known, "revision": newest + 1})
        return name

    def _move(
        self,
        body: Object,
        pods: dict[int, Object],
        revisions: dict[str, Object],
        current: str,
        update: str,
    ) -> None:
        """Make, remove or replace what is next: one pod, or where they need no order all at once."""
        spec = body["spec"]
        ordered, wanted = spec["podManagementPolicy"] == "OrderedReady", spec["replicas"]
        for number in range(wanted):
            if number not in pods:
                name = current if number < _partition(spec) else update
                made = self._made(_pod(body, number, revisions[name]))
                if made is None:
                    return
                pods[number] = made
            if ordered and not is_ready(pods[number]):
                return
        surplus = sorted((number for number in pods if number >= wanted), reverse=True)
        for number in surplus[:1] if ordered else surplus:
            self._end(pods, number)
        if not (ordered and surplus):
            self._update(spec, pods, update)

    def _made(self, pod: Object) -> Object | None:
        """Make a pod; None where a quota refuses it, or somebody else's has its name."""
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        try:
            quotas.check(self._store, PODS, namespace, name)
        except Refusal:
            return None
        return None if self._store.get(PODS, namespace, name) else self._store.put(PODS, pod)

    def _update(self, spec: dict[str, Any], pods: dict[int, Object], update: str) -> None:
        """End the topmost pod of another revision, once all above it are ready."""
        if spec["updateStrategy"]["type"] == "OnDelete":
            return
        for number in range(spec["replicas"] - 1, _partition(spec) - 1, -1):
            if _revision_of(pods[number]) != update:
                self._end(pods, number)
            if not is_ready(pods[number]):
                return

    def _end(self, pods: dict[int, Object], number: int) -> None:
        """Have a pod go, if it does not already."""
        pod = pods[number]
        if "deletionTimestamp" in pod["metadata"]:
            return
        metadata = {**pod["metadata"], "deletionTimestamp": seconds_text(time.time() + 30)}
        gone = {**pod, "metadata": {**metadata, "deletionGracePeriodSeconds": 30}}
        pods[number] = self._store.put(PODS, gone)


def _partition(spec: dict[str, Any]) -> int:
    """Return the number below which pods keep the revision that they have."""
    return int((spec["updateStrategy"].get("rollingUpdate") or {}).get("partition", 0))


def _observed(body: Object, pods: list[Object], current: str, update: str) -> dict[str, Any]:
    """Return the status; once every pod has the new revision, that is the current one."""
    spec, staying = body["spec"], [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    ready = sum(is_ready(pod) for pod in staying)
    at = {name: sum(_revision_of(pod) == name for pod in staying) for name in (current, update)}
    whole = at[update] == ready == len(pods) == spec["replicas"]
    if whole and spec["updateStrategy"]["type"] == "RollingUpdate":
        current = update
    counts = {"readyReplicas": ready, "currentReplicas": at[current], "updatedReplicas": at[update]}
    return {
        "observedGeneration": body["metadata"]["generation"],
        "replicas": len(pods),
        **{name: count for name, count in counts.items() if count},
        "availableReplicas": ready,
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": 0,
    }


def _number(pod: Object) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _revision_of(pod: Object) -> str:
    return str(pod["metadata"]["labels"].get(REVISION_LABEL))


def _revision(body: Object, name: str, number: int) -> Object:
    template = copy.deepcopy(body["spec"]["template"])
    metadata = {
        "name": name,
        "namespace": body["metadata"]["namespace"],
        "uid": new_uid(),
        "creationTimestamp": seconds_text(time.time()),
        "labels": {**((template.get("metadata") or {}).get("labels") or {}), REVISION_LABEL: name},
        "ownerReferences": [owner_reference("StatefulSet", "apps/v1", body)],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": {"spec": {"template": template}},
        "revision": number,
    }


def _pod(body: Object, number: int, revision: Object) -> Object:
    template, metadata = revision["data"]["spec"]["template"], body["metadata"]
    given, name = template.get("metadata") or {}, f"{metadata['name']}-{number}"
    labels = {
        **(given.get("labels") or {}),
        INDEX_LABEL: str(number),
        REVISION_LABEL: revision["metadata"]["name"],
        NAME_LABEL: name,
    }
    own = {"hostname": name, "nodeName": "sandbox"}
    service = {"subdomain": body["spec"]["serviceName"]} if body["spec"].get("serviceName") else {}
    made: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "uid": new_uid(),
            "creationTimestamp": seconds_text(time.time()),
            "generateName": f"{metadata['name']}-",
            "labels": labels,
            "ownerReferences": [owner_reference("StatefulSet", "apps/v1", body)],
        },
        "spec": {**copy.deepcopy(template["spec"]), **own, **service},
        "status": {"phase": "Pending"},
    }
    if given.get("annotations"):
        made["metadata"]["annotations"] = dict(given["annotations"])
    return defaulted(PODS, made)
