"""The cluster: one interface for every outside write; `kubernetes.py` has the clusters by name.

Two identities per cluster: `forward` writes what a change wants, `undo` writes rollbacks and fences. A
freeze can take the first one's permission away and leave the second. The real client is in
`kubernetes_api.py`.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from holdpoint.models.base import Model
from holdpoint.models.record import Intent, ObjectRef

FIELD_MANAGER = "holdpoint"
"""The server-side apply field manager of every write of ours, in both directions."""

FENCE_MANAGER = f"{FIELD_MANAGER}-fence"
"""The manager of a fence's annotation: a mark that says nothing about who made the object."""

CANARY_SUFFIX = "-canary"
INTENT_ANNOTATION = "holdpoint.dev/intent"
"""Carries `<intent>.<attempt>` of the last forward write, so that an observer sees which attempt landed."""

TICKET_ANNOTATION = "holdpoint.dev/ticket"
"""The ticket that last applied the object."""

ARTIFACT_ANNOTATION = "holdpoint.dev/artifact"
"""What it applied: the object's images, separated by commas, or `git:<commit>` where it has none."""

FENCE_ANNOTATION = "holdpoint.dev/fence"

NO_VERSION = "1"
"""The resourceVersion of a create: no object ever has it, since a store writes its first object later. So a
create that is late is refused where somebody else has made the object meanwhile."""


class Receipt(Model):
    """The API server's answer to a write: what can be recorded of it."""

    object: ObjectRef
    audit_id: str
    resource_version: str | None = None
    uid: str | None = None
    generation: int | None = None


class Cluster(Protocol):
    """One cluster under one identity.

    Every call raises UpstreamUnavailable or UpstreamRateLimited when there is no answer (a write is then in
    doubt), AccessDenied, Conflict (`detail["reason"]` is `precondition`, `field_manager` or `exists`), and
    StepConfig when the API server finds the object invalid. `budget` is in seconds: it bounds the request
    on both sides.
    """

    name: str

    async def check_kind(self, api_version: str, kind: str) -> None:
        """Hold that the cluster has this kind, and in its namespaces. Raises StepConfig where not."""

    async def read(self, ref: ObjectRef) -> dict[str, Any] | None:
        """Return the object as it is now, or None."""

    async def list(
        self, api_version: str, kind: str, namespace: str, label_selector: str = ""
    ) -> list[dict[str, Any]]:
        """Return the objects of one kind in a namespace."""

    async def dry_run(
        self, manifest: dict[str, Any], *, force: bool = False, manager: str = FIELD_MANAGER
    ) -> dict[str, Any]:
        """Return the object as a server-side apply would leave it; nothing is written."""

    async def apply(
        self,
        manifest: dict[str, Any],
        *,
        intent: Intent,
        budget: float,
        force: bool = False,
        manager: str = FIELD_MANAGER,
    ) -> Receipt:
        """Apply on the server's side, only at the resourceVersion that the intent observed."""

    async def patch(
        self, ref: ObjectRef, body: dict[str, Any], *, intent: Intent, budget: float, manager: str
    ) -> Receipt:
        """Merge a patch (RFC 7396) into the object, only at the resourceVersion that the intent observed.

        An absent object raises NotFound.
        """

    async def delete(
        self, ref: ObjectRef, *, intent: Intent, resource_version: str | None, budget: float
    ) -> Receipt:
        """Delete the object, only at this resourceVersion. An absent object raises NotFound."""

    async def fence(self, ref: ObjectRef, *, intent: Intent, budget: float = 15.0) -> Receipt:
        """Move the object's resourceVersion by a metadata write, so that a late request gets 409.

        An absent object raises NotFound: a create cannot be fenced this way.
        """

    async def set_data(
        self, ref: ObjectRef, entries: Mapping[str, str | None], *, intent: Intent, budget: float
    ) -> Receipt:
        """Set keys of a ConfigMap, and remove those of None; the others stay as they are."""


def ref_of(cluster: str, manifest: dict[str, Any]) -> ObjectRef:
    """Return the reference of an object that names its namespace."""
    meta = manifest["metadata"]
    return ObjectRef(
        cluster=cluster,
        api_version=manifest["apiVersion"],
        kind=manifest["kind"],
        namespace=meta["namespace"],
        name=meta["name"],
    )
