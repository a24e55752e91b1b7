"""`holdpoint pause`, `resume`, `abort` and `rollback`: a person's word on a running ticket."""

from collections.abc import Callable

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output


def _verb(name: str, says: str) -> Callable[..., None]:
    """Return the command that says one word; its help is `says`."""

    def command(
        ticket: options.TicketId,
        reason: options.Reason = "",
        output: options.Output = Format.TEXT,
        data: options.Data = options.DEFAULT_DATA,
    ) -> None:
        from holdpoint.cli.client import segment
        from holdpoint.cli.connection import connect
        from holdpoint.cli.ticket_text import ticket_text

        with connect(data) as api:
            _, view = api.post(f"changes/{segment(ticket)}/{name}", {"reason": reason})
            Output(output).answer(view, ticket_text)

    command.__name__, command.__doc__ = name, says
    return command


pause = _verb("pause", "Hold a ticket where it is until it is resumed.")
resume = _verb("resume", "Let a paused ticket go on.")
abort = _verb("abort", "Stop a ticket for good; what it changed already is rolled back.")
rollback = _verb("rollback", "Undo what a ticket has applied; after a failed rollback, try again.")
