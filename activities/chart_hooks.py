"""Hooks of a Helm chart: objects that Helm would create at a moment of its own. Holdpoint never does."""

from typing import Any

from holdpoint.models.errors import StepConfig

HOOK = "helm.sh/hook"
MOST_SHOWN = 5


def without_hooks(chart: str, documents: list[Any], *, refuse: bool) -> tuple[list[Any], list[str]]:
    """Return the documents that are no hooks, and a sentence about those that are.

    Raises StepConfig where hooks are to be refused.
    """
    hooks = [item for item in documents if _hook_of(item)]
    if not hooks:
        return documents, []
    names = ", ".join(_named(item) for item in hooks[:MOST_SHOWN])
    more = f" and {len(hooks) - MOST_SHOWN} more" if len(hooks) > MOST_SHOWN else ""
    if refuse:
        raise StepConfig(
            f"Chart with hooks: {chart} has {names}{more}, which Holdpoint does not run. Turn them off in "
            "its values, or set spec.source.helm.hooks: leaveOut and do their work in another step."
        )
    kept = [item for item in documents if not _hook_of(item)]
    return kept, [f"Hooks of the chart {chart} are left out and do not run: {names}{more}."]


def _hook_of(item: Any) -> str:
    meta = item.get("metadata") if isinstance(item, dict) else None
    notes = meta.get("annotations") if isinstance(meta, dict) else None
    return str(notes.get(HOOK) or "") if isinstance(notes, dict) else ""


def _named(item: dict[str, Any]) -> str:
    return f"{item.get('kind')} {item['metadata'].get('name')} ({_hook_of(item)})"
