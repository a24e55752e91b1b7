"""`holdpoint ban`: see what was rolled back on a service and is denied there, and lift it."""

from typing import Annotated, Any

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output, columns

app = typer.Typer(help="List and lift bans of what was rolled back.", rich_markup_mode=None)

SHOWN = 19
"""Characters of a digest in the list: `sha256:` and twelve digits, as people quote it."""


@app.command("list")
def list_bans(
    service: Annotated[
        str | None, typer.Option("--service", metavar="S", help="Only those of this service.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Lifted ones as well.")] = False,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """List what is banned, the newest first."""
    from urllib.parse import urlencode

    from holdpoint.cli.connection import connect

    asked = {**({"service": service} if service else {}), **({"all": "true"} if all else {})}
    with connect(data) as api:
        path = f"bans?{urlencode(asked)}" if asked else "bans"
        Output(output).answer(api.get(path), list_text)


@app.command()
def lift(
    ban: Annotated[str, typer.Argument(metavar="ID", help="The ban's ID.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it may come again; it is recorded.")],
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Lift a ban; what it covers may be submitted again."""
    from holdpoint.cli.client import segment
    from holdpoint.cli.connection import connect

    with connect(data) as api:
        _, lifted = api.post(f"bans/{segment(ban)}/lift", {"reason": reason})
        Output(output).answer(lifted, lambda one: f"lifted {one['id']} ({one['service']}, {one['ticket']})")


def list_text(document: dict[str, Any]) -> str:
    """Return the bans in columns."""
    if not document["items"]:
        return "Nothing is banned."
    rows = (
        (
            one["id"],
            one["service"],
            f"{one['covers']} {one['digest'][:SHOWN]}",
            one["ticket"],
            one["environment"],
            one["at"],
            f"by {one['lifted_by']}" if one.get("lifted_at") else "no",
            one["message"],
        )
        for one in document["items"]
    )
    return columns(rows, ("ID", "SERVICE", "BANNED", "TICKET", "IN", "SINCE", "LIFTED", "BECAUSE"))
