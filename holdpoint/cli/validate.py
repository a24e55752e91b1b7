"""`holdpoint validate`: every mistake of a change file at once, without a server."""

from pathlib import Path
from typing import Annotated, Any

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Change files; - is standard input.")],
    output: options.Output = Format.TEXT,
) -> None:
    """Check change files: line, field, what was found and is allowed, of every mistake. No server needed."""
    from holdpoint.cli.change_input import read_change_file
    from holdpoint.models.errors import InvalidChange

    valid: list[dict[str, Any]] = []
    mistakes: list[dict[str, Any]] = []
    wrong: list[Path] = []
    for file in files:
        try:
            change = read_change_file(file)
        except InvalidChange as error:
            mistakes += error.detail["mistakes"]
            wrong.append(file)
        else:
            valid.append({"file": str(file), "title": change.change.metadata.title, "digest": change.digest})
    if wrong:
        raise InvalidChange(summary(wrong, mistakes, len(files)), mistakes=mistakes)
    Output(output).answer({"valid": True, "files": valid}, valid_text)


def summary(wrong: list[Path], mistakes: list[dict[str, Any]], count: int) -> str:
    """Return how many mistakes were found in how many files."""
    found = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    names = ", ".join(map(str, wrong))
    return f"{found} in {names}" + (f" ({len(wrong)} of {count} files)." if count > 1 else ".")


def valid_text(document: dict[str, Any]) -> str:
    """Return a line for each file."""
    return "\n".join(f"{one['file']}: valid ({one['title']})" for one in document["files"])
