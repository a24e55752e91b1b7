"""`holdpoint watch`: follow a ticket to its end, and exit by its phase."""

from typing import Any

from holdpoint.cli import exit_codes, options
from holdpoint.cli.output import Format, Output


def watch(
    ticket: options.TicketId,
    timeout: options.Timeout = options.AN_HOUR,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> int:
    """Follow a ticket to its end, with live progress, and exit by its phase."""
    from holdpoint.cli.connection import connect

    with connect(data) as api:
        return watch_to_the_end(api, ticket, timeout=timeout, whole=timeout, out=Output(output))


def watch_to_the_end(
    api: Any,
    ticket: str,
    *,
    timeout: float,
    whole: float,
    out: Output,
    last: dict[str, Any] | None = None,
) -> int:
    """Follow the ticket for `timeout` seconds, answer with its view, and return the exit code.

    `whole` is the time that was asked for, in seconds, and `last` the view as far as it is known.
    """
    from holdpoint.cli.progress import Follower
    from holdpoint.cli.ticket_text import ticket_text
    from holdpoint.models.durations import format_duration
    from holdpoint.models.errors import HoldpointError

    follower = Follower(api, ticket, last)
    try:
        ended = follower.follow(timeout, out.progress())
    except KeyboardInterrupt:
        out.say(f"{ticket} goes on without you; look again with: holdpoint watch {ticket}")
        out.answer(_still_open(ticket, follower.view, "Watching was interrupted."), ticket_text)
        return exit_codes.INTERRUPTED
    except HoldpointError as error:
        # Whoever gets this error must be able to go on watching.
        error.detail.setdefault("id", ticket)
        raise
    if ended and follower.view is not None:
        out.answer(follower.view, ticket_text)
        return exit_codes.of_ticket(follower.view)
    message = f"The ticket is still open after {format_duration(whole)}."
    out.say(f"{message} It goes on; look again with: holdpoint watch {ticket}")
    out.answer(_still_open(ticket, follower.view, message), ticket_text)
    return exit_codes.UPSTREAM


def _still_open(ticket: str, view: dict[str, Any] | None, message: str) -> dict[str, Any]:
    """Return the view with the reason why the command ends although the ticket does not."""
    reason = {"code": "still_open", "message": f"{message} Go on with: holdpoint watch {ticket}"}
    known = view or {
        "id": ticket,
        "title": "",
        "phase": "unknown",
        "type": "",
        "service": "",
        "environment": "",
    }
    return {**known, "reason": reason}
