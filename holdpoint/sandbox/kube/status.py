"""Refusals, as Kubernetes words them: a Status object with a reason, a message and the causes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from holdpoint.sandbox.kube.kinds import Kind


class Refusal(Exception):
    """A request was refused; `document` is the Status that answers it."""

    def __init__(
        self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.document: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            **({"reason": reason} if reason else {}),
            **({"details": dict(details)} if details else {}),
            "code": code,
        }


@dataclass(frozen=True)
class Cause:
    """One field of a request that cannot be taken."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def document(self) -> dict[str, str]:
        """Return it as a StatusCause."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


def required(field: str, detail: str = "") -> Cause:
    """Return the cause for a field that must be there."""
    return Cause(field, f"Required value{': ' + detail if detail else ''}", "FieldValueRequired")


def invalid_value(field: str, shown: str, detail: str) -> Cause:
    """Return the cause for a value that is not allowed; `shown` is the value as Kubernetes prints it."""
    return Cause(field, f"Invalid value: {shown}: {detail}")


def unsupported(field: str, shown: str, allowed: Iterable[str]) -> Cause:
    """Return the cause for a value that is none of those known."""
    known = ", ".join(f'"{value}"' for value in allowed)
    return Cause(field, f'Unsupported value: "{shown}": supported values: {known}', "FieldValueNotSupported")


def not_found(kind: Kind, name: str) -> Refusal:
    """Return 404 for an object."""
    return Refusal(404, "NotFound", f'{kind.resource} "{name}" not found', _details(kind, name))


def no_such_path() -> Refusal:
    """Return 404 for a resource that is not served."""
    return Refusal(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str) -> Refusal:
    """Return 409 for a create of what is there."""
    return Refusal(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', _details(kind, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(kind: Kind, name: str, why: str = MODIFIED) -> Refusal:
    """Return 409 for a precondition that does not hold."""
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return Refusal(409, "Conflict", message, _details(kind, name))


def invalid(kind: Kind, name: str, causes: Iterable[Cause]) -> Refusal:
    """Return 422 that names every field which cannot be taken."""
    listed = list(causes)
    texts = [f"{cause.field}: {cause.message}" for cause in listed]
    shown = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = {"name": name, **_group(kind), "kind": kind.kind, "causes": [c.document() for c in listed]}
    label = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    return Refusal(422, "Invalid", f'{label} "{name}" is invalid: {shown}', details)


def bad_request(message: str) -> Refusal:
    """Return 400."""
    return Refusal(400, "BadRequest", message)


def unauthorized() -> Refusal:
    """Return 401."""
    return Refusal(401, "Unauthorized", "Unauthorized")


def timed_out() -> Refusal:
    """Return 504 for a request that was given up before it was committed."""
    message = "Timeout: request did not complete within requested timeout - context deadline exceeded"
    return Refusal(504, "Timeout", message, {})


def too_many_requests() -> Refusal:
    """Return 429 for a write that a server with too many in flight does not take."""
    details = {"retryAfterSeconds": 1}
    return Refusal(429, "TooManyRequests", "Too many requests, please try again later.", details)


def method_not_allowed() -> Refusal:
    """Return 405."""
    return Refusal(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
    )


def unsupported_media_type(supported: Iterable[str]) -> Refusal:
    """Return 415."""
    known = ", ".join(supported)
    message = f"the body of the request was in an unknown format - accepted media types include: {known}"
    return Refusal(415, "UnsupportedMediaType", message, {})


def _details(kind: Kind, name: str) -> dict[str, str]:
    return {"name": name, **_group(kind), "kind": kind.plural}


def _group(kind: Kind) -> dict[str, str]:
    return {"group": kind.group} if kind.group else {}
