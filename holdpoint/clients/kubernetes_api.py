"""The real cluster, over the requests of `kubernetes_wire.py`.

Objects are sent and read as plain mappings: typed models would drop fields that a newer API server knows.
Nothing is retried here, because a request that is sent again after its budget could land under a freeze.
"""

from collections.abc import Mapping
from typing import Any

from holdpoint.clients.access import Access
from holdpoint.clients.cluster import (
    FENCE_ANNOTATION,
    FENCE_MANAGER,
    FIELD_MANAGER,
    NO_VERSION,
    Receipt,
    ref_of,
)
from holdpoint.clients.discovery import Resources
from holdpoint.clients.kubernetes_wire import Wire
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.record import Intent, ObjectRef

APPLY_PATCH, MERGE_PATCH = "application/apply-patch+yaml", "application/merge-patch+json"


class ApiServer:
    """One API server under one identity; implements `Cluster`."""

    def __init__(self, name: str, access: Access) -> None:
        self.name = name
        self._wire = Wire(name, access)
        self._resources = Resources(name, self._document)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def check_kind(self, api_version: str, kind: str) -> None:
        """Hold that the server has this kind in its namespaces. Raises StepConfig."""
        await self._resources.collection(api_version, kind, "default")

    async def read(self, ref: ObjectRef) -> dict[str, Any] | None:
        """Return the object as it is now, or None."""
        status, body = await self._wire.read("GET", await self._resources.object(ref), missing_is_none=True)
        return body if status != 404 else None

    async def list(
        self, api_version: str, kind: str, namespace: str, label_selector: str = ""
    ) -> list[dict[str, Any]]:
        """Return the objects of one kind in a namespace."""
        query = {"labelSelector": label_selector} if label_selector else {}
        path = await self._resources.collection(api_version, kind, namespace)
        _, body = await self._wire.read("GET", path, query=query)
        return [{"apiVersion": api_version, "kind": kind, **item} for item in body.get("items") or []]

    async def dry_run(
        self, manifest: dict[str, Any], *, force: bool = False, manager: str = FIELD_MANAGER
    ) -> dict[str, Any]:
        """Return the object as a server-side apply would leave it; nothing is written."""
        query = {"fieldManager": manager, "force": str(force).lower(), "dryRun": "All"}
        path = await self._resources.object(ref_of(self.name, manifest))
        _, body = await self._wire.read("PATCH", path, query=query, body=manifest, content=APPLY_PATCH)
        return body

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
        meta = {**manifest["metadata"], "resourceVersion": intent.request.resource_version or NO_VERSION}
        query = {"fieldManager": manager, "force": str(force).lower()}
        ref = ref_of(self.name, manifest)
        return await self._write(
            "PATCH",
            ref,
            intent,
            budget,
            query=query,
            body={**manifest, "metadata": meta},
            content=APPLY_PATCH,
        )

    async def patch(
        self, ref: ObjectRef, body: dict[str, Any], *, intent: Intent, budget: float, manager: str
    ) -> Receipt:
        """Merge a patch into the object, only at the resourceVersion that the intent observed."""
        meta = {**(body.get("metadata") or {}), "resourceVersion": intent.request.resource_version}
        query = {"fieldManager": manager}
        sent = {**body, "metadata": meta}
        return await self._write("PATCH", ref, intent, budget, query=query, body=sent, content=MERGE_PATCH)

    async def delete(
        self, ref: ObjectRef, *, intent: Intent, resource_version: str | None, budget: float
    ) -> Receipt:
        """Delete the object, only at this resourceVersion. An absent object raises NotFound."""
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        if resource_version is not None:
            options["preconditions"] = {"resourceVersion": resource_version}
        return await self._write(
            "DELETE", ref, intent, budget, query={}, body=options, content="application/json"
        )

    async def fence(self, ref: ObjectRef, *, intent: Intent, budget: float = 15.0) -> Receipt:
        """Move the object's resourceVersion by a metadata write, so that a late request gets 409."""
        body = {"metadata": {"annotations": {FENCE_ANNOTATION: intent.audit_id}}}
        query = {"fieldManager": FENCE_MANAGER}
        return await self._write("PATCH", ref, intent, budget, query=query, body=body, content=MERGE_PATCH)

    async def set_data(
        self, ref: ObjectRef, entries: Mapping[str, str | None], *, intent: Intent, budget: float
    ) -> Receipt:
        """Set keys of a ConfigMap, and remove those of None; the others stay as they are."""
        body = {"data": dict(entries)}
        query = {"fieldManager": FENCE_MANAGER}
        return await self._write("PATCH", ref, intent, budget, query=query, body=body, content=MERGE_PATCH)

    async def _write(
        self,
        method: str,
        ref: ObjectRef,
        intent: Intent,
        budget: float,
        *,
        query: dict[str, str],
        body: dict[str, Any],
        content: str,
    ) -> Receipt:
        """Send one write that cannot outlive its budget, neither here nor on the server."""
        if budget < 1:
            raise UpstreamUnavailable(f"No time left to write {ref}: {budget:.1f} s of the budget remain.")
        # Whole seconds, rounded down: the server must give up before the intent's deadline.
        query = {**query, "timeout": f"{int(budget)}s"}
        answer = await self._wire.write(
            method,
            await self._resources.object(ref),
            query=query,
            body=body,
            content=content,
            headers={"Audit-ID": intent.audit_id},
            budget=budget,
        )
        meta = answer.get("metadata") or {}
        return Receipt(
            object=ref,
            audit_id=intent.audit_id,
            resource_version=meta.get("resourceVersion"),
            uid=meta.get("uid"),
            generation=meta.get("generation"),
        )

    async def _document(self, path: str) -> dict[str, Any] | None:
        """Return a discovery document, or None."""
        status, body = await self._wire.read("GET", path, missing_is_none=True)
        return body if status != 404 else None
