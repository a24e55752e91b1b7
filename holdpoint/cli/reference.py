"""The part of docs/command-line.md that is made from the command itself."""

from typing import Any

import typer

from holdpoint.cli.main import app

BEGIN = "<!-- From here on made by docs/generate_command_line.py. Do not edit. -->"
WIDTH = 100
"""Columns of the page's examples, whatever terminal the page is made on."""


def command_reference() -> str:
    """Return a section with the help text of every command, in the order of `holdpoint --help`."""
    root = typer.main.get_command(app)
    sections = [BEGIN, ""]
    for names, command in _commands(root, ("holdpoint",)):
        sections += [f"### `{' '.join(names)}`", "", "```text", _help(root, names, command), "```", ""]
    return "\n".join(sections)


def _commands(group: Any, names: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, command in group.commands.items():
        below = (*names, name)
        found += _commands(command, below) if hasattr(command, "commands") else [(below, command)]
    return found


def _help(root: Any, names: tuple[str, ...], command: Any) -> str:
    context = root.context_class(
        command, info_name=" ".join(names), terminal_width=WIDTH, max_content_width=WIDTH
    )
    return str(command.get_help(context)).strip()
