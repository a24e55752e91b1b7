"""Bearer tokens: the embedded issuer, and the verifier that every request passes (design decision 23).

The embedded issuer is a key pair in the data folder. Whoever can read the private key can be any account, so
its folder is 0700, the key 0600, no HTTP route gives out tokens, and a server outside `up` refuses it.
"""

import os
import re
import secrets
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from holdpoint.models.errors import SettingsError, Unauthenticated
from holdpoint.service.roles import ACCOUNT_ROLES, ROLES, Actor

ISSUER = "urn:holdpoint:embedded-issuer"
AUDIENCE = "holdpoint"
ALGORITHM = "EdDSA"
LIFETIME = 12 * 3600
"""Seconds: a working day, so that a laptop's session does not break in the middle of a rollout."""
LEEWAY = 30
"""Seconds that clocks may differ; the design allows at most 60."""
LONGEST = 8192
"""Characters of a token; ours has about 400, and nothing longer is worth parsing."""

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:/-]{0,99}")


def create_issuer_keys(folder: Path) -> Path:
    """Make `issuer.key` (0600) and `issuer.pub` in `folder` unless they are there; return the key's path."""
    private, public = folder / "issuer.key", folder / "issuer.pub"
    if not private.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_new(private, pem, mode=0o600)
    if not public.exists():
        pem = _private_key(private).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _write_new(public, pem, mode=0o644)
    return private


def issue(key_file: Path, account: str, *, lifetime: float = LIFETIME) -> str:
    """Return a token for one of the role accounts; `lifetime` is in seconds. Raises SettingsError."""
    if account not in ACCOUNT_ROLES:
        known = ", ".join(ACCOUNT_ROLES)
        raise SettingsError(f"Unknown account {account!r}. Use one of: {known}.")
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": account,
        "roles": list(ACCOUNT_ROLES[account]),
        "iat": now,
        "exp": int(now + lifetime),
        "jti": secrets.token_hex(16),
    }
    return jwt.encode(claims, _private_key(key_file), algorithm=ALGORITHM)


class Verifier:
    """Tells who a bearer token is. Without a public key it knows no issuer and refuses every token."""

    def __init__(self, public_key_file: Path | None) -> None:
        self._key = _public_key(public_key_file) if public_key_file else None

    def verify(self, token: str) -> Actor:
        """Return the token's account and roles. Raises Unauthenticated; it never repeats the token."""
        if self._key is None:
            raise Unauthenticated(
                "This server trusts no token issuer: the embedded one is accepted only under `holdpoint up`."
            )
        if len(token) > LONGEST:
            raise Unauthenticated("The bearer token is too long to be one of ours.")
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"], "strict_aud": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("The token has expired. Log in again: holdpoint login --as NAME") from error
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError) as error:
            raise Unauthenticated(f"The bearer token is not valid: {type(error).__name__}.") from error
        return _actor(claims)


def _actor(claims: dict[str, Any]) -> Actor:
    account, roles = claims.get("sub"), claims.get("roles")
    if not isinstance(account, str) or not _ACCOUNT.fullmatch(account):
        raise Unauthenticated("The token's `sub` is not an account name.")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise Unauthenticated("The token's `roles` is not a list of names.")
    # A role we do not know grants nothing; dropping it keeps it out of the record as well.
    return Actor(account=account, roles=frozenset(roles) & ROLES)


def _write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file that must not exist yet, with its mode from the first moment on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise SettingsError(f"The issuer's key {path} cannot be read. Run `holdpoint up` first.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"The issuer's key {path} is not an Ed25519 key.")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"The issuer's key {path} cannot be read. Run `holdpoint up` first.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"The issuer's key {path} is not an Ed25519 key.")
    return key
