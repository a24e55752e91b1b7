"""`holdpoint takeover`: a person takes the target of a failed rollback in hand, and gives it back."""

import time
from typing import Annotated, Any

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output

COMPARED_WITHIN = 60.0
"""Seconds to wait for the comparison: it reads every object of the snapshot once."""
LOOK = 10.0
"""Seconds that one question waits for news."""

Reason = Annotated[str, typer.Option("--reason", help="Why, or with --done what was done; it is recorded.")]
Done = Annotated[
    bool,
    typer.Option("--done", help="It is done by hand: compare with the snapshot, and free the target."),
]


def takeover(
    ticket: options.TicketId,
    reason: Reason,
    done: Done = False,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Take the target of a failed rollback in hand; with --done give it back.

    From then on nothing of Holdpoint's writes there, and no other change begins. With --done what is there
    is compared with the snapshot: `restored` ends the ticket RolledBack; the target is free in any case.
    """
    from holdpoint.cli.client import segment
    from holdpoint.cli.connection import connect
    from holdpoint.cli.ticket_text import ticket_text

    with connect(data) as api:
        out, path = Output(output), f"changes/{segment(ticket)}"
        _, view = api.post(f"{path}/takeover", {"reason": reason, "done": done})
        if done:
            view = _compared(api, path, view, out)
        out.answer(view, ticket_text)


def _compared(api: Any, path: str, view: dict[str, Any], out: Output) -> dict[str, Any]:
    """Return the ticket once it was compared; or as it is, where that takes long."""
    until, after = time.monotonic() + COMPARED_WITHIN, 0
    while not (view.get("takeover") or {}).get("done_at"):
        left = until - time.monotonic()
        if left <= 0:
            out.say(f"It is not compared yet; it goes on by itself. Look again: holdpoint show {view['id']}")
            break
        news = api.get(f"{path}/entries", {"after": after, "wait": min(left, LOOK)}, patience=LOOK + 20)
        after = max([after, *(entry["seq"] for entry in news["entries"])])
        view = news["view"]
    return view
