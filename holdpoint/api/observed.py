"""What is told of every request: its ID, one log line, metrics, and a span that joins the caller's trace.

It stands before everything else, so that refusals of other middleware are told as well.
"""

import re
import secrets
import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from holdpoint.telemetry.bounds import known
from holdpoint.telemetry.metrics import Metrics

log = structlog.get_logger()

REQUEST_ID = b"x-request-id"
_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
UNTOLD = ("/v1/health", "/v1/ready", "/metrics")
"""Asked every few seconds by supervisors: a line and a span for each would bury the rest."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_tracer = trace.get_tracer("holdpoint.api")


class Observed:
    """Tells of each request that passes."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in UNTOLD:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get(REQUEST_ID.decode(), "")
        request = given if _GOOD_ID.fullmatch(given) else secrets.token_hex(8)
        began, status = time.perf_counter(), 500

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (REQUEST_ID, request.encode())]
            await send(message)

        method = known(scope["method"], METHODS)
        with (
            bound_contextvars(request=request),
            _tracer.start_as_current_span(
                method, context=propagate.extract(headers), kind=SpanKind.SERVER
            ) as span,
        ):
            try:
                await self._app(scope, receive, tell)
            finally:
                route = _route(scope)
                span.update_name(f"{method} {route}")
                span.set_attributes(
                    {
                        "http.request.method": method,
                        "http.route": route,
                        "http.response.status_code": status,
                        "holdpoint.request": request,
                        **{f"holdpoint.{n}": v for n, v in _ticket(scope).items()},
                    }
                )
                if status >= 500:
                    span.set_status(StatusCode.ERROR)
                self._told(scope, method, route, status, time.perf_counter() - began)

    def _told(self, scope: Scope, method: str, route: str, status: int, seconds: float) -> None:
        self._metrics.requests.labels(method=method, route=route, status=str(status)).inc()
        self._metrics.request_seconds.labels(route=route).observe(seconds)
        log.info(
            "request.answered",
            method=method,
            route=route,
            status=status,
            seconds=round(seconds, 3),
            **_ticket(scope),
        )


def _route(scope: Scope) -> str:
    """Return the route's template: bounded, whatever paths strangers ask for."""
    return str(getattr(scope.get("route"), "path", "unknown"))


def _ticket(scope: MutableMapping[str, Any]) -> dict[str, str]:
    """Return the ticket that the path names, cut to what a ticket's ID can be."""
    named = (scope.get("path_params") or {}).get("ticket")
    return {"ticket": str(named)[:64]} if named else {}
