"""`holdpoint diff`: what a ticket's plan alters on the cluster, object by object and field by field."""

from functools import partial
from typing import Annotated

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output

Whole = Annotated[
    bool, typer.Option("--all", help="Show every object, field and line; --output json always does.")
]


def diff(
    ticket: options.TicketId,
    whole: Whole = False,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Show what a ticket's plan alters on the cluster: what an approval of it binds. Secrets are masked."""
    from holdpoint.cli.client import segment
    from holdpoint.cli.connection import connect
    from holdpoint.cli.diff_text import diff_text, style_of

    with connect(data) as api:
        document = api.get(f"changes/{segment(ticket)}/diff")
        Output(output).answer(document, partial(diff_text, whole=whole), style=style_of)
