"""`holdpoint confirm`: the word of whom a manual step asks."""

from typing import Annotated

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output

Step = Annotated[
    str, typer.Option("--step", metavar="NAME", help="The manual step's name, as `show` has it.")
]
Reason = Annotated[str, typer.Option("--reason", help="What was done and seen; it is kept in the record.")]
Failed = Annotated[
    bool, typer.Option("--failed", help="It failed: the step fails, and the change is rolled back.")
]


def confirm(
    ticket: options.TicketId,
    step: Step,
    reason: Reason,
    failed: Failed = False,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Say of a manual step that it is done, or with --failed that it failed; only whom it names may."""
    from holdpoint.cli.client import segment
    from holdpoint.cli.connection import connect
    from holdpoint.cli.ticket_text import ticket_text

    with connect(data) as api:
        body = {"step": step, "reason": reason, "failed": failed}
        _, view = api.post(f"changes/{segment(ticket)}/confirm", body)
        Output(output).answer(view, ticket_text)
