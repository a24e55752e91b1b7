"""The Kubernetes API over HTTP: who asks, for what, the faults between, and the audit log."""

import asyncio
import logging
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdpoint.sandbox import audit
from holdpoint.sandbox.cluster import Cluster
from holdpoint.sandbox.connections import Dropped
from holdpoint.sandbox.identity import user_of
from holdpoint.sandbox.kube import discovery, verbs, webhooks
from holdpoint.sandbox.kube.call import Call, parse_body, route, verb_of
from holdpoint.sandbox.kube.status import Refusal, bad_request, timed_out, too_many_requests, unauthorized

log = logging.getLogger("holdpoint.sandbox.kubernetes")

_AUDIT_ID = re.compile(r"^[\x21-\x7e]{1,64}$")
"""What an API server keeps of a client's Audit-ID; a longer one is cut by none, it is replaced."""

MAX_WARNINGS = 50
"""So many headers at most: clients refuse answers with too many."""

DEFAULT_TIMEOUT = 60.0
"""Seconds; an API server's `--request-timeout`."""


@dataclass(frozen=True)
class Exchange:
    """What the audit log says of a request besides its verb and its object."""

    audit_id: str
    user: str | None
    uri: str
    method: str
    agent: str
    source: str
    received: float

    def event(self, call: Call | None, code: int, body: dict[str, Any]) -> dict[str, Any]:
        """Return the audit event of this request with its answer."""
        reference = call.object_ref() if call else {}
        if call and call.verb == "create" and code == 201:
            reference["name"] = body["metadata"]["name"]
        return audit.event(
            audit_id=self.audit_id,
            verb=call.verb if call else self.method.lower(),
            user=self.user or "system:anonymous",
            uri=self.uri,
            code=code,
            received=self.received,
            finished=time.time(),
            object_ref=reference,
            user_agent=self.agent,
            source=self.source,
            failure=body if code >= 400 else None,
        )


class KubernetesEndpoint:
    """Answers every path of the Kubernetes API."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def answer(self, request: Request) -> Response:
        """Answer one request; raises Dropped when the fault says that no answer comes."""
        exchange = self._exchange(request)
        call: Call | None = None
        try:
            user = self._admitted(exchange)
            found = discovery.document(request.url.path) if request.method == "GET" else None
            if found is not None:
                return JSONResponse(found, headers={"Audit-Id": exchange.audit_id})
            call = await _call(request)
            await self._hold(call, user)
            await webhooks.review(self._cluster.store, call, user)
            code, body, event = self._perform(call, exchange)
        except Refusal as refusal:
            code, body = refusal.code, refusal.document
            event = exchange.event(call, code, body)
        self._cluster.audit.write(event)
        return _answered(code, body, exchange.audit_id, call.warnings if call else [])

    def _exchange(self, request: Request) -> Exchange:
        given = request.headers.get("audit-id", "")
        return Exchange(
            audit_id=given if _AUDIT_ID.match(given) else str(uuid.uuid4()),
            user=user_of(self._cluster.tokens, request.headers.get("authorization", "")),
            uri=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            method=request.method,
            agent=request.headers.get("user-agent", ""),
            source=request.client.host if request.client else "",
            received=time.time(),
        )

    def _admitted(self, exchange: Exchange) -> str:
        """Return the user; raises 401 without one, and what a fault in force asks for."""
        if exchange.user is None:
            raise unauthorized()
        fault = self._cluster.faults.now("kubernetes", exchange.user)
        if fault and fault.mode == "down":
            raise Dropped
        if fault and fault.mode == "error":
            message = "the sandbox was asked to answer with errors"
            raise Refusal(500, "InternalError", f"Internal error occurred: {message}", {})
        return exchange.user

    async def _hold(self, call: Call, user: str) -> None:
        """Hold a write as a slow server does: nothing is read or checked before the wait is over.

        A busy one refuses it at once: it has too many writes in flight.
        """
        fault = self._cluster.faults.now("kubernetes", user)
        if not fault or fault.mode not in ("slow", "busy") or not call.mutates or call.dry_run:
            return
        if fault.mode == "busy":
            raise too_many_requests()
        limit = _timeout(call)
        await asyncio.sleep(min(fault.delay, limit))
        if fault.delay >= limit:
            raise timed_out()

    def _perform(self, call: Call, exchange: Exchange) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """Carry the request out; a write commits together with its audit event, never without."""
        store = self._cluster.store
        try:
            if not call.mutates or call.dry_run:
                code, body = verbs.perform(store, call)
                return code, body, exchange.event(call, code, body)
            with store.transaction():
                code, body = verbs.perform(store, call)
                event = exchange.event(call, code, body)
                store.remember_event(event)
        except Refusal:
            raise
        except Exception as error:
            log.exception("request.failed")
            raise Refusal(500, "InternalError", f"Internal error occurred: {error!r}", {}) from error
        self._cluster.controllers.wake()
        return code, body, event


def _answered(code: int, body: dict[str, Any], audit_id: str, warnings: list[str]) -> Response:
    answer = JSONResponse(body, code, headers={"Audit-Id": audit_id})
    if code == 429:
        answer.headers["Retry-After"] = str(body["details"]["retryAfterSeconds"])
    for warning in warnings[:MAX_WARNINGS]:
        text = "".join(letter if " " <= letter <= "~" else "?" for letter in warning)
        answer.headers.append("Warning", '299 - "' + text.replace('"', '\\"') + '"')
    return answer


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
