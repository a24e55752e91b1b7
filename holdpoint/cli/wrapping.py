"""Break long lines between words where a terminal would break them anywhere. Nothing is ever left out."""

import shutil
import textwrap
from typing import Any

NARROWEST = 30
"""Columns; below it breaking between words helps nobody."""

LONGEST_LABEL = 24
"""Characters before the gap of a labelled line such as `  reason     text`."""


def for_stream(text: str, stream: Any) -> str:
    """Return the text as this stream shows it: broken for a terminal, whole lines for everything else."""
    if not getattr(stream, "isatty", lambda: False)():
        return text
    return wrapped(text, shutil.get_terminal_size().columns)


def wrapped(text: str, width: int) -> str:
    """Return the text with lines of at most `width`, what goes on standing below where it began."""
    if width < NARROWEST:
        return text
    return "\n".join(_broken(line, width) for line in text.split("\n"))


def _broken(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    parts = textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * min(_indent(line), width // 2),
        break_long_words=False,  # an address or a digest is copied whole
        break_on_hyphens=False,
    )
    return "\n".join(parts)


def _indent(line: str) -> int:
    """Return the column at which the text of a line begins: after its label, if it has one."""
    lead = len(line) - len(line.lstrip())
    gap = line.find("  ", lead, lead + LONGEST_LABEL)
    return lead + 2 if gap < 0 else len(line) - len(line[gap:].lstrip())
