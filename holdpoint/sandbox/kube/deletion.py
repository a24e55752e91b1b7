"""Deletes: preconditions, grace and finalizers, and what follows an owner."""

import time
from typing import Any

from holdpoint.sandbox.clock import seconds_text
from holdpoint.sandbox.kube.call import Call
from holdpoint.sandbox.kube.kinds import Kind
from holdpoint.sandbox.kube.status import conflict, not_found
from holdpoint.sandbox.store import Object, Store

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_FINALIZER = {"Foreground": FOREGROUND, "Orphan": ORPHAN}


def delete(store: Store, call: Call) -> tuple[int, Object]:
    """Delete one object, now or once its finalizers are gone; raises 404, or 409 for a precondition."""
    live = store.get(call.kind, call.namespace, call.name)
    if live is None:
        raise not_found(call.kind, call.name)
    _check_preconditions(call.kind, live, call.option("preconditions") or {})
    marked = _marked(call, live)
    if not _waits(call.kind, marked):
        if not call.dry_run:
            store.remove(call.kind, call.namespace, call.name)
        return 200, _success(call.kind, live)
    if call.dry_run or marked == live:
        return 200, marked
    return 200, store.put(call.kind, marked)


def _check_preconditions(kind: Kind, live: Object, wanted: dict[str, Any]) -> None:
    metadata = live["metadata"]
    named = Kind(
        kind.group, kind.version, kind.kind, kind.kind
    )  # here the message names the kind, not its plural
    for field, label, after in (
        ("uid", "UID", "The object might have been deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "The object might have been modified"),
    ):
        given = wanted.get(field)
        if given and given != metadata[field]:
            why = f"the {label} in the precondition ({given}) does not match the {label} in record"
            raise conflict(named, metadata["name"], f"{why} ({metadata[field]}). {after}")


def _marked(call: Call, live: Object) -> Object:
    metadata = dict(live["metadata"])
    grace = call.option("gracePeriodSeconds")
    seconds = int(grace) if grace is not None else 30 if call.kind.kind == "Pod" else 0
    if "deletionTimestamp" not in metadata:
        metadata["deletionTimestamp"] = seconds_text(time.time() + seconds)
        metadata["deletionGracePeriodSeconds"] = seconds
    elif seconds < metadata.get("deletionGracePeriodSeconds", 0):
        metadata["deletionGracePeriodSeconds"] = seconds
    finalizer = _FINALIZER.get(str(call.option("propagationPolicy") or ""))
    if finalizer and finalizer not in metadata.get("finalizers", []):
        metadata["finalizers"] = [*metadata.get("finalizers", []), finalizer]
    return {**live, "metadata": metadata}


def _waits(kind: Kind, marked: Object) -> bool:
    """Tell whether the object stays for a while: finalizers, a pod's grace, a namespace's contents."""
    if marked["metadata"].get("finalizers") or kind.kind == "Namespace":
        return True
    return kind.kind == "Pod" and marked["metadata"]["deletionGracePeriodSeconds"] > 0


def _success(kind: Kind, live: Object) -> Object:
    details = {
        "name": live["metadata"]["name"],
        **({"group": kind.group} if kind.group else {}),
        "kind": kind.plural,
        "uid": live["metadata"]["uid"],
    }
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
