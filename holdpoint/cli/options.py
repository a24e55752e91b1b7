"""The options that many commands share, said once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from holdpoint.cli.output import Format

DEFAULT_DATA = Path(".holdpoint")


def parse_wait(text: str | float) -> float:
    """Return the seconds of a duration such as `90s` or `1h30m`; a bare number is seconds."""
    from holdpoint.models.durations import parse_duration

    try:
        return parse_duration(float(text) if isinstance(text, str) and text.isdecimal() else text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_until(text: str) -> str:
    """Return an RFC 3339 moment from such a moment or from a duration from now on, such as `2h`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.now(UTC) + timedelta(seconds=parse_wait(text))
    if moment.tzinfo is None:
        raise typer.BadParameter("must say its time zone, such as 2027-01-31T18:00:00Z, or be a duration")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Output = Annotated[
    Format, typer.Option("--output", help="How the answer is written on stdout.", show_default=True)
]
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="HOLDPOINT_DATA",
        show_envvar=True,
        help="The data folder of the embedded stack.",
        file_okay=False,
    ),
]
TicketId = Annotated[str, typer.Argument(metavar="ID", help="The ticket, such as chg-abcdefghij.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept in the record.")]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        parser=parse_wait,
        show_default=False,
        help="How long to wait for the end, such as 90s or 2h (default 1h). Then exit 3; the ticket goes on.",
    ),
]
AN_HOUR = 3600.0


def check_key(key: str) -> str:
    """Return an idempotency key as it can be sent. Raises BadParameter."""
    if not 0 < len(key) <= 255 or not all(" " <= char <= "~" for char in key) or key != key.strip():
        raise typer.BadParameter("--idempotency-key must be 1 to 255 printable ASCII characters")
    return key
