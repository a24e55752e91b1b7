"""`holdpoint audit`: take the evidence out, and verify it with nothing but the file and a public key."""

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from holdpoint.cli import exit_codes, options, reconcile
from holdpoint.cli.output import Format, Output

app = typer.Typer(help="Export the evidence; verify it offline.", rich_markup_mode=None)
app.command()(reconcile.reconcile)

VERIFIED, NOT_VERIFIED = exit_codes.SUCCEEDED, exit_codes.UNCHANGED


@app.command()
def export(
    file: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="FILE", help="Where the evidence is written.", dir_okay=False),
    ],
    ticket: Annotated[str | None, typer.Argument(metavar="[ID]", help="The ticket, unless --all.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="The whole record, with every intent, instead of one ticket.")
    ] = False,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Write the evidence of one closed ticket, or the whole record, to a file."""
    from holdpoint.cli.client import segment
    from holdpoint.cli.connection import connect
    from holdpoint.cli.files import write_file

    if everything == (ticket is not None):
        raise typer.BadParameter("name one ticket, or give --all; one of the two")
    with connect(data) as api:
        found = api.get_bytes("audit/export" if ticket is None else f"changes/{segment(ticket)}/evidence")
    write_file(file, found)
    document = {
        "id": ticket,
        "file": str(file.absolute()),
        "bytes": len(found),
        "sha256": hashlib.sha256(found).hexdigest(),
    }
    Output(output).answer(
        document, lambda one: f"{one['file']}: {one['bytes']} bytes, sha256 {one['sha256']}"
    )


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `audit export` wrote.")],
    key: Annotated[
        Path, typer.Option("--key", metavar="PUB", help="The ledger's public key: <data>/keys/ledger.pub.")
    ],
    output: options.Output = Format.TEXT,
) -> int:
    """Verify evidence, offline. Exit 0 if it is verified, 1 if not; 2 if file or key cannot be read."""
    from holdpoint.cli.files import read_file, read_public_key
    from holdpoint.ledger.verify import verify_file

    problems = verify_file(read_file(file), read_public_key(key))
    document = {"file": str(file), "verified": not problems, "problems": problems}
    Output(output).answer(document, verify_text)
    return NOT_VERIFIED if problems else VERIFIED


def verify_text(document: dict[str, Any]) -> str:
    """Return the finding, with each problem on a line."""
    if document["verified"]:
        return f"{document['file']}: verified"
    return "\n".join([f"{document['file']}: NOT verified", *(f"  {one}" for one in document["problems"])])
