"""Who may talk to the sandbox: one bearer token per user, in files that only the owner can read."""

import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

USERS = {"forward": "holdpoint-forward", "undo": "holdpoint-undo", "steer": "sandbox-steer"}
STEERING_USER = USERS["steer"]


def load_tokens(folder: Path) -> dict[str, str]:
    """Return the user of each token, making missing token files (mode 0600) first."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {_token(folder / f"{name}.token"): user for name, user in USERS.items()}


def user_of(tokens: Mapping[str, str], authorization: str) -> str | None:
    """Return the user of an `Authorization` header, or None."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    for token, user in tokens.items():
        if hmac.compare_digest(token.encode(), given.strip().encode()):
            return user
    return None


def _token(path: Path) -> str:
    """Return the token in a file; a new file appears whole, so that a reader never sees half of it."""
    if path.exists():
        return path.read_text().strip()
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    token = secrets.token_urlsafe(32)
    with os.fdopen(handle, "w") as file:
        file.write(token)
    fresh.rename(path)
    return token
