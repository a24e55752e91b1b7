"""Deletes: preconditions, grace and finalizers, and what follows an owner."""

import time
from typing import Any

from holdpoint.sandbox.clock import seconds_text
from holdpoint.sandbox.kube.call import Call
from holdpoint.sandbox.kube.kinds import Kind
from holdpoint.sandbox.kube.status import bad_request, conflict, not_found
from holdpoint.sandbox.store import Object, Store

DEFAULT_GRACE = 30
"""Seconds that a pod is given to end."""

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_FINALIZER = {"Foreground": FOREGROUND, "Orphan": ORPHAN}


def delete(store: Store, call: Call) -> tuple[int, Object]:
    """Delete one object, now or once its finalizers are gone; raises 404, or 409 for a precondition."""
    grace, wanted = _grace(call), _wanted(call)
    live = store.get(call.kind, call.namespace, call.name)
    if live is None:
        raise not_found(call.kind, call.name)
    _check_preconditions(call.kind, live, wanted)
    marked = _marked(call, live, grace)
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


def _grace(call: Call) -> int:
    """Return the seconds that the object is given to end; raises 400."""
    given = call.option("gracePeriodSeconds")
    if given is None:
        return DEFAULT_GRACE if call.kind.kind == "Pod" else 0
    text = str(given)
    if isinstance(given, bool) or not text.isdecimal() or len(text) > 9:
        raise bad_request(f"invalid gracePeriodSeconds: {text[:40]!r} is no number of seconds")
    return int(text)


def _wanted(call: Call) -> dict[str, Any]:
    """Return the preconditions; raises 400."""
    wanted = call.option("preconditions") or {}
    if not isinstance(wanted, dict) or not all(isinstance(value, str | None) for value in wanted.values()):
        raise bad_request("invalid preconditions: uid and resourceVersion are texts")
    return wanted


def _marked(call: Call, live: Object, seconds: int) -> Object:
    metadata = dict(live["metadata"])
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
