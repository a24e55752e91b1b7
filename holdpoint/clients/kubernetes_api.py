"""The real cluster, over the official client's transport (`kubernetes.aio`).

Objects are sent and read as plain mappings: typed models would drop fields that a newer API server knows.
Nothing is retried here, because a request that is sent again after its budget could land under a freeze.
"""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.rest import RESTClientObject

from holdpoint.clients.cluster import FENCE_ANNOTATION, FENCE_MANAGER, FIELD_MANAGER, Receipt, ref_of
from holdpoint.clients.kinds import collection_path, object_path
from holdpoint.clients.kubernetes_errors import error_of
from holdpoint.models.errors import SettingsError, UpstreamUnavailable
from holdpoint.models.record import Intent, ObjectRef

READ_BUDGET = 10.0
"""Seconds for a read or a dry run: an API server that is slower is treated as down, and asked again later."""

APPLY_PATCH, MERGE_PATCH = "application/apply-patch+yaml", "application/merge-patch+json"


class _FreshConnections(RESTClientObject):
    """One connection per request.

    On a reused one aiohttp sends a PUT or DELETE again when the server hangs up.
    """

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(ssl=self.ssl_context, force_close=True)


class TokenFile:
    """A bearer token that is read again when its file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._token = ""

    def value(self) -> str:
        """Return the token. Raises UpstreamUnavailable while the file cannot be read."""
        try:
            stat = self._path.stat()
            if self._seen != (stat.st_mtime_ns, stat.st_ino):
                self._token = self._path.read_text().strip()
                self._seen = (stat.st_mtime_ns, stat.st_ino)
        except OSError as error:
            raise UpstreamUnavailable(
                f"The cluster's token file {self._path.name} cannot be read."
            ) from error
        return self._token


class ApiServer:
    """One API server under one identity; implements `Cluster`."""

    def __init__(self, name: str, *, server: str, token: TokenFile, ca_file: Path | None = None) -> None:
        self.name = name
        self._token = token
        if ca_file is not None and not ca_file.is_file():
            raise SettingsError(f"The CA file of cluster {name} does not exist: {ca_file}.")
        # The environment's proxies are not ours to trust with a write identity.
        config = Configuration(host=server.rstrip("/"), client_session_kwargs={"trust_env": False})
        config.ssl_ca_cert = str(ca_file) if ca_file else None
        config.retries = None
        self._reads = ApiClient(config)
        self._writes = ApiClient(config)
        self._writes.rest_client = _FreshConnections(config)

    async def close(self) -> None:
        """Close the connections."""
        await self._reads.close()  # type: ignore[no-untyped-call]  # the client has no types
        await self._writes.close()  # type: ignore[no-untyped-call]  # as above

    async def read(self, ref: ObjectRef) -> dict[str, Any] | None:
        """Return the object as it is now, or None."""
        status, body = await self._send(self._reads, "GET", object_path(ref), missing_is_none=True)
        return body if status != 404 else None

    async def list(
        self, api_version: str, kind: str, namespace: str, label_selector: str = ""
    ) -> list[dict[str, Any]]:
        """Return the objects of one kind in a namespace."""
        query = {"labelSelector": label_selector} if label_selector else {}
        _, body = await self._send(
            self._reads, "GET", collection_path(api_version, kind, namespace), query=query
        )
        return [{"apiVersion": api_version, "kind": kind, **item} for item in body.get("items") or []]

    async def dry_run(
        self, manifest: dict[str, Any], *, force: bool = False, manager: str = FIELD_MANAGER
    ) -> dict[str, Any]:
        """Return the object as a server-side apply would leave it; nothing is written."""
        query = {"fieldManager": manager, "force": str(force).lower(), "dryRun": "All"}
        path = object_path(ref_of(self.name, manifest))
        _, body = await self._send(
            self._reads, "PATCH", path, query=query, body=manifest, content=APPLY_PATCH
        )
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
        meta = {key: value for key, value in manifest["metadata"].items() if key != "resourceVersion"}
        if intent.request.resource_version is not None:
            meta["resourceVersion"] = intent.request.resource_version
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
        headers = {"Audit-ID": intent.audit_id}
        _, answer = await self._send(
            self._writes,
            method,
            object_path(ref),
            query=query,
            body=body,
            content=content,
            headers=headers,
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

    async def _send(
        self,
        client: ApiClient,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        content: str = "application/json",
        headers: dict[str, str] | None = None,
        budget: float = READ_BUDGET,
        missing_is_none: bool = False,
    ) -> tuple[int, dict[str, Any]]:
        """Send one request and return status and body.

        What is not an answer or not a yes is raised as ours.
        """
        url = client.configuration.host + path + ("?" + urlencode(query) if query else "")
        sent = {
            "Authorization": f"Bearer {self._token.value()}",
            "Accept": "application/json",
            "Content-Type": content,
        }
        started = time.monotonic()
        try:
            response = await client.call_api(
                method,
                url,
                {**sent, **(headers or {})},
                body,
                _request_timeout=aiohttp.ClientTimeout(total=budget),
            )
            data = await response.read()  # type: ignore[no-untyped-call]  # as above
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            spent = time.monotonic() - started
            raise UpstreamUnavailable(
                f"Cluster {self.name} gave no answer to {method} {path} in {spent:.1f} s: {error!r}."
            ) from error
        if response.status == 404 and missing_is_none:
            return 404, {}
        answer = _parsed(data)
        if response.status >= 300 or answer is None:
            raise error_of(self.name, method, path, response.status, answer or {}, response.headers)
        return response.status, answer


def _parsed(data: bytes) -> dict[str, Any] | None:
    """Return the body as a mapping, or None when it is not JSON (a proxy's page, or cut short)."""
    try:
        body = json.loads(data)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
