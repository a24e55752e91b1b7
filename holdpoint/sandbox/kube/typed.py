"""Holds an object against the types of its kind: what is undeclared, and what is of a wrong type.

An apply refuses both; other writes drop the undeclared (with a warning, or with a refusal under
`fieldValidation=Strict`) and refuse the wrong type.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from holdpoint.sandbox.kube.fields import item_step, shown
from holdpoint.sandbox.kube.kinds import Kind
from holdpoint.sandbox.kube.quantities import canonical
from holdpoint.sandbox.kube.schema import Shape, shape_of
from holdpoint.sandbox.kube.status import Cause, Refusal, bad_request

Body = dict[str, Any]

LARGEST = 2**31 - 1
"""The largest number that a count can be."""

QUANTITY = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
"""As API servers print it; what is taken for a quantity is stricter, there and here."""


@dataclass(frozen=True)
class Problem:
    """One place that does not fit: where (for an apply and for other writes), why, and who minds.

    Only an apply minds what keeps items from being merged (`merge`); a `value` is of the right type, but none
    that the field can have.
    """

    path: str
    plain: str
    why: str
    sort: Literal["type", "value", "undeclared", "merge"] = "type"


def problems(kind: Kind, body: Body) -> list[Problem]:
    """Return all places of an object that do not fit its kind."""
    return list(_walk(body, shape_of(kind.kind), "", ""))


def refuse_apply(kind: Kind, body: Body) -> None:
    """Raise what an API server answers to the apply of what does not fit: a 500 without a reason."""
    found = problems(kind, body)
    if not found:
        return
    metadata = body["metadata"]
    address = "/".join(filter(None, (metadata.get("namespace"), metadata.get("name"))))
    kind_text = f"{kind.group}/{kind.version}, Kind={kind.kind}"
    texts = [f"{problem.path}: {problem.why}" for problem in found if problem.sort != "value"]
    if not texts:
        converting = f"failed to convert new object ({address}; {kind_text}) to proper version"
        raise Refusal(
            500, "", f"{converting}: unable to convert unstructured object to {kind_text}: {found[0].why}"
        )
    listed = texts[0] if len(texts) == 1 else "errors:\n" + "\n".join(f"  {text}" for text in texts)
    raise Refusal(500, "", f"failed to create typed patch object ({address}; {kind_text}): {listed}")


def decoded(kind: Kind, body: Body, *, strict: bool, patched: bool) -> tuple[Body, list[str]]:
    """Return the object without what is undeclared, and a warning for each such field; raises 400 or 422."""
    found = problems(kind, body)
    wrong = [problem for problem in found if problem.sort in ("type", "value")]
    handled = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
    if wrong:
        why = wrong[0].why
        if wrong[0].sort == "type":
            why = f"json: cannot unmarshal into Go struct field {wrong[0].plain}: {why}"
        if not patched:
            raise bad_request(f"{handled}: {why}")
        details = {"causes": [Cause("patch", f"Invalid value: {why}").document()]}
        raise Refusal(422, "Invalid", f' "" is invalid: patch: Invalid value: {why}', details)
    unknown = [f'unknown field "{problem.plain}"' for problem in found if problem.sort == "undeclared"]
    if unknown and strict:
        raise bad_request(f"{handled}: strict decoding error: {', '.join(unknown)}")
    return (_pruned(body, shape_of(kind.kind)) if unknown else body), unknown


def normalised(value: Any, shape: Shape) -> Any:
    """Return a copy without nulls (to a typed decoder they are not there) and with canonical quantities."""
    if isinstance(value, dict):
        return {k: normalised(v, shape.field(k)) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [normalised(item, shape.item()) for item in value]
    if shape.scalar == "quantity":
        return canonical(value) or value
    return int(value) if shape.scalar == "numeric" and isinstance(value, float) else value


def without_empties(value: Any, shape: Shape) -> Any:
    """Return a copy without what is not written: empty lists and maps, some zeros; a struct is."""
    if isinstance(value, dict):
        parts = ((name, part, shape.field(name)) for name, part in value.items())
        return {n: without_empties(part, below) for n, part, below in parts if _written(part, below)}
    if isinstance(value, list):
        return [without_empties(item, shape.item()) for item in value]
    return value


def _written(value: Any, shape: Shape) -> bool:
    if value in ({}, []):
        return shape.scalar is not None or (value == {} and shape.fields is not None)
    return not (shape.omits_zero and value in ("", 0, False))


def _walk(value: Any, shape: Shape, path: str, plain: str) -> Iterator[Problem]:
    if value is None or shape.scalar == "untyped":
        return
    if why := _mismatch(value, shape):
        yield Problem(path, plain, why)
    elif why := _unusable(value, shape):
        yield Problem(path, plain, why, "value")
    elif isinstance(value, dict):
        for name, part in value.items():
            below, simple = f"{path}.{name}", f"{plain}.{name}" if plain else name
            if shape.fields is not None and name not in shape.fields:
                yield Problem(below, simple, "field not declared in schema", "undeclared")
            else:
                yield from _walk(part, shape.field(name), below, simple)
    elif isinstance(value, list):
        yield from _items(value, shape, path, plain)


def _items(value: list[Any], shape: Shape, path: str, plain: str) -> Iterator[Problem]:
    seen = set()
    for index, item in enumerate(value):
        step = f"[{index}]"
        if shape.keys and isinstance(item, dict):
            key = shape.item_key(item)
            if key is None:
                missing = next(key for key in shape.keys if item.get(key) is None)
                why = f'associative list with keys has an element that omits key field "{missing}"'
                text = f"element {index}: {why} (and doesn't have default value)"
                yield Problem(path, f"{plain}[{index}]", text, "merge")
            else:
                step = shown((item_step(key),))
                if step in seen:
                    yield Problem(path, f"{plain}[{index}]", f"duplicate entries for key {step}", "merge")
                seen.add(step)
        elif item is None:
            yield Problem(path + step, f"{plain}[{index}]", "an item cannot be null")
        yield from _walk(item, shape.item(), path + step, f"{plain}[{index}]")


def _mismatch(value: Any, shape: Shape) -> str:
    found = _name(value)
    if shape.is_map:
        return "" if found == "map" else f"expected map, got &{{{value}}}"
    if shape.is_list:
        return "" if found == "list" else f"expected list, got &{{{value}}}"
    match shape.scalar:
        case "string":
            return (
                "" if found == "string" else f"expected string, got &value.valueUnstructured{{Value:{value}}}"
            )
        case "numeric":
            return "" if found == "number" else f"expected numeric (int or float), got {found}"
        case "boolean":
            return "" if found == "bool" else f"expected boolean, got &{{{value}}}"
    return ""


def _unusable(value: Any, shape: Shape) -> str:
    if shape.scalar == "quantity" and canonical(value) is None:
        return f"quantities must match the regular expression '{QUANTITY}'"
    if shape.scalar == "numeric" and (value != int(value) or abs(value) > LARGEST):
        return "cannot convert float64 to int32"
    return ""


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    names = ((dict, "map"), (list, "list"), (str, "string"))
    return next((name for kind, name in names if isinstance(value, kind)), "unknown")


def _pruned(value: Any, shape: Shape) -> Any:
    if isinstance(value, dict):
        known = shape.fields
        return {k: _pruned(v, shape.field(k)) for k, v in value.items() if known is None or k in known}
    if isinstance(value, list):
        return [_pruned(item, shape.item()) for item in value]
    return value
