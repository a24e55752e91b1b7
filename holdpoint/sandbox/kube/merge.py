"""The merge of server-side apply: the manifest goes over what is there, items matched by key."""

import copy
import json
from collections.abc import Iterable
from typing import Any

from holdpoint.sandbox.kube.fields import FieldPath
from holdpoint.sandbox.kube.schema import ItemKey, Shape, shape_of


def merged(live: Any, config: Any, shape: Shape) -> Any:
    """Return a fresh value: `config` laid over `live`."""
    if isinstance(live, dict) and isinstance(config, dict) and shape.merges:
        out = copy.deepcopy(live)
        for name, value in config.items():
            out[name] = merged(live.get(name), value, shape.field(name))
        return out
    if isinstance(live, list) and isinstance(config, list):
        if shape.keys:
            return _merged_items(live, config, shape)
        if shape.is_set:
            return [*live, *(item for item in config if item not in live)]
    return copy.deepcopy(config)


def removed(body: dict[str, Any], paths: Iterable[FieldPath]) -> dict[str, Any]:
    """Return the object without these fields."""
    out = copy.deepcopy(body)
    shape = shape_of(body["kind"])
    gone = set(paths)
    for path in sorted(gone, key=len, reverse=True):
        # What is below a whole that goes, goes with it: an item without its key could no longer be found.
        if not any(path[:length] in gone for length in range(1, len(path))):
            _remove(out, path, shape)
    return out


def _merged_items(live: list[Any], config: list[Any], shape: Shape) -> list[Any]:
    """Return the items in the manifest's order, those that only `live` has woven in where they stood.

    Source: structured-merge-diff's `mergingWalker.visitListItems`, step by step.
    """
    ours, theirs = [shape.item_key(item) for item in config], [shape.item_key(item) for item in live]
    by_key = dict(zip(theirs, live, strict=True))
    shared = [key for key in ours if key in by_key]
    out: list[Any] = []
    done: set[ItemKey | None] = set()
    left, right = 0, 0
    while left < len(live) or right < len(config):
        both = left < len(live) and right < len(config)
        if (
            both
            and theirs[left] != ours[right]
            and theirs[left] in ours
            and shared[:1] not in ([], [theirs[left]])
        ):
            left += 1  # an item of both, but the manifest has another of them first
        elif left < len(live) and theirs[left] not in ours:
            out.append(copy.deepcopy(live[left]))
            left += 1
        else:
            if left < len(live) and (theirs[left] in done or (both and theirs[left] == ours[right])):
                left += 1
            if right < len(config):
                out.append(merged(by_key.get(ours[right]), config[right], shape.item()))
                done.add(ours[right])
                shared = shared[1:] if shared[:1] == [ours[right]] else shared
                right += 1
    return out


def _remove(node: Any, path: FieldPath, shape: Shape) -> None:
    step, rest = path[0], path[1:]
    kind, _, name = step.partition(":")
    if kind == "f" and isinstance(node, dict) and name in node:
        if not rest:
            del node[name]
            return
        _remove(node[name], rest, shape.field(name))
    elif kind == "k" and isinstance(node, list):
        _remove_item(node, json.loads(name), rest, shape)
    elif kind == "v" and isinstance(node, list):
        node[:] = [item for item in node if item != json.loads(name)]


def _remove_item(node: list[Any], key: dict[str, Any], rest: FieldPath, shape: Shape) -> None:
    for index, item in enumerate(node):
        if dict(shape.item_key(item) or ()) == key:
            if rest:
                _remove(item, rest, shape.item())
            else:
                del node[index]
            return
