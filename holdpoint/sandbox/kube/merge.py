"""The merge of server-side apply: the manifest goes over what is there, items matched by key."""

import copy
import json
from collections.abc import Iterable
from typing import Any

from holdpoint.sandbox.kube import schema
from holdpoint.sandbox.kube.fields import FieldPath


def merged(live: Any, config: Any, at: schema.Path = ()) -> Any:
    """Return a fresh value: `config` laid over `live`."""
    if isinstance(live, dict) and isinstance(config, dict) and not schema.is_atomic_map(at):
        out = copy.deepcopy(live)
        for name, value in config.items():
            out[name] = merged(live.get(name), value, (*at, name))
        return out
    if isinstance(live, list) and isinstance(config, list):
        if keys := schema.list_keys(at):
            return _merged_items(live, config, keys, at)
        if schema.is_set(at):
            return [*live, *(item for item in config if item not in live)]
    return copy.deepcopy(config)


def removed(body: Any, paths: Iterable[FieldPath]) -> Any:
    """Return the object without these fields; maps that become empty by it go as well."""
    out = copy.deepcopy(body)
    for path in sorted(paths, key=len, reverse=True):
        _remove(out, path, ())
    return out


def _merged_items(live: list[Any], config: list[Any], keys: tuple[str, ...], at: schema.Path) -> list[Any]:
    """Return the items in the manifest's order, those that only `live` has woven in where they stood."""
    below = (*at, "[]")
    by_key = {schema.item_key(item, keys): item for item in live}
    wanted = {schema.item_key(item, keys) for item in config}
    out: list[Any] = []
    rest = [item for item in live]
    for item in config:
        key = schema.item_key(item, keys)
        if key in by_key:
            while rest and (first := rest.pop(0)) is not by_key[key]:
                if schema.item_key(first, keys) not in wanted:
                    out.append(copy.deepcopy(first))
        out.append(merged(by_key.get(key), item, below))
    out.extend(copy.deepcopy(item) for item in rest if schema.item_key(item, keys) not in wanted)
    return out


def _remove(node: Any, path: FieldPath, at: schema.Path) -> None:
    step, rest = path[0], path[1:]
    kind, _, name = step.partition(":")
    if kind == "f" and isinstance(node, dict) and name in node:
        if not rest:
            del node[name]
            return
        _remove(node[name], rest, (*at, name))
        if node[name] in ({}, []):
            del node[name]
    elif kind == "k" and isinstance(node, list):
        _remove_item(node, json.loads(name), rest, at)
    elif kind == "v" and isinstance(node, list):
        node[:] = [item for item in node if item != json.loads(name)]


def _remove_item(node: list[Any], key: dict[str, Any], rest: FieldPath, at: schema.Path) -> None:
    keys = schema.list_keys(at) or ()
    for index, item in enumerate(node):
        if dict(schema.item_key(item, keys) or ()) == key:
            if rest:
                _remove(item, rest, (*at, "[]"))
            else:
                del node[index]
            return
