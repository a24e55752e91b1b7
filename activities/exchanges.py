"""The requests of `http` steps: how they are named, what they send, and what is known of them afterwards.

Nobody can look at the server to see whether a request was carried out. So each has one idempotency key, made
from its ticket, its step and its direction: it may be sent again whenever its answer is not known, and a
server that honours the key does it once.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

from holdpoint.clients.http_wire import Outgoing
from holdpoint.ledger.canonical import canonical, digest_of, exact
from holdpoint.models.base import Digest, Model
from holdpoint.models.change import Change
from holdpoint.models.http_names import masked_url, split_url
from holdpoint.models.http_step import HttpRequest
from holdpoint.models.record import Direction, Intent, ObjectRef
from holdpoint.models.redact import redact

KIND = "http"
NAMES = UUID("5b0c8f0e-7a2d-5c1e-9d53-2f8b6f2f6a11")
"""The namespace of our idempotency keys (UUID version 5): any fixed one does."""

KEY_HEADER, INTENT_HEADER = "Idempotency-Key", "Holdpoint-Intent"
"""What the server tells repetitions by, and what joins its own log to our record: `<intent>.<attempt>`."""


class Exchange(Model):
    """One `http` step: what it sends, and what takes that back. `timeout` is in seconds."""

    index: int
    forward: HttpRequest
    backward: HttpRequest | None = None
    credential: str | None = None
    timeout: float

    def request(self, direction: Direction) -> HttpRequest:
        """Return the request of one direction. Raises LookupError where there is none."""
        found = self.forward if direction == "forward" else self.backward
        if found is None:
            raise LookupError(f"Step {self.index} has no way back.")
        return found

    def ref(self, direction: Direction = "forward") -> ObjectRef:
        """Return what stands for the request where others name an object."""
        return ref_of(self.request(direction), self.index)


def exchanges_of(change: Change) -> list[Exchange]:
    """Return the requests of a change's `http` steps, in order."""
    return [
        Exchange(
            index=index,
            forward=HttpRequest(**{name: getattr(step.http, name) for name in HttpRequest.model_fields}),
            backward=step.http.undo,
            credential=step.http.credential,
            timeout=step.http.timeout,
        )
        for index, step in enumerate(change.spec.plan.steps)
        if step.http is not None
    ]


def ref_of(request: HttpRequest, index: int) -> ObjectRef:
    """Return what stands for a request: its server as the cluster, its method as the kind."""
    return ObjectRef(
        cluster=split_url(request.url).origin,
        api_version=KIND,
        kind=request.method,
        namespace=f"step-{index}",
        name=masked_url(request.url),
    )


def idempotency_key(ticket: str, index: int, direction: Direction) -> str:
    """Return the key of a request: the same at every attempt, by whichever worker and run."""
    return str(uuid5(NAMES, f"{ticket}/{index}/{direction}"))


def outgoing(exchange: Exchange, direction: Direction, *, key: str, intent: str) -> Outgoing:
    """Return the request as it is sent."""
    request = exchange.request(direction)
    headers, body = dict(request.headers), body_of(request)
    if body is not None and "content-type" not in {name.lower() for name in headers}:
        text = isinstance(request.body, str)
        headers["Content-Type"] = "text/plain; charset=utf-8" if text else "application/json"
    return Outgoing(
        method=request.method,
        url=request.url,
        headers={**headers, KEY_HEADER: key, INTENT_HEADER: intent},
        body=body,
        credential=exchange.credential,
    )


def body_of(request: HttpRequest) -> bytes | None:
    """Return the bytes of a body, the same at every attempt: a text as it is, a value in canonical form."""
    if request.body is None:
        return None
    return request.body.encode() if isinstance(request.body, str) else canonical(exact(request.body))


def shown(request: HttpRequest) -> dict[str, Any]:
    """Return a request for the plan: what it asks, without what looks like a secret in it."""
    return {
        "method": request.method,
        "url": masked_url(request.url),
        "expect": request.expect,
        "content": content_digest(request),
    }


def content_digest(request: HttpRequest) -> Digest:
    """Return the digest of headers and body, masked first: it must not tell who guesses a secret."""
    return digest_of(canonical(exact(redact({"headers": request.headers, "body": request.body}))))


def expected(request: HttpRequest) -> str:
    """Return the statuses that mean that it was done, in words."""
    return "2xx" if request.expect is None else " or ".join(map(str, request.expect))


def doubtful(intent: Intent) -> bool:
    """Tell whether an attempt before the next one may have been carried out."""
    return intent.status in ("open", "fenced", "done") or bool((intent.result or {}).get("doubt"))


def answered_well(intent: Intent) -> bool:
    """Tell whether a request was answered with a status that means that it was done."""
    return intent.status == "done" and bool((intent.result or {}).get("expected"))


def may_have_acted(intents: Iterable[Intent]) -> set[ObjectRef]:
    """Return the forward requests that a server may have carried out."""
    return {one.request.object for one in intents if _is(one, "forward") and doubtful(one)}


def taken_back(intents: Iterable[Intent]) -> set[ObjectRef]:
    """Return the undo's requests that were answered as expected."""
    return {one.request.object for one in intents if _is(one, "undo") and answered_well(one)}


def steps_asked(change: Change) -> list[str]:
    """Return what the `http` steps of a change ask, for people."""
    return [str(exchange.ref()) for exchange in exchanges_of(change)]


def _is(intent: Intent, direction: Direction) -> bool:
    return intent.request.verb == "request" and intent.request.direction == direction
