"""Whatever is sent, an error is a problem document, and what a stranger sends is never a 500."""

import asyncio
import json

import httpx
import pytest

from holdpoint.api import problems
from holdpoint.api.limits import LARGEST
from holdpoint.models.errors import (
    AccessDenied,
    Conflict,
    HoldpointError,
    InvalidChange,
    InvalidRequest,
    NotFound,
    PolicyBundle,
    StepConfig,
    Unauthenticated,
    UpstreamRateLimited,
    UpstreamUnavailable,
)
from tests.api.conftest import As
from tests.service.world import World, a_change

JSON = {"Content-Type": "application/json"}
KEY = {"Idempotency-Key": "k"}


def check(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    """Return the problem, after checking its shape."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = answer.json()
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail", "code"}
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"] == f"urn:holdpoint:problem:{code}"
    return problem


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/changes/", 404, "not_found"),
        ("GET", "/v1/changes/../../etc/passwd", 404, "not_found"),
        ("GET", "/v1/changes/chg-aaaaaaaaaa", 404, "not_found"),
        ("GET", "/v1/changes/%00", 404, "not_found"),
        ("GET", "/v1/changes/%ff%fe/entries", 404, "not_found"),
        ("GET", "/v1/changes/" + "x" * 5000, 404, "not_found"),
        ("DELETE", "/v1/changes", 405, "method_not_allowed"),
        ("PUT", "/v1/freezes", 405, "method_not_allowed"),
        ("POST", "/v1/health", 405, "method_not_allowed"),
        ("GET", "/v1/changes?limit=0", 422, "invalid_request"),
        ("GET", "/v1/changes?limit=" + "9" * 5000, 422, "invalid_request"),
        ("GET", "/v1/changes?limit=1e3", 422, "invalid_request"),
        ("GET", "/v1/changes?phase=Dancing", 422, "invalid_request"),
        ("GET", "/v1/changes?service=%00", 422, "invalid_request"),
        ("GET", "/v1/changes?service=%ff", 422, "invalid_request"),
        ("GET", "/v1/changes/chg-aaaaaaaaaa/entries?after=-1", 422, "invalid_request"),
        ("GET", "/v1/changes/chg-aaaaaaaaaa/entries?after=9223372036854775808", 422, "invalid_request"),
        ("GET", "/v1/changes/chg-aaaaaaaaaa/entries?wait=nan", 422, "invalid_request"),
        ("GET", "/v1/changes/chg-aaaaaaaaaa/entries?wait=inf", 422, "invalid_request"),
        ("POST", "/v1/changes", 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_asked_is_a_problem(
    as_: As, method: str, path: str, status: int, code: str
) -> None:
    check(await as_("sre").request(method, path), status, code)


async def test_a_wrong_method_is_told_every_one_that_is_allowed(as_: As) -> None:
    answer = await as_("sre").delete("/v1/changes")

    assert answer.headers["Allow"] == "GET, HEAD, POST"


BAD_BODIES = {
    "nothing": b"",
    "not JSON": b"{",
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "invalid UTF-8": b'{"change": "\xff\xfe"}',
    "UTF-16": '{"change": "x"}'.encode("utf-16"),
    "a NUL": b'{"change": "a\\u0000b"}',
    "half a surrogate pair": b'{"change": "\\ud800"}',
    "half a surrogate pair as a field": b'{"change": "x", "\\ud800": 1}',
    "a huge number": b'{"change": ' + b"9" * 6000 + b"}",
    "not a number": b'{"change": NaN}',
    "deep nesting": b"[" * 100_000,
    "deep nesting of objects": b'{"a":' * 50_000,
    "a wrong type": b'{"change": {"a": 1}}',
    "an unknown field": b'{"change": "x", "chnage": "y"}',
    "a base that is no path": json.dumps({"change": a_change(), "base": "relative"}).encode(),
    "a base with a NUL": b'{"change": "x", "base": "/\\u0000"}',
}


@pytest.mark.parametrize("name", BAD_BODIES)
@pytest.mark.parametrize("path", ["/v1/changes", "/v1/policy/check"])
async def test_a_body_that_is_none_is_a_problem(as_: As, name: str, path: str) -> None:
    answer = await as_("sre").post(path, content=BAD_BODIES[name], headers={**JSON, **KEY})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", [b"", b"\xff", b"a\tb", b"x" * 300, b"  "], ids=repr)
async def test_a_bad_key_is_a_problem(as_: As, key: bytes) -> None:
    body = {"change": a_change(), "base": "/srv"}
    headers = [(b"Idempotency-Key", key)]

    check(await as_("sre").post("/v1/changes", json=body, headers=headers), 422, "invalid_request")


@pytest.mark.parametrize(
    "kind", ["text/yaml", "application/x-www-form-urlencoded", "", "multipart/form-data"]
)
async def test_a_body_that_is_not_sent_as_json_is_refused(as_: As, kind: str) -> None:
    answer = await as_("sre").post("/v1/changes", content=b"{}", headers={"Content-Type": kind})

    check(answer, 415, "unsupported_media_type")


async def test_a_body_that_is_too_large_is_refused(as_: As) -> None:
    async def chunks() -> object:
        for _ in range(5):
            yield b"x" * (LARGEST // 4)

    for content in (b"x" * (LARGEST + 1), chunks()):
        answer = await as_("sre").post("/v1/changes", content=content, headers=JSON)  # type: ignore[arg-type]  # both are content
        check(answer, 413, "too_large")


async def test_a_change_of_the_largest_size_still_fits(as_: As) -> None:
    text = a_change() + "#" * (256 * 1024 - len(a_change()))

    answer = await as_("ci").post("/v1/changes", json={"change": text, "base": "/srv"}, headers=KEY)

    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidChange("x", mistakes=[]), 422),
        (InvalidRequest("x"), 422),
        (StepConfig("x"), 422),
        (NotFound("x"), 404),
        (Conflict("x"), 409),
        (AccessDenied("x"), 403),
        (Unauthenticated("x"), 401),
        (PolicyBundle("x"), 500),
        (UpstreamUnavailable("x"), 503),
        (UpstreamRateLimited("x", retry_after=7), 503),
        (HoldpointError("x"), 500),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_of_ours_has_its_status(error: HoldpointError, status: int) -> None:
    response = problems.problem_of(error)

    assert response.status_code == status
    assert json.loads(bytes(response.body))["code"] == error.code


async def test_what_breaks_inside_is_a_500_that_tells_nothing(as_: As, world: World) -> None:
    async def broken(*_: object) -> object:
        raise RuntimeError("secret-token")

    world.repositories.resolve = broken

    body = {"change": a_change(), "base": "/srv"}
    answer = await as_("ci").post("/v1/changes", json=body, headers=KEY)

    problem = check(answer, 500, "internal_error")
    assert "secret-token" not in json.dumps(problem)


async def test_a_ledger_that_does_not_answer_is_a_503(as_: As, world: World) -> None:
    async def down(*_: object, **__: object) -> object:
        await asyncio.sleep(0)
        raise UpstreamUnavailable("The ledger did not answer.")

    world.ledger.read = down  # type: ignore[method-assign, assignment]  # a fault

    for path in ("/v1/ready", "/v1/changes", "/v1/freezes"):
        check(await as_("sre").get(path), 503, "upstream_unavailable")


def test_texts_of_strangers_are_shown_safely() -> None:
    shown = problems.clean("a\x1b[31m\ud800\x00" + "x" * 10_000)

    assert shown.encode()
    assert "\x1b" not in shown
    assert len(shown) <= problems.LONGEST


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
async def test_a_moment_outside_the_calendar_is_a_problem(as_: As, until: str) -> None:
    body = {"scope": "service=shop", "reason": "INC-7", "until": until}

    answer = await as_("commander").post("/v1/freezes", json=body)

    check(answer, 422, "invalid_request")
    assert [one["field"] for one in answer.json()["errors"]] == ["until"]
