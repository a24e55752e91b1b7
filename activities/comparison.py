"""Compare two states of an object field by field, without what the cluster itself writes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import rfc8785

from holdpoint.models.redact import is_secret_name, redact

OURS = "holdpoint.dev/"
"""Annotations of ours say which write was the last; they are no part of what is restored."""

_CLUSTERS_OWN = frozenset(
    {"resourceVersion", "generation", "managedFields", "uid", "creationTimestamp", "selfLink"}
)
_CLUSTERS_ANNOTATIONS = frozenset(
    {
        "deployment.kubernetes.io/revision",
        "deprecated.daemonset.template.generation",  # the API server counts a DaemonSet's templates in it
    }
)
_ITEM_KEYS = (
    ("name",),
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("mountPath",),
    ("type",),
    ("key",),
)
LONGEST = 120
"""Characters of a value in a sentence: a certificate does not help whoever reads it."""


class Missing:
    """The field is not there."""

    def __repr__(self) -> str:
        return "(none)"


MISSING: Final = Missing()


@dataclass(frozen=True)
class Item:
    """One step into a list: the item by what names it, and the item itself. `keys` are those of the label."""

    label: str
    element: dict[str, Any]
    keys: tuple[str, ...] = ()


Path = tuple[str | Item, ...]


@dataclass(frozen=True)
class Difference:
    """One field that is not as it was."""

    path: Path
    was: Any
    now: Any


def differences(was: dict[str, Any], now: dict[str, Any]) -> list[Difference]:
    """Return every field that differs, extra and missing ones too; empty means equal."""
    return list(_compare((), comparable(was), comparable(now)))


def leaves(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    """Yield every value that has none below it, with its path; the items of a list by what names them."""
    keys = _naming(value) if isinstance(value, list) and value else None
    said = path[-1].keys if path and isinstance(path[-1], Item) else ()
    if isinstance(value, dict) and set(value) > set(said):
        for key in sorted(set(value) - set(said)):
            yield from leaves((*path, key), value[key])
    elif keys is not None:
        for label, item in _by_label(keys, value).items():
            yield from leaves((*path, Item(label, item, keys)), item)
    else:
        yield path, value


def described(kind: str, difference: Difference) -> str:
    """Return `field: was -> is` for people. What a Secret or a variable named so holds is not shown."""
    hidden = _is_secret(kind, difference.path)
    was, now = (
        "(hidden)" if hidden and not isinstance(value, Missing) else _shown(value)
        for value in (difference.was, difference.now)
    )
    return f"{field_of(difference.path)}: {was} -> {now}"


def _is_secret(kind: str, path: Path) -> bool:
    if kind == "Secret" and path and path[0] in ("data", "stringData"):
        return True
    names = [step.element.get("name", "") if isinstance(step, Item) else step for step in path]
    return any(is_secret_name(str(name)) for name in names)


def field_of(path: Path) -> str:
    """Return a path as people write it: `spec.containers[name=web].image`."""
    text = ""
    for step in path:
        text += f"[{step.label}]" if isinstance(step, Item) else f".{step}" if text else step
    return text or "(object)"


def comparable(body: dict[str, Any]) -> dict[str, Any]:
    """Return the object without status and without what the cluster writes into its metadata."""
    meta = {key: value for key, value in (body.get("metadata") or {}).items() if key not in _CLUSTERS_OWN}
    notes = {
        key: value
        for key, value in (meta.pop("annotations", None) or {}).items()
        if not key.startswith(OURS) and key not in _CLUSTERS_ANNOTATIONS
    }
    if notes:
        meta["annotations"] = notes
    return {**{key: value for key, value in body.items() if key != "status"}, "metadata": meta}


def _compare(path: Path, was: Any, now: Any) -> Iterator[Difference]:
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted({*was, *now}):
            yield from _compare((*path, key), was.get(key, MISSING), now.get(key, MISSING))
    elif isinstance(was, list) and isinstance(now, list):
        yield from _compare_lists(path, was, now)
    elif not _same(was, now):
        yield Difference(path, was, now)


def _compare_lists(path: Path, was: list[Any], now: list[Any]) -> Iterator[Difference]:
    """Compare items by what names them; lists without such a name are compared whole."""
    keys = _naming(was, now)
    if keys is None or not was or not now:
        if not _same(was, now):
            yield Difference(path, was, now)
        return
    before, after = _by_label(keys, was), _by_label(keys, now)
    shared = [label for label in before if label in after]
    if shared != [label for label in after if label in before]:
        yield Difference((*path, "(order)"), list(before), list(after))
    for label in [*before, *(label for label in after if label not in before)]:
        old, new = before.get(label, MISSING), after.get(label, MISSING)
        item = Item(label, new if isinstance(new, dict) else before[label], keys)
        yield from _compare((*path, item), old, new)


def _naming(*lists: list[Any]) -> tuple[str, ...] | None:
    """Return the keys that name the items of all these lists; None where the lists are compared whole."""
    return next((keys for keys in _ITEM_KEYS if all(_names(keys, items) for items in lists)), None)


def _names(keys: tuple[str, ...], items: list[Any]) -> bool:
    """Tell whether these keys name each item of the list, each once."""
    if not all(isinstance(item, dict) and all(key in item for key in keys) for item in items):
        return False
    return len(_by_label(keys, items)) == len(items)


def _by_label(keys: tuple[str, ...], items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {",".join(f"{key}={item[key]}" for key in keys): item for item in items}


def _same(was: Any, now: Any) -> bool:
    """Tell whether two values are equal; `1` and `true` are not, as they would be to Python."""
    if isinstance(was, Missing) or isinstance(now, Missing):
        return was is now
    return _written(was) == _written(now)


def _written(value: Any) -> str:
    """Return a value in one form; with numbers of 64 bits too, which the canonical form refuses."""
    try:
        return rfc8785.dumps(value).decode()
    except rfc8785.CanonicalizationError:
        return json.dumps(value, sort_keys=True)


def _shown(value: Any) -> str:
    if isinstance(value, Missing):
        return repr(value)
    shown = redact(value)
    text = shown if isinstance(shown, str) else _written(shown)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
