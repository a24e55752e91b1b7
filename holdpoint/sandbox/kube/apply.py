"""Server-side apply, after structured-merge-diff's `merge.Updater.Apply`.

The manifest is laid over the live object; what this manager applied before and no longer states is removed
unless somebody else owns it; a field of another manager that would change is a conflict unless forced, and
then its owner loses it.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from holdpoint.sandbox.kube import fields, merge
from holdpoint.sandbox.kube.fields import FieldPath, Fields
from holdpoint.sandbox.kube.ownership import Manager, managers_of, with_managers
from holdpoint.sandbox.kube.schema import shape_of
from holdpoint.sandbox.kube.status import Refusal


def apply(
    live: dict[str, Any] | None, config: dict[str, Any], writer: Manager, *, force: bool
) -> dict[str, Any]:
    """Return the object after `writer` applied `config`; raises 409 that names each field and its manager."""
    owned = fields.fields_of(config)
    before = managers_of(live)
    former = next((m for m in before if m.same(writer)), None)
    others = [m for m in before if not m.same(writer)]
    base = live or {"apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": {}}
    body = merge.merged(base, config, shape_of(config["kind"]))
    if former:
        body = merge.removed(body, _dropped(former.fields, owned, others))
    touched, gone = fields.changed(base, body)
    conflicts = [(m, path) for m in others for path in sorted(m.fields & touched, key=_rank)]
    if conflicts and not force:
        raise _conflict(conflicts)
    kept = [replace(m, fields=m.fields - touched - gone) for m in others]
    unchanged = former is not None and former.fields == owned and not touched and not gone
    writer = replace(writer, fields=owned, time=former.time if former and unchanged else writer.time)
    return with_managers(body, [*kept, writer])


def _dropped(former: Fields, owned: Fields, others: list[Manager]) -> set[FieldPath]:
    """Return what the manager applied before and not now, unless another manager or the manifest keeps it."""
    kept = set(owned).union(*(m.fields for m in others))
    prefixes = {prefix for path in kept for prefix in _protected(path, kept)}
    # As structured-merge-diff's EnsureNamedFieldsAreMembers: a field that nobody states anything of
    # goes whole, with the defaults that were filled in below it.
    return {
        next((path[:length] for length in range(2, len(path)) if path[:length] not in prefixes), path)
        for path in former - owned
        if path not in prefixes
    }


def _protected(path: FieldPath, kept: set[FieldPath]) -> Iterator[FieldPath]:
    """Yield what must stay for an owned field's sake; not the item of a list that nobody owns as such."""
    for length in range(1, len(path) + 1):
        prefix = path[:length]
        if not prefix[-1].startswith("f:") and prefix not in kept:
            return
        yield prefix


def _rank(path: FieldPath) -> list[tuple[bool, str]]:
    """Order paths as structured-merge-diff does: on each level, fields before what has fields below."""
    return [(position < len(path) - 1, step) for position, step in enumerate(path)]


def _conflict(conflicts: list[tuple[Manager, FieldPath]]) -> Refusal:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {m.shown()}",
            "field": fields.shown(path),
        }
        for m, path in conflicts
    ]
    if len(conflicts) == 1:
        manager, path = conflicts[0]
        text = f"1 conflict: conflict with {manager.shown()}: {fields.shown(path)}"
    else:
        by_manager: dict[str, list[str]] = {}
        for manager, path in conflicts:
            by_manager.setdefault(manager.shown(), []).append(f"- {fields.shown(path)}")
        parts = (f"conflicts with {name}:\n" + "\n".join(paths) for name, paths in sorted(by_manager.items()))
        text = f"{len(conflicts)} conflicts: " + "\n".join(parts)
    return Refusal(409, "Conflict", f"Apply failed with {text}", {"causes": causes})
