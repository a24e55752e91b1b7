"""A token says who somebody is only if our issuer made it, for us, and lately."""

import hashlib
import hmac
import json
import stat
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from holdpoint.models.errors import SettingsError, Unauthenticated
from holdpoint.models.settings import Settings
from holdpoint.service.roles import ACCOUNT_ROLES
from holdpoint.service.tokens import (
    ALGORITHM,
    AUDIENCE,
    ISSUER,
    Verifier,
    create_issuer_keys,
    issue,
    verifier_of,
)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return create_issuer_keys(tmp_path)


@pytest.fixture
def verifier(key_file: Path) -> Verifier:
    return Verifier(key_file.with_name("issuer.pub"))


def signed(key_file: Path, **changes: Any) -> str:
    """Return a token of our key whose claims differ from good ones; None leaves a claim out.

    A `timedelta` is a moment that far from now, so that a case has the same name in every run.
    """
    now = int(time.time())
    for name, value in changes.items():
        if isinstance(value, timedelta):
            changes[name] = now + int(value.total_seconds())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "sre", "roles": ["sre"], "iat": now, "exp": now + 60}
    claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
    key = load_pem_private_key(key_file.read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return jwt.encode(claims, key, algorithm=ALGORITHM)


@pytest.mark.parametrize("account", ACCOUNT_ROLES)
def test_an_account_comes_back_with_its_roles(key_file: Path, verifier: Verifier, account: str) -> None:
    actor = verifier.verify(issue(key_file, account))

    assert actor.account == account
    assert actor.roles == frozenset(ACCOUNT_ROLES[account])


def test_the_private_key_is_for_its_owner_only_and_is_kept(key_file: Path) -> None:
    before = key_file.read_bytes()
    create_issuer_keys(key_file.parent)

    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert key_file.read_bytes() == before


def test_an_unknown_account_gets_no_token(key_file: Path) -> None:
    with pytest.raises(SettingsError, match="root"):
        issue(key_file, "root")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": timedelta(minutes=-2)},
        {"exp": None},
        {"iat": None},
        {"iat": timedelta(hours=1)},
        {"iss": None},
        {"iss": ISSUER + "/"},
        {"aud": None},
        {"aud": "other"},
        {"aud": [AUDIENCE, "other"]},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": 7},
        {"roles": None},
        {"roles": "sre"},
        {"roles": [["sre"]]},
    ],
    ids=str,
)
def test_a_token_with_other_claims_is_refused(
    key_file: Path, verifier: Verifier, changes: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify(signed(key_file, **changes))


def test_a_clock_may_differ_by_less_than_a_minute(key_file: Path, verifier: Verifier) -> None:
    assert verifier.verify(signed(key_file, exp=int(time.time()) - 10)).account == "sre"


def test_an_unknown_role_grants_nothing(key_file: Path, verifier: Verifier) -> None:
    assert verifier.verify(signed(key_file, roles=["root", "auditor"])).roles == {"auditor"}


def test_the_algorithm_is_pinned(key_file: Path, verifier: Verifier) -> None:
    public = key_file.with_name("issuer.pub").read_bytes()
    claims = jwt.decode(signed(key_file), options={"verify_signature": False})
    # PyJWT itself refuses a PEM as HMAC key, so the classic confusion is written by hand.
    header = jwt.utils.base64url_encode(b'{"alg":"HS256","typ":"JWT"}')
    body = jwt.utils.base64url_encode(json.dumps(claims).encode())
    mac = hmac.new(public, header + b"." + body, hashlib.sha256).digest()
    confused = b".".join((header, body, jwt.utils.base64url_encode(mac))).decode()

    for token in (confused, jwt.encode(claims, "", algorithm="none")):
        with pytest.raises(Unauthenticated):
            verifier.verify(token)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é" * 10, "x" * 100_000, "..", "\ud800"], ids=repr)
def test_what_is_no_token_is_refused(verifier: Verifier, token: str) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify(token)


def test_another_key_of_the_same_name_is_refused(tmp_path: Path, verifier: Verifier) -> None:
    (tmp_path / "other").mkdir()

    with pytest.raises(Unauthenticated):
        verifier.verify(issue(create_issuer_keys(tmp_path / "other"), "sre"))


def test_outside_the_embedded_stack_the_issuer_is_refused(key_file: Path) -> None:
    with pytest.raises(Unauthenticated, match="holdpoint up"):
        Verifier(None).verify(issue(key_file, "commander"))


OURS = "https://tokens.example"


def production(key_file: Path, **changes: Any) -> Settings:
    """Return settings outside of `up` that trust an issuer of the platform's own."""
    values = {
        "data": key_file.parent,
        "ledger_url": "sqlite:///ledger.db",
        "temporal_address": "127.0.0.1:7233",
        "opa_url": "http://127.0.0.1:8181",
        "opa_token_file": "opa.token",
        "clusters": {},
        "token_issuer": OURS,
        "token_issuer_key": key_file.with_name("issuer.pub"),
    }
    return Settings.model_validate({**values, **changes})


def test_outside_up_the_issuer_of_the_settings_is_trusted_and_the_embedded_one_is_not(key_file: Path) -> None:
    verifier = verifier_of(production(key_file))

    assert verifier.verify(issue(key_file, "ci", issuer=OURS)).account == "ci"
    with pytest.raises(Unauthenticated):
        verifier.verify(issue(key_file, "ci"))


def test_without_an_issuer_every_token_is_refused(key_file: Path) -> None:
    verifier = verifier_of(production(key_file, token_issuer=None, token_issuer_key=None))

    with pytest.raises(Unauthenticated, match="token_issuer_key"):
        verifier.verify(issue(key_file, "ci", issuer=OURS))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token_issuer": ISSUER}, "token_issuer: the embedded issuer"),
        ({"token_issuer": None}, "token_issuer: is missing"),
        ({"token_issuer_key": None}, "token_issuer_key: is missing"),
        ({"token_issuer_key": Path("nowhere.pub")}, "nowhere.pub cannot be read"),
    ],
)
def test_half_an_issuer_is_a_mistake_of_the_settings(
    key_file: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        verifier_of(production(key_file, **changes))
