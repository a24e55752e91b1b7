"""`holdpoint login`: a token of the embedded issuer, signed with the key in the data folder."""

import os
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output


def login(
    account: Annotated[
        str,
        typer.Option("--as", metavar="NAME", help="ci, approver, approver2, sre, commander or auditor."),
    ],
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Log in to the embedded stack as one of its accounts, for 12 hours. HOLDPOINT_TOKEN wins over it."""
    from holdpoint.cli.connection import store_token
    from holdpoint.service.tokens import LIFETIME, issue

    token = issue(data / "keys" / "issuer.key", account)
    stored = store_token(data, token)
    expires = datetime.now(UTC) + timedelta(seconds=LIFETIME)
    document = {
        "account": account,
        "token": token,
        "expires_at": expires.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "stored": str(stored.absolute()),
    }
    out = Output(output)
    if os.environ.get("HOLDPOINT_TOKEN", "").strip():
        out.say(
            "HOLDPOINT_TOKEN is set and wins over this login. To act as this account: unset HOLDPOINT_TOKEN"
        )
    out.answer(document, login_text)


def login_text(document: dict[str, Any]) -> str:
    """Return who is logged in, without the token: a terminal's scrollback is no place for it."""
    return f"Logged in as {document['account']} until {document['expires_at']}, kept in {document['stored']}"
