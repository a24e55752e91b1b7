"""What an API server does to an object on its way into the store: identity, generation, status, ownership."""

import base64
import copy
import secrets
import time
from typing import Any

from holdpoint.sandbox.clock import seconds_text
from holdpoint.sandbox.kube import ownership, typed
from holdpoint.sandbox.kube.defaults import defaulted
from holdpoint.sandbox.kube.kinds import Kind
from holdpoint.sandbox.kube.ownership import Manager
from holdpoint.sandbox.kube.schema import shape_of
from holdpoint.sandbox.kube.status import Refusal, bad_request, conflict
from holdpoint.sandbox.kube.validation.kinds import check
from holdpoint.sandbox.store import Object, new_uid

_GENERATED = ("Deployment", "ReplicaSet", "StatefulSet", "PodDisruptionBudget", "Ingress", "HTTPRoute")
"""Kinds whose `metadata.generation` counts the changes of their spec."""

_SYSTEM = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)


def identified(kind: Kind, namespace: str, name: str, body: Any) -> Object:
    """Return the sent object under the address of its request; raises 400 where the two differ."""
    if not isinstance(body, dict):
        raise bad_request("the body of the request is not an object")
    if (
        body.get("kind", kind.kind) != kind.kind
        or body.get("apiVersion", kind.api_version) != kind.api_version
    ):
        given = f"{body.get('apiVersion')}, Kind={body.get('kind')}"
        raise bad_request(
            f"the object provided ({given}) does not match the API version and kind of the request "
            f"({kind.api_version}, Kind={kind.kind})"
        )
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise bad_request("metadata is not an object")
    if metadata.get("namespace", namespace) != namespace and kind.namespaced:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if name and metadata.get("name", name) != name:
        raise bad_request(
            f"the name of the object ({metadata.get('name')}) does not match the name on the URL ({name})"
        )
    address = {"namespace": namespace} if kind.namespaced else {}
    if name:
        address["name"] = name
    rest = {key: value for key, value in body.items() if key not in ("apiVersion", "kind", "metadata")}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {**metadata, **address}, **rest}


def created(kind: Kind, body: Object, managers: list[Manager] | None, writer: Manager) -> Object:
    """Return a new object, ready to be stored; `managers` is None for a plain create."""
    metadata = dict(body["metadata"])
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + secrets.token_hex(3)[:5]
    kept = {
        key: value
        for key, value in metadata.items()
        if key not in (*_SYSTEM, "resourceVersion", "managedFields")
    }
    fresh = copy.deepcopy({key: value for key, value in body.items() if key not in ("metadata", "status")})
    out = {**fresh, "metadata": {**kept, "uid": new_uid(), "creationTimestamp": seconds_text(time.time())}}
    if kind.kind in _GENERATED:
        out["metadata"]["generation"] = 1
    if kind.kind == "Namespace":
        out["status"] = {"phase": "Active"}
    elif kind.kind in ("Deployment", "ReplicaSet", "Service", "Pod"):
        out["status"] = {"loadBalancer": {}} if kind.kind == "Service" else {}
    out = _completed(kind, out)
    check(kind, out)
    given = managers if managers is not None else ownership.after_update(None, out, writer)
    return ownership.with_managers(out, given)


def updated(
    kind: Kind, live: Object, body: Object, managers: list[Manager] | None, writer: Manager
) -> Object:
    """Return the changed object, or `live` itself when the write changes nothing.

    Raises 409 when a precondition in the body does not hold, 422 when the change is not allowed.
    """
    metadata = body["metadata"]
    check_preconditions(kind, live, metadata)
    kept = {key: live["metadata"][key] for key in _SYSTEM if key in live["metadata"]}
    own = {k: v for k, v in metadata.items() if k not in (*_SYSTEM, "resourceVersion", "managedFields")}
    rest = copy.deepcopy({k: v for k, v in body.items() if k not in ("status", "metadata")})
    out: Object = {**rest, "metadata": {**own, **kept}}
    if "status" in live:
        out["status"] = live["status"]
    out = _completed(kind, out)
    check(kind, out, live)
    base = _with_given_managers(live, metadata)
    given = managers if managers is not None else ownership.after_update(base, out, writer)
    if _counts(kind, live, out):
        out["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
    out = ownership.with_managers(out, given)
    return live if _same(live, out) else out


def _with_given_managers(live: Object, metadata: dict[str, Any]) -> Object:
    """Return the live object with the managed fields that a plain write states: it starts from those."""
    stated = metadata.get("managedFields")
    if not stated or stated == live["metadata"].get("managedFields"):
        return live
    return {**live, "metadata": {**live["metadata"], "managedFields": stated}}


def _completed(kind: Kind, body: Object) -> Object:
    """Return the object as it is written: canonical, without what is empty, with what is default."""
    shape = shape_of(kind.kind)
    if kind.custom:
        return defaulted(kind, typed.normalised(body, shape))
    written = typed.without_empties(typed.normalised(folded_secret(body), shape), shape)
    return defaulted(kind, written)


def _counts(kind: Kind, live: Object, out: Object) -> bool:
    """Tell whether a write raises the generation; in a Deployment, annotations do as well."""
    if kind.kind not in _GENERATED or out.get("spec") == live.get("spec"):
        notes = [body["metadata"].get("annotations") or {} for body in (live, out)]
        return kind.kind == "Deployment" and notes[0] != notes[1]
    return True


def folded_secret(body: Object) -> Object:
    """Return a Secret whose `stringData` went into `data`, as the API server stores it."""
    if body.get("kind") != "Secret" or not isinstance(body.get("stringData"), dict):
        return body
    plain = {key: base64.b64encode(str(text).encode()).decode() for key, text in body["stringData"].items()}
    rest = {key: value for key, value in body.items() if key != "stringData"}
    return {**rest, "data": {**(body.get("data") or {}), **plain}}


def check_preconditions(kind: Kind, live: Object, metadata: dict[str, Any]) -> None:
    """Raise 409 when the resourceVersion or uid that a write carries is not that of the live object."""
    name, current = live["metadata"]["name"], live["metadata"]
    version = metadata.get("resourceVersion")
    if version and version != current["resourceVersion"]:
        raise conflict(kind, name)
    uid = metadata.get("uid")
    if uid and uid != current["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {current['uid']}"
        raise conflict(kind, name, why)


def _same(live: Object, out: Object) -> bool:
    def bare(body: Object) -> Object:
        metadata = {key: value for key, value in body["metadata"].items() if key != "resourceVersion"}
        return {**body, "metadata": metadata}

    return bare(live) == bare(out)


def refuse_version_on_create(body: Object) -> None:
    """Raise what an API server answers to a create that carries a resourceVersion."""
    if body["metadata"].get("resourceVersion"):
        raise Refusal(500, "InternalError", "resourceVersion should not be set on objects to be created")
