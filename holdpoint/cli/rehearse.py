"""`holdpoint rehearse`: run a change's plan and its rollback on a staging target; with --wait to the end."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output
from holdpoint.cli.submit import SEND_BOUND, own_key, send_once


def rehearse(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The change file; - is standard input.")],
    target: Annotated[
        str,
        typer.Option("--target", metavar="CLUSTER/NAMESPACE", help="Where; never the change's own target."),
    ],
    environment: Annotated[
        str, typer.Option("--environment", metavar="E", help="By whose rules; never production's.")
    ] = "staging",
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Stay until it is over; exit 0 if it went well and all is restored."),
    ] = False,
    timeout: options.Timeout = options.AN_HOUR,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            metavar="KEY",
            help="One rehearsal for this key. Default: as for submit, of the rehearsal's own.",
        ),
    ] = None,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> int:
    """Rehearse a change: run its plan on a staging target, verify it, and undo it again.

    The rehearsal is a ticket of its own. It went well if it ends RolledBack for the reason `rehearsed`, with
    everything restored; the change itself then shows it, and policy may ask for one that is young enough.
    """
    from holdpoint.cli.change_input import read_change_file
    from holdpoint.cli.ci_key import idempotency_key as derive
    from holdpoint.cli.client import PATIENCE
    from holdpoint.cli.connection import connect
    from holdpoint.cli.ticket_text import ticket_text
    from holdpoint.cli.watch import watch_to_the_end

    out, begun = Output(output), time.monotonic()
    change = read_change_file(file)
    key = derive(change.digest, os.environ) if idempotency_key is None else own_key(idempotency_key)
    if not key.startswith("content:"):
        key = options.check_key(f"rehearse/{key}")  # the same run may submit the same file
    with connect(data) as api:
        body = {**change.body(), "target": target, "environment": environment}
        bound = min(SEND_BOUND, timeout)
        status, document = send_once(api, "rehearsals", body, key, out, bound=bound, patience=PATIENCE)
        if status == 200:
            out.say(f"joined {document['id']}, which the same rehearsal opened before")
        if not wait:
            out.answer(document, ticket_text)
            return 0
        out.say(f"rehearses as {document['id']}; if this ends, go on: holdpoint watch {document['id']}")
        left = max(timeout - (time.monotonic() - begun), 0.1)
        return watch_to_the_end(api, document["id"], timeout=left, whole=timeout, out=out, last=document)
