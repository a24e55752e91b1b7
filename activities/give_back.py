"""Giving a field back to whom it belonged before a patch of ours took it (docs/decisions/0008).

The API server takes `metadata.managedFields` as a write states them, in a write of its own: nothing else
changes, and the owner's next apply meets no conflict.
"""

import copy
from typing import Any

Body = dict[str, Any]


def holds(body: Body, manager: str, name: str) -> bool:
    """Tell whether a field manager owns the field `spec.<name>` of an object."""
    return any(entry.get("manager") == manager for entry in _owners(body, name))


def given_back(live: Body, before: Body, *, manager: str, name: str) -> list[Body] | None:
    """Return the managed fields with `spec.<name>` owned as before; None when `manager` has nothing of it."""
    entries = live["metadata"].get("managedFields") or []
    if not any(entry.get("manager") == manager for entry in entries):
        return None
    kept = [copy.deepcopy(entry) for entry in entries if entry.get("manager") != manager]
    for owner in _owners(before, name):
        same = [entry for entry in kept if _who(entry) == _who(owner)]
        if not same:
            kept.append({**owner, "fieldsV1": {}})
            same = kept[-1:]
        same[0]["fieldsV1"].setdefault("f:spec", {})[f"f:{name}"] = {}
    return kept


def _owners(body: Body, name: str) -> list[Body]:
    entries = body["metadata"].get("managedFields") or []
    return [entry for entry in entries if f"f:{name}" in (entry.get("fieldsV1") or {}).get("f:spec", {})]


def _who(entry: Body) -> tuple[Any, ...]:
    return tuple(entry.get(key) for key in ("manager", "operation", "apiVersion", "subresource"))
