"""`holdpoint migrate`: the step of a deploy that brings the ledger's tables to this release."""

import os
from typing import Annotated, Any

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output
from holdpoint.cli.processes import DataFolder, SettingsFile


def migrate(
    grant_to: Annotated[
        str | None,
        typer.Option(
            "--grant-to",
            metavar="ROLE",
            help="Let this role of PostgreSQL, as which API and workers connect, do what they do.",
        ),
    ] = None,
    settings: SettingsFile = None,
    output: options.Output = Format.TEXT,
    data: DataFolder = None,
) -> None:
    """Bring the ledger's tables to this release, and make them where there are none.

    May run again, and in several places at once: one does the work, the others wait for it. On PostgreSQL
    give it the owner's ledger_url, for example in HOLDPOINT_LEDGER_URL, and --grant-to the others' role.
    """
    from holdpoint.ledger.store import Ledger
    from holdpoint.service.settings import load_settings

    loaded = load_settings(data, os.environ, file=settings)
    ledger = Ledger(loaded.ledger_url, loaded.ledger_password_file)
    try:
        done = ledger.migrate(grant_to=grant_to)
    finally:
        ledger.close()
    document = {**done.model_dump(mode="json"), "migrated": done.before != done.after}
    Output(output).answer(document, migrated_text)


def migrated_text(document: dict[str, Any]) -> str:
    """Return from which revision to which the tables went."""
    if not document["migrated"]:
        return f"the ledger is at revision {document['after']} already"
    return f"the ledger was {_place(document['before'])} and is at revision {document['after']} now"


def _place(revision: str | None) -> str:
    return "without tables" if revision is None else f"at revision {revision}"
