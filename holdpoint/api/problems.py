"""Every error leaves here, in one shape: a problem of RFC 9457. No other file shapes one.

What is in a problem may come from a stranger's request, so it is scrubbed: no control characters, no half of
a surrogate pair that could not be written as UTF-8, and no field longer than a screen.
"""

import http
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from holdpoint.models.errors import (
    HoldpointError,
    InvalidRequest,
    TransientError,
    Unauthenticated,
)

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
LONGEST = 2000
"""Characters of one text; what is longer says nothing more to anybody."""
MOST_ERRORS = 100
RETRY_AFTER = 2
"""Seconds to wait where the error names none."""

CODES = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
}
"""The constant of an error that the framework found, by its status."""


class FieldError(BaseModel):
    """One mistake: where it is, what was found there, and what is allowed."""

    field: str
    line: int | None = None
    column: int | None = None
    found: str
    allowed: str
    message: str


class Problem(BaseModel):
    """An error as RFC 9457 wants it.

    `code` is the constant for programs, `detail` the sentence for people.
    """

    type: str = Field(description="a URN that ends in the code")
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] | None = None


STATUSES = (401, 403, 404, 405, 409, 413, 415, 422, 500, 503)
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": http.HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in STATUSES
}
"""What every route may answer, for the OpenAPI document."""


def install(app: FastAPI) -> None:
    """Let every error of the app leave as a problem."""
    app.add_exception_handler(HoldpointError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _unexpected)


def problem_of(error: HoldpointError) -> JSONResponse:
    """Return the problem of one of our errors."""
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TransientError):
        headers["Retry-After"] = str(max(1, round(error.retry_after or RETRY_AFTER)))
    if error.status >= 500 and not isinstance(error, TransientError):
        log.error("request.failed", code=error.code, message=error.message)
    return problem(
        error.status, error.code, error.message, errors=error.detail.get("mistakes"), headers=headers
    )


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem response."""
    body = Problem(
        type=f"urn:holdpoint:problem:{code}",
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=clean(detail),
        code=code,
        errors=None if errors is None else [_field(error) for error in errors[:MOST_ERRORS]],
    )
    return JSONResponse(
        body.model_dump(exclude_none=True), status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


def clean(text: str) -> str:
    """Return text that can be written as UTF-8 and shown on one screen."""
    printable = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text[: LONGEST + 1])
    return printable if len(printable) <= LONGEST else printable[: LONGEST - 1] + "…"


def _field(error: dict[str, Any]) -> FieldError:
    texts = {name: clean(str(error.get(name) or "")) for name in ("field", "found", "allowed", "message")}
    return FieldError(**texts, line=error.get("line"), column=error.get("column"))


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HoldpointError)  # noqa: S101 - registered for this type only
    return problem_of(error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Name every field of a request that is not as the OpenAPI document says."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
    mistakes = [_mistake(item) for item in error.errors()]
    first = mistakes[0]["message"] if mistakes else "The request is not valid."
    return problem(422, InvalidRequest.code, f"The request is not valid: {first}", errors=mistakes)


def _mistake(item: Mapping[str, Any]) -> dict[str, Any]:
    where = [clean(str(part))[:100] for part in item["loc"]]
    field = ".".join(where[1:]) or where[0]
    found = "nothing" if item["type"] == "missing" else clean(repr(item.get("input")))[:200]
    allowed = item["msg"].removeprefix("Value error, ")
    return {"field": field, "found": found, "allowed": allowed, "message": f"{field}: {allowed}."}


async def _framework(request: Request, error: Exception) -> JSONResponse:
    """Shape what the framework found by itself: an unknown route, a wrong method, a body that is no JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    status = 422 if error.status_code == 400 else error.status_code
    details = {
        404: f"There is nothing at {request.url.path}.",
        405: f"{request.method} is not allowed at {request.url.path}.",
        422: "The request's body cannot be read as JSON.",
    }
    detail = details.get(status, str(error.detail))
    headers = dict(error.headers or {})
    if status == 405:
        headers["Allow"] = _allowed(request)
    return problem(status, CODES.get(status, "error"), detail, headers=headers)


def _allowed(request: Request) -> str:
    """Return every method of the path: the framework names those of the first route that matches only."""
    schema: dict[str, Any] = request.app.openapi()["paths"]
    at = request.url.path.split("/")
    paths = [path for path in schema if _matches(path.split("/"), at)]
    methods = {method.upper() for path in paths for method in schema[path]}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _matches(path: list[str], at: list[str]) -> bool:
    parts = zip(path, at, strict=False)
    return len(path) == len(at) and all(part.startswith("{") or part == given for part, given in parts)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """Tell nothing of what broke inside; the log has it."""
    log.error("request.broke", method=request.method, path=request.url.path, exc_info=error)
    return problem(500, "internal_error", "Something broke inside Holdpoint. Its log has the details.")
