"""The API server's refusals as our errors: a table from status and reason to meaning."""

import re
from collections.abc import Mapping
from typing import Any

from holdpoint.models.errors import (
    AccessDenied,
    Conflict,
    HoldpointError,
    NotFound,
    StepConfig,
    UpstreamRateLimited,
    UpstreamUnavailable,
)

NO_RIGHT = "no_right"
"""The `reason` in the detail of a denial that says what the user lacks."""

STARTING_PAUSE = 1.0
"""Seconds until an API server that starts is asked again."""

_MANAGER = re.compile(r'conflict with "([^"]*)"')

_UNTYPED = "failed to create typed patch object"
"""How the server refuses an apply whose fields have the wrong types: with a 500, and it stays refused."""

_DENIED = re.compile(r'admission webhook "[^"]*" denied the request')
"""How the server begins its answer when a webhook refuses; the status is whatever the webhook chose."""

_NO_RIGHT = re.compile(r'is forbidden: User "')
"""How the server begins what it says of a user who lacks a right."""

_NOT_YET = "not yet ready to handle request"
"""What admission says, with a 403, while the server starts."""

_FENCE_POLICY = "ValidatingAdmissionPolicy 'holdpoint-fence'"
"""Who denies a create that was fenced; as a 409 does for an update, it means: look at the world again."""


def error_of(
    cluster: str, method: str, path: str, status: int, body: dict[str, Any], headers: Mapping[str, str]
) -> HoldpointError:
    """Return our error for an answer that is not a yes.

    `body` is the server's `Status` object, if it sent one.
    """
    said = str(body.get("message") or "no message")[:1000]
    text = f"Cluster {cluster} answered {status} to {method} {path}: {said}"
    detail = {"status": status}
    if 400 <= status < 500 and status != 429 and _DENIED.match(said):
        # Before the others: a webhook's 404 or 409 says nothing of the object or of its version.
        return AccessDenied(text, **detail)
    if status == 404:
        return NotFound(text, **detail)
    if status == 401:
        # Surely not carried out, and no fault of the change: an expired token is read again when it rotates.
        return UpstreamRateLimited(
            f"{text}. Its token or certificate is not accepted.", retry_after=1.0, **detail
        )
    if status == 403:
        return _denial(text, said)
    if status == 409:
        return _conflict(cluster, path, text, body)
    if status == 429:
        return UpstreamRateLimited(text, retry_after=_seconds(headers), **detail)
    if 400 <= status < 500 and status != 408:
        return StepConfig(text, **detail)
    if status == 500 and said.startswith(_UNTYPED):
        return StepConfig(text, **detail)
    # 2xx without a body that can be read is no answer either: what came of the request is unknown.
    return UpstreamUnavailable(text, retry_after=_seconds(headers), **detail)


def _denial(text: str, said: str) -> HoldpointError:
    """Tell a fence, an admission that is not ready yet, a lacking right and any other refusal apart."""
    if _FENCE_POLICY in said:
        return Conflict(text, status=403, reason="fenced")
    if _NOT_YET in said:
        return UpstreamRateLimited(text, retry_after=STARTING_PAUSE, status=403)
    lacking = {"reason": NO_RIGHT} if _NO_RIGHT.search(said) else {}
    return AccessDenied(text, status=403, **lacking)


def _conflict(cluster: str, path: str, text: str, body: dict[str, Any]) -> Conflict:
    """Tell the three conflicts apart.

    A field that another manager owns, an object that exists, a moved version.
    """
    causes = (body.get("details") or {}).get("causes") or []
    owned = [cause for cause in causes if cause.get("reason") == "FieldManagerConflict"]
    if owned:
        managers = sorted({m for cause in owned for m in _MANAGER.findall(str(cause.get("message", "")))})
        fields = sorted({str(cause.get("field", "")) for cause in owned})
        said = (
            f"{'/'.join(path.split('/')[-2:])} in cluster {cluster} has fields of another field manager: "
            f"{', '.join(managers) or 'unknown'} owns {', '.join(fields)[:500]}. "
            "Leave them out of the manifest, or have that manager let go of them."
        )
        return Conflict(said, status=409, reason="field_manager", managers=managers, fields=fields)
    reason = "exists" if body.get("reason") == "AlreadyExists" else "precondition"
    return Conflict(text, status=409, reason=reason)


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After, at most a minute; a date is not understood."""
    try:
        return min(60.0, max(0.0, float(headers.get("Retry-After", ""))))
    except ValueError:
        return None
