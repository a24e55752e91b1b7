"""Change one value of a YAML or JSON file where it stands, so that every other character stays as it is.

The value's place is that of its node. What comes out is read again and must be what went in with just this
value changed: a file in which that is not so (an anchor that stands elsewhere, too) is refused, not guessed.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from holdpoint.clients.manifest_yaml import read_documents
from holdpoint.models.git_steps import Part, value_parts

LARGEST = 512 * 1024
"""Bytes of a file in which a value is set; one of values or an overlay has some thousand."""

# The C parser is some twenty times faster; the pure one gives the same nodes where libyaml is missing.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9._/@+-]*(:[A-Za-z0-9._@/+-]+)*|[0-9]+\.[0-9]+\.[0-9][A-Za-z0-9.+-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""What some readers of YAML take for something else than text."""


def set_value(data: bytes, path: str, value: Any) -> bytes:
    """Return a file with one value changed. Raises ValueError with the reason why it cannot be."""
    if len(data) > LARGEST:
        raise ValueError(f"the file has {len(data)} bytes, at most {LARGEST} are allowed")
    before = read_documents(data, most=LARGEST)
    try:
        text = data.decode()
        roots = [root for root in yaml.compose_all(text, Loader=_LOADER) if not _is_empty(root)]
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"it cannot be read: {error}"[:200]) from error
    parts = value_parts(path)
    index, node = _only(roots, parts, path)
    old = text[node.start_mark.index : node.end_mark.index]
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError(f"{path} is no single value")
    if node.style in ("|", ">") or "\n" in old:
        raise ValueError(f"{path} is a text of several lines")
    wanted = _with(before, index, parts, value)
    if before == wanted and type(_at(before[index], parts)) is type(value):
        return data
    for written in _forms(value, node.style):
        new = _replaced(text, node, written)
        if _reads_as(new, wanted):
            return new
    raise ValueError(f"{path} cannot be changed by itself: its value has an anchor, or is used twice")


def _is_empty(root: yaml.Node | None) -> bool:
    """Tell whether a document holds nothing, as `read_documents` leaves it out."""
    return root is None or root.tag == "tag:yaml.org,2002:null"


def _only(roots: list[yaml.Node], parts: list[Part], path: str) -> tuple[int, yaml.Node]:
    found = [(number, node) for number, root in enumerate(roots) if (node := _node(root, parts)) is not None]
    if not found:
        raise ValueError(f"{path} is not there; only values that exist are set")
    if len(found) > 1:
        raise ValueError(f"{path} stands in {len(found)} of its documents")
    return found[0]


def _node(node: yaml.Node, parts: list[Part]) -> yaml.Node | None:
    for part in parts:
        below = list(_below(node, part))
        if len(below) != 1:
            return None
        node = below[0]
    return node


def _below(node: yaml.Node, part: Part) -> Iterator[yaml.Node]:
    """Yield what a part of the path can mean at a node: one, where it is clear."""
    if isinstance(part, str) and isinstance(node, yaml.MappingNode):
        yield from (value for key, value in node.value if key.value == part)
    elif isinstance(part, int) and isinstance(node, yaml.SequenceNode):
        yield from node.value[part : part + 1]
    elif isinstance(part, tuple) and isinstance(node, yaml.SequenceNode):
        name, wanted = part
        for item in node.value:
            if isinstance(item, yaml.MappingNode) and any(
                key.value == name and isinstance(value, yaml.ScalarNode) and value.value == wanted
                for key, value in item.value
            ):
                yield item


def _with(documents: list[Any], index: int, parts: list[Part], value: Any) -> list[Any]:
    """Return what the file must read as after the change."""
    wanted: list[Any] = json.loads(json.dumps(documents))
    above = _at(wanted[index], parts[:-1])
    last = parts[-1]
    place = _place(above, last) if isinstance(last, tuple) else last
    above[place] = value
    return wanted


def _at(value: Any, parts: list[Part]) -> Any:
    for part in parts:
        value = value[_place(value, part) if isinstance(part, tuple) else part]
    return value


def _place(items: list[Any], part: tuple[str, str]) -> int:
    name, wanted = part
    found = (
        number for number, item in enumerate(items) if isinstance(item, dict) and _is(item, name, wanted)
    )
    place = next(found, None)
    if place is None:
        raise ValueError(f"no item has {name}={wanted}")
    return place


def _is(item: dict[str, Any], name: str, wanted: str) -> bool:
    value = item.get(name)
    return (value if isinstance(value, str) else json.dumps(value)) == wanted


def _forms(value: Any, style: str | None) -> Iterator[str]:
    """Yield how a value can be written, first as the old one was."""
    if not isinstance(value, str):
        yield json.dumps(value)
        return
    if style == "'" and value.isprintable():
        yield "'" + value.replace("'", "''") + "'"
    if not style and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        yield value
    yield json.dumps(value, ensure_ascii=not value.isprintable())


def _replaced(text: str, node: yaml.Node, written: str) -> bytes:
    start, end = node.start_mark.index, node.end_mark.index
    gap = " " if start == end else ""  # a value that is left out stands right after its colon
    return f"{text[:start]}{gap}{written}{text[end:]}".encode()


def _reads_as(data: bytes, wanted: list[Any]) -> bool:
    try:
        found = read_documents(data, most=2 * LARGEST)
    except ValueError:
        return False
    return json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)
