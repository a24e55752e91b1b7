"""The scale subresource: the replicas of a workload alone, as `autoscaling/v1` Scale."""

from typing import Any

from holdpoint.sandbox.kube import lifecycle, patches
from holdpoint.sandbox.kube.call import Call
from holdpoint.sandbox.kube.kinds import Kind
from holdpoint.sandbox.kube.ownership import Manager, managers_of
from holdpoint.sandbox.kube.status import bad_request, invalid, invalid_value, method_not_allowed, not_found
from holdpoint.sandbox.kube.validation import texts
from holdpoint.sandbox.store import Object, Store

REPLICAS = ("f:spec", "f:replicas")
SCALE = Kind("autoscaling", "v1", "Scale", "scales")


def perform(store: Store, call: Call, writer: Manager) -> tuple[int, Object]:
    """Read or write the scale of one object."""
    live = store.get(call.kind, call.namespace, call.name)
    if live is None:
        raise not_found(call.kind, call.name)
    if call.verb == "get":
        return 200, _document(live)
    if call.verb not in ("update", "patch"):
        raise method_not_allowed()
    wanted = call.body if call.verb == "update" else _patched(call, _document(live))
    parts = wanted if isinstance(wanted, dict) else {"spec": wanted}
    metadata, spec = parts.get("metadata") or {}, parts.get("spec") or {}
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise bad_request("the body of the request is not a Scale")
    replicas = spec.get("replicas", 0)
    if not texts.is_count(replicas):
        cause = invalid_value("spec.replicas", str(replicas), texts.NEGATIVE)
        raise invalid(SCALE, call.name, [cause])
    preconditions = {key: metadata[key] for key in ("resourceVersion", "uid") if metadata.get(key)}
    body = {**live, "metadata": {**live["metadata"], "resourceVersion": "", **preconditions}}
    body["spec"] = {**live["spec"], "replicas": replicas}
    managers = managers_of(live)
    tracked = any(REPLICAS in manager.fields for manager in managers)
    # As an API server: replicas that nobody owned before stay without an owner when they are scaled.
    changed = lifecycle.updated(call.kind, live, body, None if tracked else managers, writer)
    if not call.dry_run and changed is not live:
        changed = store.put(call.kind, changed)
    return 200, _document(changed)


def _patched(call: Call, document: Object) -> Any:
    if call.content_type in (patches.MERGE, patches.STRATEGIC):
        return patches.merge_patch(document, call.body)
    if call.content_type == patches.JSON:
        return patches.json_patch(document, call.body)
    raise bad_request("apply of the scale subresource is outside of the sandbox's subset")


def _document(live: Object) -> Object:
    metadata = live["metadata"]
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = (live["spec"].get("selector") or {}).get("matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in names if name in metadata},
        "spec": {"replicas": live["spec"].get("replicas", 1)},
        "status": {
            "replicas": live.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }
