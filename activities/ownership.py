"""Who owns which field of an object, as its managed fields say (FieldsV1 of structured-merge-diff).

A step of a path is `f:<name>` for a field, `k:<json>` for the item of a list that merges by keys,
`v:<json>` for a value of a set. An empty tree is a field that is owned whole.
"""

import json
from typing import Any

from activities.comparison import MISSING, Item, Path
from holdpoint.clients.cluster import FENCE_MANAGER, FIELD_MANAGER

Tree = dict[str, Any]
Steps = tuple[str, ...]
Claim = tuple[str, str]
"""A field manager, and when it last wrote. The time stays when somebody else takes its fields over."""

BY_HAND = "kubectl"
"""Managers whose name begins so are people with a terminal.

What they deployed may be taken over. Controllers not.
"""


def is_ours(manager: str) -> bool:
    """Tell whether a field manager is one of Holdpoint's."""
    return manager == FIELD_MANAGER or manager.startswith(FIELD_MANAGER + "-")


def is_by_hand(manager: str) -> bool:
    """Tell whether a field manager is a person with a terminal."""
    return manager.startswith(BY_HAND)


def touched_by_us(body: dict[str, Any]) -> bool:
    """Tell whether any field of the object is ours.

    Without managed fields nobody else can be blamed for it.
    """
    entries = _entries(body)
    return not entries or any(is_ours(manager) and manager != FENCE_MANAGER for manager, _ in entries)


def managers_of(body: dict[str, Any]) -> set[str]:
    """Return everyone who owns a field of the object, but for the status."""
    return {manager for manager, _ in _entries(body)}


def claims_of(body: dict[str, Any] | None) -> set[Claim]:
    """Return who has written to the object and when, but for the status."""
    entries = ((body or {}).get("metadata") or {}).get("managedFields") or []
    return {
        (str(entry.get("manager", "")), str(entry.get("time", "")))
        for entry in entries
        if entry.get("subresource") != "status"
    }


def moved_by_status(before: dict[str, Any] | None, now: dict[str, Any]) -> bool:
    """Tell whether nothing but its status sets an object apart from what it was."""
    return before is not None and _stated(before) == _stated(now)


def _stated(body: dict[str, Any]) -> dict[str, Any]:
    """Return an object without its status, who wrote that, and the version that it gave."""
    meta = {**body["metadata"], "resourceVersion": None}
    entries = meta.get("managedFields") or []
    meta["managedFields"] = [entry for entry in entries if entry.get("subresource") != "status"]
    return {**body, "metadata": meta, "status": None}


def claims_by_hand(body: dict[str, Any] | None) -> set[Claim]:
    """Return the claims of people with a terminal: what they deployed before a rollout may be taken over."""
    return {claim for claim in claims_of(body) if is_by_hand(claim[0])}


def our_fields(body: dict[str, Any]) -> Tree:
    """Return the tree of all fields that are ours."""
    tree: Tree | None = None
    for manager, fields in _entries(body):
        if is_ours(manager):
            tree = fields if tree is None else _union(tree, fields)
    return tree or {}


def applied_fields(body: dict[str, Any]) -> Tree:
    """Return the tree of what we stated ourselves: without what an admission webhook added to it."""
    entries = (body.get("metadata") or {}).get("managedFields") or []
    return our_fields(
        {"metadata": {"managedFields": [one for one in entries if one.get("operation") != "Update"]}}
    )


def owners_of(body: dict[str, Any], path: Path) -> set[str]:
    """Return who owns the field at a path of the comparison, or a part of it."""
    return {manager for manager, tree in _entries(body) if reaches(tree, path)}


def disputed(manifest: dict[str, Any], live: dict[str, Any]) -> bool:
    """Tell whether somebody else may own a field that the manifest states; a list counts as a whole.

    Without managed fields everything may be somebody's.
    """
    entries = _entries(live)
    return not entries or any(_overlaps(tree, manifest) for manager, tree in entries if not is_ours(manager))


def restoring(was: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest whose server-side apply undoes what we did to an object, and nothing else.

    It has every field that was or is ours, with the value of the snapshot. What we added is not in it, so
    that the apply drops it. What a stranger has changed since is not in it either: it is theirs, and is
    reported instead.
    """
    before, after = our_fields(was), our_fields(now)
    wanted = _union(before, after) if before and after else before or after
    picked = _pick(was, wanted, (), _Strangers(now, after)) if wanted else {}
    meta = was["metadata"]
    found = picked if isinstance(picked, dict) else {}
    named = {**(found.get("metadata") or {}), "name": meta["name"], "namespace": meta["namespace"]}
    return {**found, "apiVersion": was["apiVersion"], "kind": was["kind"], "metadata": named}


def _overlaps(tree: Tree, stated: Any) -> bool:
    if not tree or not isinstance(stated, dict):
        return True
    fields = {step[2:]: below for step, below in tree.items() if step.startswith("f:")}
    return any(_overlaps(below, stated[name]) for name, below in fields.items() if name in stated)


class _Strangers:
    """Tells of a field whether somebody else changed it after us."""

    def __init__(self, now: dict[str, Any], ours: Tree) -> None:
        self._now, self._ours = now, ours
        self._theirs = [tree for manager, tree in _entries(now) if not is_ours(manager)]

    def changed(self, steps: Steps, was: Any) -> bool:
        now = _value_at(self._now, steps)
        if now is MISSING or now == was or _has(self._ours, steps):
            return False
        return any(_has(tree, steps) for tree in self._theirs)


def _pick(value: Any, tree: Tree, steps: Steps, strangers: _Strangers) -> Any:
    """Return the part of a value that the tree names, without what strangers changed.

    MISSING when nothing is left.
    """
    if not tree:
        return MISSING if strangers.changed(steps, value) else value
    if isinstance(value, dict):
        found = {}
        for name, part in value.items():
            below = tree.get(f"f:{name}")
            picked = MISSING if below is None else _pick(part, below, (*steps, f"f:{name}"), strangers)
            if picked is not MISSING:
                found[name] = picked
        return found if found or "." in tree else MISSING
    if isinstance(value, list):
        return [
            item
            for item in (_pick_item(item, tree, steps, strangers) for item in value)
            if item is not MISSING
        ]
    return value


def _pick_item(item: Any, tree: Tree, steps: Steps, strangers: _Strangers) -> Any:
    if f"v:{json.dumps(item)}" in tree:
        return item
    step = _step_of(tree, item)
    if step is None:
        return MISSING
    picked = _pick(item, tree[step], (*steps, step), strangers)
    return {**json.loads(step[2:]), **(picked if isinstance(picked, dict) else {})}


def _entries(body: dict[str, Any]) -> list[tuple[str, Tree]]:
    """Return each manager with its tree. The status belongs to controllers and is not compared."""
    return [
        (str(entry.get("manager", "")), entry.get("fieldsV1") or {})
        for entry in (body.get("metadata") or {}).get("managedFields") or []
        if entry.get("subresource") != "status"
    ]


def _union(one: Tree, other: Tree) -> Tree:
    """Return a tree with the fields of both; one that is owned whole and in part keeps both facts."""
    if not one and not other:
        return {}
    merged: Tree = {} if one and other else {".": {}}
    for step in {**one, **other}:
        if step in one and step in other:
            merged[step] = _union(one[step], other[step])
        else:
            merged[step] = one[step] if step in one else other[step]
    return merged


def _has(tree: Tree, steps: Steps) -> bool:
    """Tell whether the tree owns the field, or something above it whole."""
    for step in steps:
        if step not in tree:
            return False
        tree = tree[step]
        if not tree:
            return True
    return True


def reaches(tree: Tree, path: Path) -> bool:
    """Tell whether the tree owns the field at a path of the comparison, a part of it, or what it is in."""
    for step in path:
        name = _step_of(tree, step.element) if isinstance(step, Item) else f"f:{step}"
        if name is None or name not in tree:
            return isinstance(step, str) and step.startswith("(")
        tree = tree[name]
        if not tree:
            return True
    return True


def _step_of(tree: Tree, element: Any) -> str | None:
    """Return the step of the item whose merge keys this element has."""
    for step in tree:
        if step.startswith("k:") and isinstance(element, dict):
            keys = json.loads(step[2:])
            if all(element.get(key) == value for key, value in keys.items()):
                return step
    return None


def _value_at(value: Any, steps: Steps) -> Any:
    for step in steps:
        if step.startswith("f:"):
            value = value.get(step[2:], MISSING) if isinstance(value, dict) else MISSING
        elif step.startswith("k:") and isinstance(value, list):
            value = next((item for item in value if _step_of({step: {}}, item)), MISSING)
        else:
            return MISSING
    return value
