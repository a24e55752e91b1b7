"""`holdpoint show`: one ticket as it stands."""

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output


def show(
    ticket: options.TicketId,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Show one ticket: phase, holds, risk, approvals, steps with weights and verdicts."""
    from holdpoint.cli.client import segment
    from holdpoint.cli.connection import connect
    from holdpoint.cli.ticket_text import ticket_text

    with connect(data) as api:
        Output(output).answer(api.get(f"changes/{segment(ticket)}"), ticket_text)
