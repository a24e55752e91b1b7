"""Bearer tokens: the embedded issuer, and the verifier that every request passes (design decision 23).

The embedded issuer is a key pair in the data folder. Whoever can read the private key can be any account, so
its folder is 0700, the key 0600, no HTTP route gives out tokens, and a server outside `up` refuses it. Such
a server trusts the one issuer that its settings name, and else nobody.
"""

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

from holdpoint.ledger.files import write_new
from holdpoint.models.errors import SettingsError, Unauthenticated
from holdpoint.models.settings import Settings
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
        write_new(private, pem)
    if not public.exists():
        pem = _private_key(private).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_new(public, pem, 0o644)
    return private


def issue(key_file: Path, account: str, *, lifetime: float = LIFETIME, issuer: str = ISSUER) -> str:
    """Return a token for one of the role accounts; `lifetime` is in seconds. Raises SettingsError."""
    if account not in ACCOUNT_ROLES:
        known = ", ".join(ACCOUNT_ROLES)
        raise SettingsError(f"Unknown account {account!r}. Use one of: {known}.")
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer,
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

    def __init__(self, public_key_file: Path | None, issuer: str = ISSUER) -> None:
        self._key = _public_key(public_key_file) if public_key_file else None
        self._issuer = issuer

    def verify(self, token: str) -> Actor:
        """Return the token's account and roles. Raises Unauthenticated; it never repeats the token."""
        if self._key is None:
            raise Unauthenticated(
                "This server trusts no token issuer: the embedded one is accepted only under `holdpoint up`. "
                "Set token_issuer and token_issuer_key."
            )
        if len(token) > LONGEST:
            raise Unauthenticated("The bearer token is too long to be one of ours.")
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=AUDIENCE,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"], "strict_aud": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated(f"The token has expired. {self._again}") from error
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError) as error:
            raise Unauthenticated(f"The bearer token is not valid: {type(error).__name__}.") from error
        return _actor(claims)

    @property
    def _again(self) -> str:
        embedded = self._issuer == ISSUER
        return "Log in again: holdpoint login --as NAME" if embedded else f"Ask {self._issuer} for a new one."


def verifier_of(settings: Settings) -> Verifier:
    """Return the verifier that the settings ask for; `up` has its own issuer. Raises SettingsError."""
    issuer, key = settings.token_issuer, settings.token_issuer_key
    if settings.embedded:
        return Verifier(settings.data / "keys" / "issuer.pub")
    if issuer is None and key is None:
        return Verifier(None)
    if issuer is None or key is None:
        missing = "token_issuer" if issuer is None else "token_issuer_key"
        raise SettingsError(f"{missing}: is missing; an issuer is trusted by its name and its public key.")
    if issuer == ISSUER:
        raise SettingsError(
            "token_issuer: the embedded issuer is for `holdpoint up` only. Name an issuer of your own."
        )
    return Verifier(key, issuer)


def _actor(claims: dict[str, Any]) -> Actor:
    account, roles = claims.get("sub"), claims.get("roles")
    if not isinstance(account, str) or not _ACCOUNT.fullmatch(account):
        raise Unauthenticated("The token's `sub` is not an account name.")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise Unauthenticated("The token's `roles` is not a list of names.")
    # A role we do not know grants nothing; dropping it keeps it out of the record as well.
    return Actor(account=account, roles=frozenset(roles) & ROLES)


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
        raise SettingsError(
            f"The issuer's public key {path} cannot be read: it must be Ed25519 in PEM. `holdpoint up` makes "
            "its own; else token_issuer_key names it."
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"The issuer's key {path} is not an Ed25519 key.")
    return key
