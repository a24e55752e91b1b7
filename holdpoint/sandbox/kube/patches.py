"""The patches that change an object in place: JSON merge patch, strategic merge patch, JSON patch."""

import copy
from typing import Any

from holdpoint.sandbox.kube.schema import Shape
from holdpoint.sandbox.kube.status import Refusal, bad_request

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"
SUPPORTED = (JSON, MERGE, STRATEGIC, APPLY)


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the target after a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    out = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = merge_patch(out.get(name), value)
    return out


def strategic_patch(target: Any, patch: Any, shape: Shape) -> Any:
    """Return the target after a strategic merge patch; knows `$patch: delete` and `replace`."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    out = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if name.startswith("$"):
            raise bad_request(f"strategic merge patch directive {name!r} is outside of the sandbox's subset")
        below = shape.field(name)
        if value is None:
            out.pop(name, None)
        elif isinstance(value, list) and below.keys:
            out[name] = _strategic_items(out.get(name) or [], value, below)
        else:
            out[name] = strategic_patch(out.get(name), value, below)
    return out


def _strategic_items(live: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    first = (shape.keys or ("",))[0]  # a strategic merge knows one merge key only
    found = {item.get(first): item for item in live}
    patched = []
    for item in patch:
        if not isinstance(item, dict) or not isinstance(item.get(first), str | int):
            raise bad_request(f"map: {item} does not contain declared merge key: {first}")
        if item.get("$patch") != "delete":
            patched.append(strategic_patch(found.get(item[first]), item, shape.item()))
    named = {item[first] for item in patch}
    kept = [item for item in live if item.get(first) not in named]
    return _woven(kept, patched, [item.get(first) for item in live], first)


def _woven(kept: list[Any], patched: list[Any], order: list[Any], key: str) -> list[Any]:
    """Return both lists in one: patched items first, unless the live list has a kept one before them.

    Source: `mergeSortedSlice` of apimachinery's strategic merge patch.
    """
    out: list[Any] = []
    kept, patched = list(kept), list(patched)
    while kept and patched:
        known = patched[0][key] in order
        first = known and order.index(kept[0][key]) < order.index(patched[0][key])
        out.append((kept if first else patched).pop(0))
    return [*out, *kept, *patched]


def json_patch(target: Any, operations: Any) -> Any:
    """Return the target after a JSON patch (RFC 6902) of add, remove, replace and test."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch is a list of operations")
    out = copy.deepcopy(target)
    for operation in operations:
        try:
            _operate(out, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            message = f"the server rejected our request due to an error in our request: {error}"
            raise Refusal(422, "Invalid", message, {}) from error
    return out


def _operate(out: Any, operation: dict[str, Any]) -> None:
    steps = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
    node = out
    for step in steps[:-1]:
        node = node[int(step)] if isinstance(node, list) else node[step]
    last: Any = steps[-1]
    if isinstance(node, list):
        last = len(node) if last == "-" else int(last)
    match operation["op"]:
        case "add" if isinstance(node, list):
            node.insert(last, operation["value"])
        case "add":
            node[last] = operation["value"]
        case "replace":
            node[last]  # it must be there
            node[last] = operation["value"]
        case "remove":
            del node[last]
        case "test":
            if node[last] != operation["value"]:
                raise ValueError(f"testing value {operation['path']} failed")
        case other:
            raise ValueError(f"operation {other!r} is outside of the sandbox's subset")
