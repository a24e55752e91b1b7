"""`holdpoint pause`, `resume`, `abort`, `rollback` and `retry`: a person's word on a ticket.

A rollback after success and a retry are answered with a ticket of their own.
"""

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
            out = Output(output)
            _, view = api.post(f"changes/{segment(ticket)}/{name}", {"reason": reason})
            if view["id"] != ticket:
                out.say(f"the {name} of {ticket} is {view['id']}; follow it: holdpoint watch {view['id']}")
            out.answer(view, ticket_text)

    command.__name__, command.__doc__ = name, says
    return command


pause = _verb("pause", "Hold a ticket where it is until it is resumed.")
resume = _verb("resume", "Let a paused ticket go on.")
abort = _verb("abort", "Stop a ticket for good; what it changed already is rolled back.")
rollback = _verb(
    "rollback",
    "Undo what a ticket has applied; after a failed rollback, try again.\n\n"
    "After Succeeded it opens a ticket that brings back what stood on the target before. That one needs one "
    "approval, applies without a canary, goes to the front of the lane, and is held by a freeze only if the "
    "freeze says so. Said again while it is open, it is the same ticket.",
)
retry = _verb(
    "retry",
    "Run a finished ticket again, as a new one.\n\n"
    "The same document at the same commit (a branch or tag is not resolved again); policy, approvals and "
    "checks begin anew. Not for a ticket that is open, that succeeded, or whose rollback failed.",
)
