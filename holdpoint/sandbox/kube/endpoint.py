"""The Kubernetes API over HTTP: who asks, for what, the faults between, and the audit log."""

import asyncio
import logging
import re
import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdpoint.sandbox import audit
from holdpoint.sandbox.cluster import Cluster
from holdpoint.sandbox.connections import Dropped
from holdpoint.sandbox.identity import user_of
from holdpoint.sandbox.kube import discovery, verbs
from holdpoint.sandbox.kube.call import Call, parse_body, route, verb_of
from holdpoint.sandbox.kube.status import Refusal, bad_request, timed_out, unauthorized

log = logging.getLogger("holdpoint.sandbox.kubernetes")

_AUDIT_ID = re.compile(r"^[\x21-\x7e]{1,64}$")
"""What an API server keeps of a client's Audit-ID; a longer one is cut by none, it is replaced."""

DEFAULT_TIMEOUT = 60.0
"""Seconds; an API server's `--request-timeout`."""


class KubernetesEndpoint:
    """Answers every path of the Kubernetes API."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def answer(self, request: Request) -> Response:
        """Answer one request; raises Dropped when the fault says that no answer comes."""
        received = time.time()
        audit_id = request.headers.get("audit-id", "")
        audit_id = audit_id if _AUDIT_ID.match(audit_id) else str(uuid.uuid4())
        user = user_of(self._cluster.tokens, request.headers.get("authorization", ""))
        call: Call | None = None
        try:
            if user is None:
                raise unauthorized()
            self._meet_fault(user)
            found = discovery.document(request.url.path)
            if found is not None and request.method == "GET":
                return JSONResponse(found, headers={"Audit-Id": audit_id})
            call = await _call(request)
            await self._hold(call, user)
            code, body = verbs.perform(self._cluster.store, call)
        except Dropped:
            raise
        except Refusal as refusal:
            code, body = refusal.code, refusal.document
        except Exception as error:
            log.exception("request.failed")
            code, body = (
                500,
                Refusal(500, "InternalError", f"Internal error occurred: {error!r}", {}).document,
            )
        self._record(request, call, audit_id=audit_id, user=user, code=code, body=body, received=received)
        if call is not None and call.mutates:
            self._cluster.controllers.wake()
        answer = JSONResponse(body, code, headers={"Audit-Id": audit_id})
        for warning in call.warnings if call is not None else []:
            answer.headers.append("Warning", '299 - "' + warning.replace('"', '\\"') + '"')
        return answer

    def _meet_fault(self, user: str) -> None:
        fault = self._cluster.faults.now("kubernetes", user)
        if fault and fault.mode == "down":
            raise Dropped
        if fault and fault.mode == "error":
            message = "the sandbox was asked to answer with errors"
            raise Refusal(500, "InternalError", f"Internal error occurred: {message}", {})

    async def _hold(self, call: Call, user: str) -> None:
        """Hold a write as a slow server does: nothing is read or checked before the wait is over."""
        fault = self._cluster.faults.now("kubernetes", user)
        if not fault or fault.mode != "slow" or not call.mutates or call.dry_run:
            return
        limit = _timeout(call)
        await asyncio.sleep(min(fault.delay, limit))
        if fault.delay >= limit:
            raise timed_out()

    def _record(
        self,
        request: Request,
        call: Call | None,
        *,
        audit_id: str,
        user: str | None,
        code: int,
        body: Any,
        received: float,
    ) -> None:
        query = f"?{request.url.query}" if request.url.query else ""
        reference = call.object_ref() if call else {}
        if call and call.verb == "create" and code == 201:
            reference["name"] = body["metadata"]["name"]
        self._cluster.audit.write(
            audit.event(
                audit_id=audit_id,
                verb=call.verb if call else request.method.lower(),
                user=user or "system:anonymous",
                uri=request.url.path + query,
                code=code,
                received=received,
                finished=time.time(),
                object_ref=reference,
                user_agent=request.headers.get("user-agent", ""),
                source=request.client.host if request.client else "",
                failure=body if code >= 400 else None,
            )
        )


async def _call(request: Request) -> Call:
    query = dict(request.query_params)
    kind, namespace, name, subresource = route(request.url.path)
    verb = verb_of(request.method, name, query)
    content_type = request.headers.get("content-type", "")
    raw = await request.body()
    body = parse_body(raw, content_type, verb)
    return Call(
        verb=verb,
        kind=kind,
        namespace=namespace,
        name=name,
        subresource=subresource,
        query=query,
        content_type=content_type.partition(";")[0].strip().lower(),
        body=body,
        user_agent=request.headers.get("user-agent", ""),
    )


def _timeout(call: Call) -> float:
    """Return the seconds that the request may take: its `timeout`, at most the server's own."""
    text = call.query.get("timeout", "")
    if not text:
        return DEFAULT_TIMEOUT
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise bad_request(f'invalid timeout specified in the request URL - time: invalid duration "{text}"')
    scale = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return min(DEFAULT_TIMEOUT, sum(float(number) * scale[unit] for number, unit in parts))
