"""`holdpoint pause`, `resume`, `abort` and `rollback`: a person's word on a running ticket."""

from pathlib import Path

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output


def pause(
    ticket: options.TicketId,
    reason: options.Reason = "",
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Hold a ticket where it is until it is resumed."""
    _send("pause", ticket, reason, output, data)


def resume(
    ticket: options.TicketId,
    reason: options.Reason = "",
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Let a paused ticket go on."""
    _send("resume", ticket, reason, output, data)


def abort(
    ticket: options.TicketId,
    reason: options.Reason = "",
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Stop a ticket for good; what it changed already is rolled back."""
    _send("abort", ticket, reason, output, data)


def rollback(
    ticket: options.TicketId,
    reason: options.Reason = "",
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Undo what a ticket has applied; after a failed rollback, try again."""
    _send("rollback", ticket, reason, output, data)


def _send(verb: str, ticket: str, reason: str, form: Format, data: Path) -> None:
    from holdpoint.cli.client import segment
    from holdpoint.cli.connection import connect
    from holdpoint.cli.ticket_text import ticket_text

    with connect(data) as api:
        _, view = api.post(f"changes/{segment(ticket)}/{verb}", {"reason": reason})
        Output(form).answer(view, ticket_text)
