"""Sets of fields, as managed fields record them (FieldsV1 of structured-merge-diff).

A field is a path of steps; a step is `f:<name>` for a field, `k:<json>` for the item of a list that merges by
keys, `v:<json>` for the value of a set, as in FieldsV1 itself. An item that exists is a path of its own.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from holdpoint.sandbox.kube.schema import ItemKey, Shape, shape_of

Step = str
FieldPath = tuple[Step, ...]
Fields = frozenset[FieldPath]

_NEVER_OWNED = {
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata", "f:name"),
    ("f:metadata", "f:namespace"),
    ("f:metadata", "f:uid"),
    ("f:metadata", "f:resourceVersion"),
    ("f:metadata", "f:generation"),
    ("f:metadata", "f:creationTimestamp"),
    ("f:metadata", "f:deletionTimestamp"),
    ("f:metadata", "f:deletionGracePeriodSeconds"),
    ("f:metadata", "f:generateName"),
    ("f:metadata", "f:selfLink"),
}


def item_step(key: ItemKey) -> Step:
    """Return the step of a list's item."""
    return "k:" + json.dumps(dict(sorted(key)), separators=(",", ":"))


def fields_of(body: Mapping[str, Any]) -> Fields:
    """Return the fields that an object (without `status`) sets: its leaves and the items of its lists."""
    return frozenset(path for path, place in _places(body).items() if place.owned)


def changed(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[Fields, Fields]:
    """Return the fields that a write set or changed, and those that it removed.

    Maps, lists and structs that are new or gone count themselves, besides what is in them.
    """
    old = _places(before if before is not None else {"kind": after["kind"], **shape_of(after["kind"]).zero()})
    new = _places(after)
    touched = frozenset(
        path for path, place in new.items() if path not in old or old[path].value != place.value
    )
    return touched, frozenset(path for path in old if path not in new)


@dataclass(frozen=True)
class _Place:
    """A path's value, and whether who applies it owns it: not so for what only holds other fields."""

    value: Any
    owned: bool = True


def _places(body: Mapping[str, Any]) -> dict[FieldPath, _Place]:
    out: dict[FieldPath, _Place] = {}
    shape = shape_of(body["kind"])
    for name, part in body.items():
        if name != "status":
            _collect(part, shape.field(name), (f"f:{name}",), out)
    return {path: place for path, place in out.items() if not _is_system(path)}


def encode(fields: Iterable[FieldPath]) -> dict[str, Any]:
    """Return fields as FieldsV1."""
    root: dict[str, Any] = {}
    listed = sorted(fields)
    holders = {path[:length] for path in listed for length in range(1, len(path))}
    for path in listed:
        node = root
        for step in path:
            node = node.setdefault(step, {})
        if path[-1].startswith("k:") or path in holders:
            node["."] = {}
    return root


def decode(node: Mapping[str, Any]) -> Fields:
    """Return the fields of a FieldsV1."""
    out: set[FieldPath] = set()
    _decode(node, (), out)
    return frozenset(out)


def shown(path: FieldPath) -> str:
    """Return a path as Kubernetes' messages print it: `.spec.containers[name="web"].image`."""
    return "".join(_shown_step(step) for step in path)


def _shown_step(step: Step) -> str:
    kind, _, rest = step.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "v":
        return f"[={rest}]"
    pairs = (f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items())
    return f"[{','.join(pairs)}]"


def _is_system(path: FieldPath) -> bool:
    return path in _NEVER_OWNED or path[:2] == ("f:metadata", "f:managedFields")


def _collect(value: Any, shape: Shape, path: FieldPath, out: dict[FieldPath, _Place]) -> None:
    if isinstance(value, dict) and value and shape.merges:
        out[path] = _Place({}, owned=False)
        for name, part in value.items():
            _collect(part, shape.field(name), (*path, f"f:{name}"), out)
    elif isinstance(value, list) and value and shape.keys:
        out[path] = _Place([], owned=False)
        for item in value:
            _collect_item(item, shape, path, out)
    elif isinstance(value, list) and value and shape.is_set:
        out[path] = _Place([], owned=False)
        for item in value:
            out[(*path, "v:" + json.dumps(item))] = _Place(item)
    else:
        out[path] = _Place(value)


def _collect_item(item: Any, shape: Shape, path: FieldPath, out: dict[FieldPath, _Place]) -> None:
    key = shape.item_key(item)
    if key is None:
        out[path] = _Place(item)
        return
    here = (*path, item_step(key))
    out[here] = _Place({})
    for name, part in item.items():
        _collect(part, shape.item().field(name), (*here, f"f:{name}"), out)


def _decode(node: Mapping[str, Any], path: FieldPath, out: set[FieldPath]) -> None:
    for step, below in node.items():
        if step == ".":
            out.add(path)
        elif below:
            _decode(below, (*path, step), out)
        else:
            out.add((*path, step))
