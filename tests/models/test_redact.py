"""Secrets are masked wherever they stand, and what is no secret stays."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdpoint.models import redact as module
from holdpoint.models.redact import MASK, redact

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJjaSJ9.c2lnbmF0dXJl"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "DB_PASSWORD",
        "apiKey",
        "api-key",
        "clientSecret",
        "Authorization",
        "access_token",
    ],
)
def test_what_stands_under_a_secret_name_is_masked(name: str) -> None:
    assert redact({name: "hunter2", "deep": [{name: 1234}]}) == {name: MASK, "deep": [{name: MASK}]}


@pytest.mark.parametrize("name", ["tokenFile", "secretName", "passwordPolicy", "key", "author", "tokenizer"])
def test_what_only_sounds_like_a_secret_stays(name: str) -> None:
    assert redact({name: "value"}) == {name: "value"}


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param(f"got {JWT} back", JWT, id="a JWT"),
        pytest.param(f"key:\n{PEM}\n", "MHcCAQEE", id="a private key"),
        pytest.param(PEM[:50], "MHcCAQEE", id="half a private key"),
        pytest.param("Authorization: Bearer abc.def-ghi_jkl", "abc.def-ghi_jkl", id="a bearer token"),
        pytest.param("basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy", id="basic credentials"),
        pytest.param("https://ci:hunter2@git.example/shop.git", "hunter2", id="a password in a URL"),
        pytest.param("ran with DB_PASSWORD=hunter2 twice", "hunter2", id="an environment variable"),
        pytest.param('{"client_secret": "hunter2"}', "hunter2", id="JSON in a text"),
        pytest.param("ghp_" + "a1" * 18, "ghp_" + "a1" * 18, id="a GitHub token"),
        pytest.param("glpat-" + "x" * 20, "x" * 20, id="a GitLab token"),
        pytest.param("AKIA" + "B" * 16, "AKIA" + "B" * 16, id="an AWS key"),
    ],
)
def test_a_secret_in_a_text_is_masked(text: str, secret: str) -> None:
    masked = redact(text)

    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "text",
    [
        "https://git.example/shop.git",
        "sha256:" + "a" * 64,
        "canary held at 10 %: error ratio 0.02 > 0.01",
        "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----",
        "registry.example:5000/shop:6.14.1",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_a_kubernetes_secret_keeps_its_names_and_loses_its_values() -> None:
    secret: dict[str, Any] = {"kind": "Secret", "metadata": {"name": "db"}, "data": {"user": "cm9vdA=="}}
    container = {"env": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "PORT", "value": "80"}]}

    assert redact(secret) == {**secret, "data": {"user": MASK}}
    assert redact(container)["env"] == [
        {"name": "DB_PASSWORD", "value": MASK},
        {"name": "PORT", "value": "80"},
    ]


@settings(max_examples=50)
@given(st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_masking_again_changes_nothing(value: Any) -> None:
    once = redact(value)

    assert redact(once) == once


@pytest.mark.parametrize("text", ["a_", "eyJ", "://", "-----BEGIN ", "token", "gh", " "], ids=repr)
def test_no_text_takes_long(text: str) -> None:
    started = time.monotonic()

    redact(text * (200_000 // len(text)))

    assert time.monotonic() - started < 2


PIECES = (
    *(
        "-----BEGIN PRIVATE KEY-----",
        JWT,
        "Bearer ",
        "BASIC ",
        "ba\u017fic ",
        "ghp_",
        "github_pat_",
        "glpat-",
    ),
    *(
        "xoxb-",
        "AKIA",
        "ASIA",
        "://",
        "user:",
        "@",
        "password",
        "Passwd",
        "passphrase",
        "PWD",
        "token",
        "secret",
    ),
    *(
        "author\u0131zation",
        "api_key",
        "ACCESS-KEY",
        "private\u212aey",
        "signing_key",
        "credentials",
        "cookie",
    ),
    *("session_id", "=", ": ", "'", " ", "-", "_", "abcdefgh", "0123456789ABCDEF", "x" * 20),
)
"""What the patterns are made of, some in letters that are like ours only where case does not count."""


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln",
        "Bearer abcdefgh",
        "basic abcdefgh",
        *(f"gh{kind}_{'a1' * 18}" for kind in "pousr"),
        f"github_pat_{'a1' * 18}",
        f"glpat-{'a1' * 10}",
        *(f"xox{kind}-1234567890" for kind in "abprs"),
        "AKIAABCDEFGHIJKLMNOP",
        "ASIAABCDEFGHIJKLMNOP",
        "postgres://ci:hunter2@db",
        *(f"{word}=hunter2" for word in ("password", "passwd", "passphrase", "pwd", "token", "secret")),
        *(
            f"{word}: hunter2"
            for word in ("authorization", "api-key", "access_key", "privatekey", "signing_key")
        ),
        *(f"{word}='hunter2'" for word in ("credential", "credentials", "cookie", "session_id", "sessionid")),
    ],
)
def test_every_shape_of_a_secret_is_masked_where_nothing_else_gives_it_away(text: str) -> None:
    assert "[redacted]" in redact(text)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_no_text_is_passed_over_that_a_pattern_would_mask(text: str) -> None:
    masked = text
    for _, pattern, mask in module._TEXT:
        masked = pattern.sub(mask, masked)

    assert redact(text) == masked
