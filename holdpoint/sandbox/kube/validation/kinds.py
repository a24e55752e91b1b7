"""Which demands each kind makes; each that is broken is a cause in the 422 that Kubernetes would give."""

from collections.abc import Callable

from holdpoint.sandbox.kube.kinds import Kind
from holdpoint.sandbox.kube.status import Cause, invalid
from holdpoint.sandbox.kube.validation import others, pods, texts, workloads
from holdpoint.sandbox.kube.validation.texts import Body

_OBJECTS: dict[str, Callable[[Body], list[Cause]]] = {
    "Deployment": workloads.deployment,
    "ReplicaSet": workloads.replica_set,
    "StatefulSet": workloads.stateful_set,
    "Job": workloads.job,
    "Pod": lambda body: pods.pod("spec", body.get("spec") or {}),
    "Service": others.service,
    "ConfigMap": others.config_map,
    "HorizontalPodAutoscaler": others.autoscaler,
    "PodDisruptionBudget": others.disruption_budget,
    "Ingress": others.ingress,
    "HTTPRoute": others.http_route,
    "ValidatingWebhookConfiguration": others.webhooks,
}
_CHANGES: dict[str, Callable[[Body, Body], list[Cause]]] = {
    "Deployment": workloads.selector_kept,
    "ReplicaSet": workloads.selector_kept,
    "StatefulSet": workloads.identity_kept,
    "Job": workloads.template_kept,
    "Pod": pods.kept,
    "Service": others.address_kept,
    "ConfigMap": others.data_kept,
    "Secret": others.data_kept,
}


def check(kind: Kind, body: Body, before: Body | None = None) -> None:
    """Raise 422 with every cause when the object, or the change from `before`, is not allowed."""
    causes = texts.metadata(body["metadata"], label=kind.kind in ("Service", "Namespace"))
    demands = _OBJECTS.get(kind.kind, _nothing)(body)
    changes = _CHANGES.get(kind.kind, _nothing)(before, body) if before is not None else []
    causes += (
        [*demands, *changes] if kind.group else [*changes, *demands]
    )  # the core group looks at changes first
    if causes:
        raise invalid(kind, body["metadata"].get("name", ""), causes)


def _nothing(*_: Body) -> list[Cause]:
    return []
