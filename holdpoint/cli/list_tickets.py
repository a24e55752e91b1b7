"""`holdpoint list`: tickets, the newest first."""

from typing import Annotated, Any

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output, columns
from holdpoint.models.phases import Phase


def parse_phase(text: str) -> Phase:
    """Return the phase of this name, in whatever case. Raises BadParameter naming every phase."""
    for phase in Phase:
        if phase.lower() == text.lower():
            return phase
    raise typer.BadParameter(f"{text!r} is no phase; it must be one of {', '.join(Phase)}")


def list_tickets(
    phase: Annotated[
        Phase | None,
        typer.Option("--phase", metavar="PHASE", parser=parse_phase, help="Only tickets in this phase."),
    ] = None,
    service: Annotated[
        str | None, typer.Option("--service", metavar="S", help="Only tickets of this service.")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", metavar="E", help="Only tickets of this environment.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=500, help="At most so many.")] = 50,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """List tickets, the newest first."""
    from holdpoint.cli.connection import connect

    with connect(data) as api:
        asked = {"phase": phase, "service": service, "environment": environment, "limit": limit}
        Output(output).answer(api.get("changes", asked), list_text)


def _held(view: dict[str, Any]) -> str:
    """Return what keeps a ticket, or after a failed rollback its target, where it is."""
    takeover = view.get("takeover") or {}
    if takeover and not takeover.get("done_at"):
        return "taken_over"
    return str((view.get("hold") or {}).get("code", ""))


def list_text(document: dict[str, Any]) -> str:
    """Return the tickets in columns."""
    rows = (
        (
            view["id"],
            view["phase"],
            _held(view),
            view["service"],
            view["environment"],
            view["type"],
            view["created_at"],
            view["title"],
        )
        for view in document["items"]
    )
    if not document["items"]:
        return "No ticket matches."
    return columns(rows, ("ID", "PHASE", "HOLD", "SERVICE", "ENVIRONMENT", "TYPE", "CREATED", "TITLE"))
