"""The codec endpoint, as Temporal's page and command use it."""

import base64
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import Payload

from holdpoint.api.app import create_app
from holdpoint.api.dependencies import Parts
from holdpoint.clients.payloads import EncryptingCodec, PayloadKeys
from holdpoint.service.tokens import issue

PAGE = "https://temporal.example"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"title":"shop 2"}')


@pytest.fixture
def codec(tmp_path: Path) -> EncryptingCodec:
    folder = tmp_path / "payload-keys"
    folder.mkdir()
    (folder / "k1.key").write_bytes(os.urandom(32))
    return EncryptingCodec(PayloadKeys(folder), "k1")


@pytest.fixture
async def client(parts: Parts, codec: EncryptingCodec) -> AsyncIterator[httpx.AsyncClient]:
    settings = parts.settings.model_copy(update={"codec_origins": [PAGE]})
    app = create_app(replace(parts, codec=codec, settings=settings))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as made,
    ):
        yield made


@pytest.fixture
def token(tmp_path: Path) -> Any:
    def make(account: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {issue(tmp_path / 'keys' / 'issuer.key', account)}"}

    return make


def as_json(payload: Payload) -> dict[str, Any]:
    metadata = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
    return {"metadata": metadata, "data": base64.b64encode(payload.data).decode()}


@pytest.mark.parametrize("account", ["auditor", "sre"])
async def test_who_may_read_payloads_reads_what_was_encrypted(
    client: httpx.AsyncClient, codec: EncryptingCodec, token: Any, account: str
) -> None:
    sealed = as_json((await codec.encode([PLAIN]))[0])

    answer = await client.post("/codec/decode", json={"payloads": [sealed]}, headers=token(account))

    assert (answer.status_code, answer.json()) == (200, {"payloads": [as_json(PLAIN)]})


async def test_encode_is_the_way_back(client: httpx.AsyncClient, token: Any) -> None:
    body = {"payloads": [as_json(PLAIN)]}

    sealed = (await client.post("/codec/encode", json=body, headers=token("sre"))).json()
    opened = await client.post("/codec/decode", json=sealed, headers=token("sre"))

    assert sealed != body
    assert opened.json() == body


@pytest.mark.parametrize("account", ["ci", "approver", "commander"])
async def test_others_are_refused(client: httpx.AsyncClient, token: Any, account: str) -> None:
    answer = await client.post("/codec/decode", json={"payloads": []}, headers=token(account))

    assert (answer.status_code, answer.json()["code"]) == (403, "access_denied")


async def test_nobody_reads_without_a_token(client: httpx.AsyncClient) -> None:
    assert (await client.post("/codec/decode", json={"payloads": []})).status_code == 401


async def test_a_key_that_is_missing_is_said(client: httpx.AsyncClient, token: Any) -> None:
    metadata = {"encoding": b"binary/encrypted", "encryption-key-id": b"k9"}
    sealed = as_json(Payload(metadata=metadata, data=b"x" * 40))

    answer = await client.post("/codec/decode", json={"payloads": [sealed]}, headers=token("sre"))

    assert answer.status_code == 503
    assert "k9" in answer.json()["detail"]


async def test_what_is_no_base64_is_named(client: httpx.AsyncClient, token: Any) -> None:
    body = {"payloads": [as_json(PLAIN), {"metadata": {}, "data": "?"}]}

    answer = await client.post("/codec/decode", json=body, headers=token("sre"))

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "payloads[1]")


async def test_a_large_page_of_payloads_is_taken(client: httpx.AsyncClient, token: Any) -> None:
    large = as_json(Payload(metadata={"encoding": b"json/plain"}, data=b"x" * 1_000_000))

    answer = await client.post("/codec/decode", json={"payloads": [large]}, headers=token("sre"))

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("origin", "path", "let_in"),
    [
        (PAGE, "/codec/decode", True),
        ("https://evil.example", "/codec/decode", False),
        (PAGE, "/v1/changes", False),
    ],
    ids=["Temporal's page", "another page", "another route"],
)
async def test_browsers_let_only_the_named_page_ask_the_codec(
    client: httpx.AsyncClient, origin: str, path: str, let_in: bool
) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-namespace",
    }

    answer = await client.options(path, headers=asked)

    assert (answer.headers.get("access-control-allow-origin") == origin) is let_in


async def test_an_error_is_readable_for_the_page_too(client: httpx.AsyncClient) -> None:
    answer = await client.post("/codec/decode", json={"payloads": []}, headers={"Origin": PAGE})

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, PAGE)
