"""The garbage collector: what follows the deletion of an owner or of a namespace."""

import time

from holdpoint.sandbox.clock import seconds_text
from holdpoint.sandbox.kube.deletion import FOREGROUND, ORPHAN
from holdpoint.sandbox.kube.kinds import BY_RESOURCE, NAMESPACES
from holdpoint.sandbox.store import Key, Object, Store


def collect(store: Store) -> None:
    """Delete dependents without an owner, finish foreground and orphaning deletes, empty dying namespaces."""
    objects = store.everything()
    alive = {body["metadata"]["uid"] for _, body in objects}
    for key, body in objects:
        metadata = body["metadata"]
        owners = metadata.get("ownerReferences")
        if owners and owners[0]["uid"] not in alive and not any(owner["uid"] in alive for owner in owners):
            _end(store, key, body)
        if "deletionTimestamp" in metadata and metadata.get("finalizers"):
            _finish(store, key, body, _dependents(objects, metadata["uid"]))
    for key, body in objects:
        if "deletionTimestamp" in body["metadata"] and key.resource == NAMESPACES.resource:
            _empty(store, key, [item for item in objects if item[0].namespace == key.name])


def _dependents(objects: list[tuple[Key, Object]], uid: str) -> list[tuple[Key, Object]]:
    return [
        (key, body)
        for key, body in objects
        if any(owner["uid"] == uid for owner in body["metadata"].get("ownerReferences", []))
    ]


def _finish(store: Store, key: Key, body: Object, dependents: list[tuple[Key, Object]]) -> None:
    finalizers = body["metadata"].get("finalizers", [])
    if ORPHAN in finalizers:
        for other_key, other in dependents:
            _disown(store, other_key, other, body["metadata"]["uid"])
        _without(store, key, body, ORPHAN)
    elif FOREGROUND in finalizers:
        for other_key, other in dependents:
            _end(store, other_key, other, FOREGROUND)
        if not dependents:
            _without(store, key, body, FOREGROUND)


def _end(store: Store, key: Key, body: Object, finalizer: str = "") -> None:
    """Delete an object as its owner is gone or goes; pods end with their grace."""
    kind, metadata = BY_RESOURCE[key.resource], body["metadata"]
    if "deletionTimestamp" in metadata or store.get(kind, key.namespace, key.name) is None:
        return
    is_pod = kind.kind == "Pod"
    marked = {
        **metadata,
        "deletionTimestamp": seconds_text(time.time()),
        "deletionGracePeriodSeconds": 30 * is_pod,
    }
    if finalizer and not is_pod:
        marked["finalizers"] = [*metadata.get("finalizers", []), finalizer]
    if is_pod or marked.get("finalizers"):
        store.put(kind, {**body, "metadata": marked})
    else:
        store.remove(kind, key.namespace, key.name)


def _without(store: Store, key: Key, body: Object, finalizer: str) -> None:
    kind = BY_RESOURCE[key.resource]
    rest = [name for name in body["metadata"]["finalizers"] if name != finalizer]
    if rest:
        store.put(kind, {**body, "metadata": {**body["metadata"], "finalizers": rest}})
    else:
        store.remove(kind, key.namespace, key.name)


def _disown(store: Store, key: Key, body: Object, uid: str) -> None:
    rest = [owner for owner in body["metadata"]["ownerReferences"] if owner["uid"] != uid]
    metadata = {name: value for name, value in body["metadata"].items() if name != "ownerReferences"}
    kept = {**metadata, **({"ownerReferences": rest} if rest else {})}
    store.put(BY_RESOURCE[key.resource], {**body, "metadata": kept})


def _empty(store: Store, key: Key, contents: list[tuple[Key, Object]]) -> None:
    for other_key, other in contents:
        _end(store, other_key, other)
    if not contents:
        store.remove(NAMESPACES, "", key.name)
