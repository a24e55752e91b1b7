"""An error as a problem document (RFC 9457), in the shape in which the API gives its own."""

from http import HTTPStatus
from typing import Any

from holdpoint.models.errors import HoldpointError


def problem_of(error: HoldpointError) -> dict[str, Any]:
    """Return the problem of one of our errors, and of the API's as it was said, with what we know besides."""
    given = getattr(error, "problem", None)
    if isinstance(given, dict):
        return {**given, **error.detail}
    return make_problem(error.status, error.code, error.message, error.detail)


def make_problem(status: int, code: str, message: str, detail: dict[str, Any]) -> dict[str, Any]:
    """Return a problem; `detail["mistakes"]` becomes `errors`, the rest members of their own."""
    more = {name: value for name, value in detail.items() if name != "mistakes"}
    problem: dict[str, Any] = {
        "type": f"urn:holdpoint:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "code": code,
        **more,
    }
    if "mistakes" in detail:
        problem["errors"] = detail["mistakes"]
    return problem
