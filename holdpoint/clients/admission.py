"""Fence creates by admission: deploy/kubernetes/admission/fence.yaml denies those whose intent it is told.

A policy learns of its ConfigMap by a watch, so having written it is not enough: the denial is in force when
the API server says so itself, to a dry run that carries the same intent. Where several API servers stand
behind one address, each learns for itself; see docs/operations.md.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from holdpoint.clients.cluster import INTENT_ANNOTATION, Cluster
from holdpoint.models.errors import AccessDenied, Conflict, UpstreamUnavailable
from holdpoint.models.record import Intent, ObjectRef

NAMESPACE, NAME = "holdpoint", "holdpoint-fence"
PROBE = "holdpoint-fence-probe"
ASK_EVERY = 0.02
"""Seconds between two dry runs. A change was seen to be in force after 3 ms."""

PATIENCE = 3.0
"""Seconds for a denial to be in force; after them the create counts as in doubt."""

KEPT = timedelta(hours=1)
"""How long after its deadline an intent stays in the ConfigMap: long past what any server keeps waiting."""


class Undoing(Protocol):
    """What fencing needs of the clusters."""

    def forward(self, name: str) -> Cluster:
        """Return the cluster under the identity that makes changes."""

    def undo(self, name: str) -> Cluster:
        """Return the cluster under the identity that undoes and fences."""

    def denies_creates(self, name: str) -> bool:
        """Tell whether the policy is installed there."""


def parameter_of(cluster: str) -> ObjectRef:
    """Return the ConfigMap that the policy reads."""
    return ObjectRef(cluster=cluster, api_version="v1", kind="ConfigMap", namespace=NAMESPACE, name=NAME)


async def denials(cluster: Cluster, intent: Intent) -> dict[str, str | None]:
    """Return what to write into the ConfigMap: this attempt, and None for those that are long over.

    Raises UpstreamUnavailable where the policy is not installed.
    """
    live = await cluster.read(parameter_of(cluster.name))
    if live is None:
        raise UpstreamUnavailable(
            f"Cluster {cluster.name} has no ConfigMap {NAMESPACE}/{NAME}, but its settings say "
            "admission_policy: true. Apply deploy/kubernetes/admission/fence.yaml."
        )
    old = [key for key, until in (live.get("data") or {}).items() if _over(until)]
    deadline = intent.deadline.astimezone(UTC).isoformat(timespec="seconds")
    return {**dict.fromkeys(old, None), intent.audit_id: deadline}


async def in_force(cluster: Cluster, intent: Intent) -> bool:
    """Tell whether the API server denies this attempt's create, once it does or after `PATIENCE` seconds.

    `cluster` is that of the forward identity, whose create it would be.
    """
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        try:
            await cluster.dry_run(_probe(intent))
        except Conflict as conflict:
            if conflict.detail.get("reason") == "fenced":
                return True
            raise
        except AccessDenied:
            return False  # it may create no ConfigMap there, so it cannot be asked
        await asyncio.sleep(ASK_EVERY)
    return False


def _probe(intent: Intent) -> dict[str, Any]:
    """Return the smallest object that the policy looks at, in the namespace of the create."""
    meta = {
        "name": PROBE,
        "namespace": intent.request.object.namespace,
        "annotations": {INTENT_ANNOTATION: intent.audit_id},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


def _over(until: str) -> bool:
    try:
        return datetime.fromisoformat(until) + KEPT < datetime.now(UTC)
    except (TypeError, ValueError):
        return False  # somebody else's key stays
