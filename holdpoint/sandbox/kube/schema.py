"""The types of the served kinds and how their lists and maps merge, from `schema.json` (see `schema_source`).

What is atomic is replaced and owned whole; a list with keys merges item by item; other maps merge key by key.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

ItemKey = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Shape:
    """The type of one place in an object."""

    body: Mapping[str, Any]
    atomic: bool = False

    @property
    def scalar(self) -> str | None:
        """Return string, numeric, boolean, quantity or untyped; None for maps and lists."""
        found: str | None = self.body.get("s")
        return found

    @property
    def fields(self) -> Mapping[str, Any] | None:
        """Return the declared fields of a struct; None for anything else."""
        found: Mapping[str, Any] | None = self.body.get("f")
        return found

    @property
    def omits_zero(self) -> bool:
        """Tell whether a zero, an empty text or false is not written."""
        return "o" in self.body

    @property
    def is_map(self) -> bool:
        """Tell whether values are structs or maps."""
        return "f" in self.body or "m" in self.body

    @property
    def is_list(self) -> bool:
        """Tell whether values are lists."""
        return "l" in self.body

    @property
    def is_set(self) -> bool:
        """Tell whether values are lists that are sets of scalars."""
        return "u" in self.body

    @property
    def merges(self) -> bool:
        """Tell whether values are maps that merge key by key."""
        return self.is_map and not self.atomic

    @property
    def keys(self) -> tuple[str, ...] | None:
        """Return the merge keys of a list; None for a list that is atomic or a set."""
        return tuple(self.body["k"]) if "k" in self.body else None

    def field(self, name: str) -> "Shape":
        """Return the type of a field; of an undeclared one, a type that takes anything."""
        fields = self.body.get("f")
        if fields is not None:
            return _resolved(fields[name]) if name in fields else UNTYPED
        return _resolved(self.body["m"]) if "m" in self.body else UNTYPED

    def item(self) -> "Shape":
        """Return the type of a list's items."""
        return _resolved(self.body["l"]) if "l" in self.body else UNTYPED

    def item_key(self, item: Any) -> ItemKey | None:
        """Return the merge key of an item, defaults filled in; None when the item lacks a part of it."""
        if not isinstance(item, dict):
            return None
        fields = self.item().fields or {}
        found = tuple((key, item.get(key, fields.get(key, {}).get("d"))) for key in self.keys or ())
        return None if any(value is None for _, value in found) else found

    def zero(self) -> dict[str, Any]:
        """Return an empty object of the type: the structs that are never absent, and empty themselves."""
        fields = self.fields or {}
        found = {name: self.field(name).zero() for name, body in fields.items() if body.get("z")}
        # the one list of the served kinds that is written although it is empty
        return {**found, "containers": []} if "initContainers" in fields else found


UNTYPED = Shape({"s": "untyped"}, atomic=True)


def shape_of(kind: str) -> Shape:
    """Return the type of a served kind."""
    document = _document()
    return _named(document["roots"][kind])


@cache
def _document() -> dict[str, Any]:
    text = files("holdpoint.sandbox.kube").joinpath("schema.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _named(name: str) -> Shape:
    body = _document()["types"][name]
    return Shape(body, "a" in body)


def _resolved(body: Mapping[str, Any]) -> Shape:
    if "t" not in body:
        return Shape(body, "a" in body)
    named = _named(body["t"])
    return Shape(named.body, atomic=True) if "a" in body else named
