"""Pydantic's errors, said in the words of the change file, with the place and what is allowed there."""

import difflib
from functools import cache
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from holdpoint.models.change import Change
from holdpoint.service.change_mistakes import MOST_MISTAKES, Mistake, field_name, shorten
from holdpoint.service.change_nodes import Loc, Place, Unread, kind_of, locate, locate_whole, read_as

NAME_WORDS = (
    "a name of at most 63 lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
)
LINE_WORDS = "one line of 1 to 200 printable characters"

_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "a mapping",
}


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = Change.model_json_schema()
    return schema


def schema_at(loc: Loc) -> dict[str, Any]:
    """Return the schema of the field at `loc`, references resolved; empty where there is none."""
    node = _schema()
    for part in loc:
        if part == "[key]":
            return dict(_resolve(node).get("propertyNames", {}))
        node = _resolve(node)
        if isinstance(part, int):
            node = node.get("items", {})
        else:
            node = node.get("properties", {}).get(part, node.get("additionalProperties") or {})
    return _resolve(node)


def _resolve(node: dict[str, Any]) -> dict[str, Any]:
    """Follow references and drop the `null` of an optional field."""
    while True:
        if "$ref" in node:
            node = {**_schema()["$defs"][node["$ref"].rpartition("/")[2]], **_without_ref(node)}
        elif "anyOf" in node:
            kept = {name: value for name, value in node.items() if name != "anyOf"}
            node = {**next(one for one in node["anyOf"] if one != {"type": "null"}), **kept}
        else:
            return node


def _without_ref(node: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != "$ref"}


def mistakes_of(error: ValidationError, root: yaml.Node) -> list[Mistake]:
    """Return each of Pydantic's errors as a mistake with its place in the file."""
    # Finding a place costs a walk, so what will not be listed anyway is not looked for.
    return [_mistake(detail, root) for detail in error.errors(include_url=False)[:MOST_MISTAKES]]


def _mistake(detail: ErrorDetails, root: yaml.Node) -> Mistake:
    loc, kind = detail["loc"], detail["type"]
    if kind == "extra_forbidden":
        return unknown_field(loc, root)
    place = locate_whole(root, loc)
    schema, name, found = schema_at(loc), field_name(loc), kind_of(place.node)
    if kind == "missing":
        allowed = describe(schema)
        message = f"Missing field: {name} is required. Give it {allowed}."
        return Mistake.at(place.mark, field=name, found="nothing", allowed=allowed, message=message)
    allowed = _allowed(detail, schema)
    if loc and loc[-1] == "[key]":
        name, found = field_name(loc[:-2]), f"the name {shorten(str(loc[-2]))!r}"
    verb = "it" if kind == "value_error" else "allowed is"
    message = f"Wrong value: {name or 'the file'} is {found}; {verb} {allowed}."
    message += _hint(detail, place, schema)
    return Mistake.at(place.mark, field=name, found=found, allowed=allowed, message=message)


def unknown_field(loc: Loc, root: yaml.Node) -> Mistake:
    """Return the mistake of a field that is not in the format, with the nearest one that is."""
    place = locate(root, loc, key=True)
    known = sorted(schema_at(loc[:-1]).get("properties", {}))
    near = nearest(str(loc[-1]), known)
    hint = f" Did you mean {near!r}?" if near else ""
    allowed = ", ".join(known)
    message = f"Unknown field: {field_name(loc)}.{hint} Fields here: {allowed}."
    return Mistake.at(
        place.mark, field=field_name(loc), found=shorten(str(loc[-1])), allowed=allowed, message=message
    )


def nearest(given: str, known: list[str]) -> str | None:
    """Return the known word that `given` was probably meant to be, or None."""
    folded = {word.lower(): word for word in reversed(known)}
    # Cut: comparing costs the product of the lengths, and the word is a stranger's.
    close = difflib.get_close_matches(given[:60].lower(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def _allowed(detail: ErrorDetails, schema: dict[str, Any]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context.get("error"))
    if kind in _WANTED:
        return _WANTED[kind]
    if kind == "string_pattern_mismatch":
        return NAME_WORDS if "[-a-z0-9.]" in str(context.get("pattern")) else LINE_WORDS
    if kind == "literal_error":
        return describe(schema)
    bounds = {
        "greater_than": "a number larger than {gt}",
        "greater_than_equal": "a number of at least {ge}",
        "less_than": "a number smaller than {lt}",
        "less_than_equal": "a number of at most {le}",
        "string_too_short": "text of at least {min_length} characters",
        "string_too_long": "text of at most {max_length} characters",
        "too_short": "at least {min_length} entries",
        "too_long": "at most {max_length} entries",
    }
    return bounds[kind].format(**context) if kind in bounds else detail["msg"]


def describe(schema: dict[str, Any]) -> str:
    """Return what a field may hold, in a few words."""
    if "enum" in schema:
        return " or ".join(schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "properties" in schema:
        return f"a mapping with {', '.join(schema.get('required') or sorted(schema['properties']))}"
    if "examples" in schema:
        return f"a duration such as {', '.join(schema['examples'])}"
    if str(schema.get("pattern", "")).startswith("^[a-z0-9]("):
        return NAME_WORDS
    return _TYPES.get(str(schema.get("type")), "text")


def _hint(detail: ErrorDetails, place: Place, schema: dict[str, Any]) -> str:
    """Return what to do about it, where that can be told."""
    kind, given = detail["type"], detail.get("input")
    if kind == "string_type" and (taken_for := read_as(place.node)) and place.node is not None:
        text = shorten(place.node.value)
        return f" YAML reads {text} as {taken_for}; put it in quotes: '{text}'."
    if kind in ("int_type", "float_type") and isinstance(given, str | Unread):
        return " Write it in plain digits, without quotes or a leading zero."
    if kind == "literal_error" and "enum" in schema:
        near = nearest(str(given), [str(one) for one in schema["enum"]])
        return f" Did you mean {near!r}?" if near else ""
    return ""
