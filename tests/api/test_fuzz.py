"""Requests made from the OpenAPI document and bent out of shape: never a 500, always a problem."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdpoint.api.app import bare_app, create_app
from holdpoint.api.dependencies import Parts
from holdpoint.api.problems import STATUSES
from holdpoint.service.feed import Feed
from holdpoint.service.tokens import Verifier, create_issuer_keys, issue
from tests.api.conftest import FixedEvaluator
from tests.service.world import DIGEST, a_change, a_world

DOCUMENT = bare_app().openapi()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]

# Surrogates too: JSON can write half a pair, and nothing behind the door can store one.
texts = st.text(st.characters(), max_size=40)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.integers(min_value=2**63), st.floats(), texts)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
good_values: dict[str, Any] = {
    "change": a_change(),
    "base": "/srv",
    "digest": DIGEST,
    "reason": "because",
    "scope": "all",
    "until": "2999-01-01T00:00:00Z",
    "except": ["emergency"],
}


def bodies(operation: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Return bodies of an operation: bent a little, bent a lot, or no JSON at all."""
    if "requestBody" not in operation:
        return st.just(b"")
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    fields = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
    bent = st.fixed_dictionaries(
        {}, optional={name: st.just(good_values.get(name)) | anything for name in fields}
    )
    return st.one_of(bent.map(dump), bent.map(dump), anything.map(dump), st.binary(max_size=60))


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, bytes, dict[bytes, bytes]]:
    """Return a request to one of the operations."""
    method, path, operation = draw(st.sampled_from(OPERATIONS))
    tickets = st.sampled_from(["TICKET", "chg-aaaaaaaaaa", "frz-aaaaaaaaaa"]) | texts.filter(bool)
    query = []
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            value = draw(tickets).encode("utf-8", "surrogatepass")
            path = path.replace("{" + parameter["name"] + "}", quote(value, safe=""))
        elif parameter["in"] == "query" and draw(st.booleans()):
            # A long poll may wait a minute, and that would be right.
            value = b"nan" if parameter["name"] == "wait" else draw(texts).encode("utf-8", "surrogatepass")
            query.append(f"{parameter['name']}={quote(value)}")
    headers = {b"content-type": b"application/json"}
    if draw(st.booleans()):
        headers[b"idempotency-key"] = draw(st.binary(max_size=20).filter(lambda b: not set(b) & {10, 13, 0}))
    return method, path + ("?" + "&".join(query) if query else ""), draw(bodies(operation)), headers


@dataclass
class Api:
    """The app with its own event loop: Hypothesis calls a plain function."""

    runner: asyncio.Runner
    http: httpx.AsyncClient
    ticket: str
    key: Path

    def ask(self, request: tuple[str, str, bytes, dict[bytes, bytes]], account: str) -> httpx.Response:
        """Send one request as an account."""
        method, path, body, headers = request
        sent = {**headers, b"authorization": f"Bearer {issue(self.key, account)}".encode()}
        url = path.replace("TICKET", self.ticket)
        return self.runner.run(self.http.request(method, url, content=body, headers=sent))


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with asyncio.Runner() as runner:
        opened = a_world(tmp_path)
        world = runner.run(opened.__aenter__())
        parts = Parts(
            settings=world.settings,
            ledger=world.ledger,
            blobs=world.blobs,
            temporal=world.temporal,
            repositories=world.repositories,
            clusters=world.clusters,
            evaluator=FixedEvaluator(),
            signer=world.signer,
            archive=tmp_path / "archive",
            verifier=Verifier(create_issuer_keys(tmp_path / "keys").with_name("issuer.pub")),
            delivery=world.delivery,
            feed=Feed(world.ledger),
        )
        transport = httpx.ASGITransport(create_app(parts), raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url="http://api")
        ticket = runner.run(world.a_ticket()).id
        yield Api(runner, http, ticket, tmp_path / "keys" / "issuer.key")
        runner.run(http.aclose())
        runner.run(opened.__aexit__(None, None, None))


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(request=requests(), account=st.sampled_from(["sre", "commander", "approver"]))
def test_no_request_is_answered_with_a_500(
    api: Api, request: tuple[str, str, bytes, dict[bytes, bytes]], account: str
) -> None:
    answer = api.ask(request, account)

    assert answer.status_code < 500, (request, answer.text)
    if answer.status_code >= 400:
        assert answer.status_code in STATUSES
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]
