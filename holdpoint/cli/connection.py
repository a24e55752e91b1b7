"""Where the API is and who we are: from the environment, else from the data folder of a running stack."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdpoint.cli.output import Output
from holdpoint.ledger.files import replace
from holdpoint.models.errors import SettingsError, UpstreamUnavailable

if TYPE_CHECKING:
    from holdpoint.cli.client import Api

RESTART = 30.0
"""Seconds that a killed API may take to be back: sixteen were seen on two busy cores."""


def connect(data: Path) -> "Api":
    """Return the API of HOLDPOINT_URL, or of the stack on this data folder. Raises UpstreamUnavailable."""
    from holdpoint.cli.client import Api

    address, restarts = os.environ.get("HOLDPOINT_URL", "").strip(), 0.0
    if not address:
        found = addresses(data)
        address, restarts = found["api"], RESTART if _supervised(data) else 0.0
    if not address.startswith(("http://", "https://")):
        raise SettingsError(f"HOLDPOINT_URL is {address!r}; it must begin with http:// or https://.")
    return Api(address, token(data, address), restarts=restarts, say=Output().say)


def _supervised(data: Path) -> bool:
    """Tell whether the stack's supervisor lives: then whoever does not answer is being started again.

    The lock says so, not the process ID: a dead process keeps its ID until its parent has collected it.
    """
    from holdpoint.embedded.lock import StackLock

    try:
        return StackLock(data / "run").holder() is not None
    except (OSError, ValueError):
        return False


def addresses(data: Path) -> dict[str, Any]:
    """Return the addresses that `up` wrote down. Raises UpstreamUnavailable if no stack runs there."""
    try:
        found = json.loads((data / "run" / "addresses.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UpstreamUnavailable(
            f"No Holdpoint answers at {data.absolute()}: no stack is running there. "
            "Start one with `holdpoint up`, name its folder with --data, or set HOLDPOINT_URL."
        ) from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"The addresses in {data.absolute()}/run cannot be read: {error}.") from error
    if not isinstance(found, dict) or not isinstance(found.get("api"), str):
        raise SettingsError(f"{data.absolute()}/run/addresses.json names no API. Run `holdpoint up` again.")
    return found


def token(data: Path, address: str) -> str | None:
    """Return HOLDPOINT_TOKEN, else the stored login; that one goes to servers on this machine only."""
    from holdpoint.cli.client import is_local

    if given := os.environ.get("HOLDPOINT_TOKEN", "").strip():
        if not all("!" <= char <= "~" for char in given):
            raise SettingsError("HOLDPOINT_TOKEN is not a token: it holds spaces or characters beyond ASCII.")
        return given
    if not is_local(address):
        return None
    try:
        return token_file(data).read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SettingsError(f"The stored login {token_file(data)} cannot be read: {error}.") from error


def steering(data: Path) -> "Api":
    """Return the sandbox of the stack on this data folder, with the secret that steers it."""
    from holdpoint.cli.client import Api

    secret = data / "sandbox" / "tokens" / "steer.token"
    try:
        return Api(addresses(data)["sandbox"], secret.read_text(encoding="ascii").strip(), root="sandbox")
    except (OSError, ValueError) as error:
        raise SettingsError(f"The sandbox's secret {secret} cannot be read: {error}.") from error


def token_file(data: Path) -> Path:
    """Return where the login of a data folder is kept."""
    return data / "run" / "login.token"


def store_token(data: Path, value: str) -> Path:
    """Keep a login, readable by its owner only, in one step; return where."""
    path = token_file(data)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        replace(path, value.encode())
    except OSError as error:
        raise SettingsError(f"The login cannot be kept in {path}: {error}.") from error
    return path
