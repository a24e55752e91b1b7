"""Objects that a GitOps controller owns: what is written past it, it takes back, or calls drift.

Argo CD marks by an annotation `argocd.argoproj.io/tracking-id` (`app:group/kind:namespace/name`) or a label
`argocd.argoproj.io/instance`, Flux by labels of its Kustomization or HelmRelease. The label
`app.kubernetes.io/instance`, Argo CD's other default, is on everything that Helm installs, and says nothing.
"""

from typing import Any

from holdpoint.models.record import ObjectRef

TRACKING = "argocd.argoproj.io/tracking-id"
INSTANCE = "argocd.argoproj.io/instance"
FLUX = (("kustomize.toolkit.fluxcd.io", "Kustomization"), ("helm.toolkit.fluxcd.io", "HelmRelease"))


def owner_of(live: dict[str, Any] | None) -> str | None:
    """Return which controller's object an object belongs to, for people; None where it is nobody's."""
    meta = (live or {}).get("metadata") or {}
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    if app := _tracked(str(notes.get(TRACKING, "")), live or {}):
        return f"Argo CD's Application {app}"
    if instance := labels.get(INSTANCE) or notes.get(INSTANCE):
        return f"Argo CD's Application {instance}"
    for group, kind in FLUX:
        if name := labels.get(f"{group}/name"):
            return f"Flux's {kind} {labels.get(f'{group}/namespace', '(unknown namespace)')}/{name}"
    return None


def past_controller(ref: ObjectRef, owner: str) -> str:
    """Return why an object is not written, and what to do instead."""
    return (
        f"{ref.kind} {ref.name} belongs to {owner}, which would take back what is written past it. Change "
        "its files with a gitCommit step, or set gitops_writes: true for this cluster in the settings."
    )


def _tracked(tracking: str, live: dict[str, Any]) -> str:
    """Return the Application of a tracking ID; nothing where it was copied here from another object."""
    app, _, rest = tracking.partition(":")
    what, _, where = rest.partition(":")
    group, _, kind = what.rpartition("/")
    namespace, _, name = where.partition("/")
    meta, version = live.get("metadata") or {}, str(live.get("apiVersion", ""))
    own = (version.rpartition("/")[0], live.get("kind"), meta.get("name"))
    if not app or (group, kind, name) != own or namespace not in ("", meta.get("namespace")):
        return ""
    # In any namespace but its own, Argo CD writes it as namespace_name.
    return app.replace("_", "/", 1)
