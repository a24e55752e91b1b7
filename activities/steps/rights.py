"""What a step kind must be allowed to do in a cluster, declared beside the kind.

deploy/kubernetes/rbac-*.yaml are made from these declarations (`python -m activities.steps.rbac`), so that a
kind that declares nothing is allowed nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Identity = Literal["forward", "undo"]

FORWARD = ("get", "create", "patch")
"""See an object and have it as stated: a server-side apply is a patch, and a create where there is none. The
dry run of the prechecks needs the same."""

UNDO = ("get", "patch", "delete")
"""Fence an object, bring it back to the snapshot, delete what the rollout created. It creates nothing."""


@dataclass(frozen=True)
class Right:
    """Verbs on one resource for one identity."""

    identity: Identity
    group: str
    resource: str
    verbs: tuple[str, ...]


COMMON: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("configmaps", "secrets", "serviceaccounts", "services")),
    ("apps", ("daemonsets", "deployments", "statefulsets")),
    ("autoscaling", ("horizontalpodautoscalers",)),
    ("batch", ("cronjobs",)),
    ("gateway.networking.k8s.io", ("httproutes",)),
    ("networking.k8s.io", ("ingresses", "networkpolicies")),
    ("policy", ("poddisruptionbudgets",)),
)
"""What services are commonly made of, by group; any other kind that changes hold is granted by whoever owns
it. Roles and RoleBindings are not among them: who may write those can give himself everything."""

KEPT: tuple[tuple[str, tuple[str, ...]], ...] = (("", ("persistentvolumeclaims",)), ("batch", ("jobs",)))
"""What services are made of, too, but is not as before when it is made again: data, and what ran."""

AUTOSCALERS = Right("forward", "autoscaling", "horizontalpodautoscalers", ("list",))
"""See which autoscaler scales a workload, so that its number of replicas is left alone."""


def both(
    group: str, *resources: str, forward: Iterable[str] = FORWARD, undo: Iterable[str] = UNDO
) -> tuple[Right, ...]:
    """Return what changing these resources needs, and undoing it."""
    found: list[Right] = []
    for resource in resources:
        found += [
            Right("forward", group, resource, tuple(forward)),
            Right("undo", group, resource, tuple(undo)),
        ]
    return tuple(found)
