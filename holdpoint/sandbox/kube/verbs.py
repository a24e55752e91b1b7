"""What each verb does. All synchronous: for others, reading, checking and committing are one step."""

import time
from typing import Any

from holdpoint.sandbox.clock import seconds_text
from holdpoint.sandbox.kube import apply, deletion, lifecycle, patches, quotas, scale, selectors, typed
from holdpoint.sandbox.kube.call import Call
from holdpoint.sandbox.kube.kinds import NAMESPACES
from holdpoint.sandbox.kube.ownership import Manager, managers_of
from holdpoint.sandbox.kube.schema import shape_of
from holdpoint.sandbox.kube.status import (
    Refusal,
    already_exists,
    bad_request,
    method_not_allowed,
    not_found,
)
from holdpoint.sandbox.store import Object, Store


def perform(store: Store, call: Call) -> tuple[int, Object]:
    """Carry one request out and return its status code and answer; raises Refusal."""
    _check_options(call)
    if call.subresource == "scale":
        return scale.perform(store, call, writer_of(call))
    match call.verb:
        case "get":
            return 200, _live(store, call)
        case "list":
            return 200, _list(store, call)
        case "create":
            return _create(store, call)
        case "update":
            return _update(store, call)
        case "patch":
            return _patch(store, call)
        case "delete" if not call.subresource:
            with store.transaction():
                return deletion.delete(store, call)
    raise method_not_allowed()


def writer_of(call: Call) -> Manager:
    """Return the manager entry of the request's writer, owning nothing yet."""
    applies = call.verb == "patch" and call.content_type == patches.APPLY
    return Manager(
        name=call.manager,
        operation="Apply" if applies else "Update",
        api_version=call.kind.api_version,
        fields=frozenset(),
        subresource=call.subresource,
        time=seconds_text(time.time()),
    )


def _check_options(call: Call) -> None:
    dry_run = call.option("dryRun")
    if call.mutates and dry_run not in (None, "", [], "All", ["All"]):
        raise bad_request(f'invalid dryRun: Unsupported value: "{dry_run}": supported values: "All"')
    if call.verb == "watch":
        raise bad_request("watch is outside of the sandbox's subset: list again instead")


def _live(store: Store, call: Call) -> Object:
    live = store.get(call.kind, call.namespace, call.name)
    if live is None:
        raise not_found(call.kind, call.name)
    return live


def _list(store: Store, call: Call) -> Object:
    by_label = selectors.parse(call.query.get("labelSelector", ""))
    by_field = selectors.parse_fields(call.query.get("fieldSelector", ""))
    items = [
        {key: value for key, value in body.items() if key not in ("apiVersion", "kind")}
        for body in store.all(call.kind, call.namespace or None)
        if by_label(body["metadata"].get("labels") or {}) and by_field(body["metadata"])
    ]
    return {
        "kind": f"{call.kind.kind}List",
        "apiVersion": call.kind.api_version,
        "metadata": {"resourceVersion": str(store.revision)},
        "items": items,
    }


def _decoded(call: Call, body: Object) -> Object:
    """Return the body as a typed decoder would have it; what it did not know is warned of, or refused."""
    mode = call.query.get("fieldValidation", "Warn")
    if mode not in ("Strict", "Warn", "Ignore"):
        raise bad_request(f'invalid fieldValidation: Unsupported value: "{mode}"')
    patched = call.verb == "patch"
    known, unknown = typed.decoded(call.kind, body, strict=mode == "Strict", patched=patched)
    if mode == "Warn":
        call.warnings.extend(unknown)
    out: Object = typed.normalised(known, shape_of(call.kind.kind))
    return out


def _require_namespace(store: Store, call: Call) -> None:
    if not call.kind.namespaced:
        return
    found = store.get(NAMESPACES, "", call.namespace)
    if found is None:
        raise not_found(NAMESPACES, call.namespace)
    if "deletionTimestamp" in found["metadata"]:
        message = f"namespace {call.namespace} is being terminated"
        raise Refusal(
            403, "Forbidden", f"{call.kind.resource} is forbidden: unable to create new content: {message}"
        )


def _create(store: Store, call: Call) -> tuple[int, Object]:
    body = _decoded(call, lifecycle.identified(call.kind, call.namespace, "", call.body))
    lifecycle.refuse_version_on_create(body)
    _require_namespace(store, call)
    fresh = lifecycle.created(call.kind, body, None, writer_of(call))
    return _store_new(store, call, fresh)


def _store_new(store: Store, call: Call, fresh: Object) -> tuple[int, Object]:
    quotas.check(store, call.kind, call.namespace, fresh["metadata"]["name"])
    if store.get(call.kind, call.namespace, fresh["metadata"]["name"]) is not None:
        raise already_exists(call.kind, fresh["metadata"]["name"])
    return 201, fresh if call.dry_run else store.put(call.kind, fresh)


def _update(store: Store, call: Call) -> tuple[int, Object]:
    body = _decoded(call, lifecycle.identified(call.kind, call.namespace, call.name, call.body))
    live = _live(store, call)
    return _store_changed(store, call, live, body, None)


def _patch(store: Store, call: Call) -> tuple[int, Object]:
    if call.content_type == patches.APPLY:
        return _apply(store, call)
    live = _live(store, call)
    match call.content_type:
        case patches.MERGE:
            patched = patches.merge_patch(live, call.body)
        case patches.STRATEGIC:
            patched = patches.strategic_patch(live, call.body, shape_of(call.kind.kind))
        case _:
            patched = patches.json_patch(live, call.body)
    body = _decoded(call, lifecycle.identified(call.kind, call.namespace, call.name, patched))
    return _store_changed(store, call, live, body, None)


def _apply(store: Store, call: Call) -> tuple[int, Object]:
    writer = writer_of(call)
    if not call.query.get("fieldManager"):
        why = "fieldManager: Required value: is required for apply patch"
        message = f'PatchOptions.meta.k8s.io "" is invalid: {why}'
        raise Refusal(422, "Invalid", message, {"kind": "PatchOptions", "group": "meta.k8s.io"})
    config = lifecycle.identified(call.kind, call.namespace, call.name, call.body)
    if config["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    typed.refuse_apply(call.kind, config)
    live = store.get(call.kind, call.namespace, call.name)
    force = str(call.query.get("force", "")).lower() in ("1", "true")
    sent = {key: value for key, value in config.items() if key != "status"}
    if live is None:
        _require_namespace(store, call)
        body = apply.apply(None, sent, writer, force=force)
        return _store_new(store, call, lifecycle.created(call.kind, body, managers_of(body), writer))
    lifecycle.check_preconditions(call.kind, live, config["metadata"])
    body = apply.apply(live, sent, writer, force=force)
    return _store_changed(store, call, live, body, managers_of(body))


def _store_changed(
    store: Store, call: Call, live: Object, body: Object, managers: list[Manager] | None
) -> tuple[int, Object]:
    """Store a changed object (or only its status), and remove it when that took its last finalizer."""
    if call.subresource == "status":
        lifecycle.check_preconditions(call.kind, live, body["metadata"])
        changed: Object = {**live, "status": body.get("status", {})}
    else:
        changed = lifecycle.updated(call.kind, live, body, managers, writer_of(call))
    if call.dry_run or changed == live:
        return 200, changed
    with store.transaction():
        stored = store.put(call.kind, changed)
        _remove_if_finished(store, call, stored)
    return 200, stored


def _remove_if_finished(store: Store, call: Call, stored: dict[str, Any]) -> None:
    metadata = stored["metadata"]
    waits = call.kind.kind in ("Pod", "Namespace") or metadata.get("finalizers")
    if "deletionTimestamp" in metadata and not waits:
        store.remove(call.kind, call.namespace, call.name)
