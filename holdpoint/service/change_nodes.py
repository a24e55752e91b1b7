"""From YAML nodes to plain values, without the surprises of YAML 1.1, keeping every place.

YAML 1.1 reads `010` as eight, `1:30` as ninety and `2026-01-01` as a date. Such a value becomes `Unread`,
which no field accepts, so that the mistake is named where it stands.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from holdpoint.service.change_bounds import LOADER, TooMuch, syntax_mistake
from holdpoint.service.change_mistakes import Mistake, field_name, shorten

Loc = tuple[int | str, ...]

_CORE = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{0,18}([eE][-+]?[0-9]{1,3})?")
_SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_READ_AS = {"int": "a number", "float": "a number", "bool": "true or false", "timestamp": "a date"}


@dataclass(frozen=True)
class Unread:
    """A value that YAML would read as something which its writer cannot have meant."""

    text: str


def compose(text: str) -> yaml.Node | None:
    """Return the first document's root, or None for an empty file. Raises TooMuch if it does not compose."""
    loader = LOADER(text)
    try:
        return loader.get_node() if loader.check_node() else None
    except yaml.YAMLError as error:
        raise TooMuch(syntax_mistake(error, text)) from error
    finally:
        loader.dispose()


def plain(node: yaml.Node, mistakes: list[Mistake], loc: Loc = ()) -> Any:
    """Return the node, whose depth is bounded already, as plain values. Adds what is wrong with its keys."""
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, mistakes, loc)
    if isinstance(node, yaml.SequenceNode):
        return [plain(item, mistakes, (*loc, index)) for index, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, mistakes: list[Mistake], loc: Loc) -> dict[str, Any]:
    values: dict[str, Any] = {}
    first: dict[str, int] = {}
    for key, value in node.value:
        wrong = _key_mistake(key, loc)
        if wrong is None and key.value in first:
            wrong = _twice(key, loc, first[key.value])
        if wrong is not None:
            mistakes.append(wrong)
            continue
        first[key.value] = key.start_mark.line + 1
        values[key.value] = plain(value, mistakes, (*loc, key.value))
    return values


def _key_mistake(key: yaml.Node, loc: Loc) -> Mistake | None:
    if not isinstance(key, yaml.ScalarNode):
        return Mistake.at(
            key.start_mark,
            field=field_name(loc),
            found=kind_of(key),
            allowed="text",
            message="A field's name must be text, not a list or a mapping.",
        )
    if key.tag == _CORE + "merge":
        return _key(key, loc, "a merge key", "fields written out; merge keys are not supported")
    read_as = _READ_AS.get(key.tag.removeprefix(_CORE)) if is_plain(key) else None
    if read_as:
        return _key(
            key, loc, f"a name that YAML reads as {read_as}", f"text: '{shorten(key.value)}' in quotes"
        )
    return None


def _key(key: yaml.ScalarNode, loc: Loc, found: str, allowed: str) -> Mistake:
    name = field_name((*loc, key.value))
    return Mistake.at(
        key.start_mark,
        field=name,
        found=found,
        allowed=allowed,
        message=f"Cannot be used as a field: {name} is {found}; allowed is {allowed}.",
    )


def _twice(key: yaml.ScalarNode, loc: Loc, line: int) -> Mistake:
    name = field_name((*loc, key.value))
    return Mistake.at(
        key.start_mark,
        field=name,
        found="a second one",
        allowed="each field once",
        message=f"Duplicate field: {name} stands in line {line} already. Keep one of the two.",
    )


def is_plain(node: yaml.Node) -> bool:
    """Tell whether a scalar was written without quotes, so that YAML guesses its type."""
    return isinstance(node, yaml.ScalarNode) and not node.style


def _scalar(node: yaml.Node) -> Any:
    text, tag = str(node.value), node.tag.removeprefix(_CORE)
    if not is_plain(node):
        return text
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() in ("true", "yes", "on")
    if tag == "int":
        return int(text) if _INTEGER.fullmatch(text) else Unread(text)
    if tag == "float":
        special = _SPECIAL.get(text.lower())
        return float(special or text) if special or _DECIMAL.fullmatch(text) else Unread(text)
    return Unread(text) if tag in ("timestamp", "binary") else text


def read_as(node: yaml.Node | None) -> str | None:
    """Return what YAML takes an unquoted value for, such as `a number`, or None if for text."""
    return _READ_AS.get(node.tag.removeprefix(_CORE)) if node is not None and is_plain(node) else None


def kind_of(node: yaml.Node | None) -> str:
    """Return the value as it is repeated back to its writer."""
    if node is None:
        return "nothing"
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if is_plain(node):
        return shorten(node.value) or "nothing"
    return f"'{shorten(node.value)}'"


@dataclass(frozen=True)
class Place:
    """Where a location stands: the node itself, or (if there is none) the nearest thing above it."""

    mark: Any
    node: yaml.Node | None


def locate(root: yaml.Node, loc: Loc, *, key: bool = False) -> Place:
    """Return the place of `loc`; with `key`, of the field's name and not its value."""
    node, mark = root, root.start_mark
    for position, part in enumerate(loc):
        if part == "[key]":
            return Place(mark, node)
        entry = _child(node, part)
        if entry is None:
            return Place(mark, None)
        name, node = entry
        last = position == len(loc) - 1
        # A missing field is shown at the name of the mapping that lacks it, a wrong value where it stands.
        mark = name.start_mark if name is not None and (key or not last) else node.start_mark
    return Place(mark, node)


def locate_whole(root: yaml.Node, loc: Loc) -> Place:
    """Return the place of what is wrong as a whole: of a mapping that is its name."""
    place = locate(root, loc)
    return locate(root, loc, key=True) if isinstance(place.node, yaml.MappingNode) else place


def _child(node: yaml.Node, part: int | str) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == part:
                return name, value
    return None
