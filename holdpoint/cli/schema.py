"""`holdpoint schema`: the formats that people write, for their editors."""

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output

app = typer.Typer(help="JSON Schemas, for editors.", rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Keep `change` a command of its own: more formats will follow."""


@app.command()
def change(output: options.Output = Format.TEXT) -> None:
    """Print the JSON Schema of a change file."""
    from holdpoint.service.change_reference import change_schema

    Output(output).document(change_schema())
