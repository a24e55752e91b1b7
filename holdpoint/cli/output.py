"""What the command line says, and the only place that prints.

The answer goes to stdout: one JSON document under `--output json`, text otherwise. Everything else (progress,
warnings, errors) goes to stderr. What comes from others is cleaned: a title must not steer a terminal.
"""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Any

from holdpoint.cli.wrapping import for_stream

if TYPE_CHECKING:
    from holdpoint.cli.progress import Progress

INDENT = 2


class Format(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


def asked_for_json(arguments: Sequence[str]) -> bool:
    """Tell whether these arguments ask for JSON; also known where they cannot be parsed."""
    wants = False
    for index, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--output" and index + 1 < len(arguments):
            wants = arguments[index + 1] == Format.JSON
        elif argument.startswith("--output="):
            wants = argument == f"--output={Format.JSON}"
    return wants


def clean(text: Any) -> str:
    """Return `text` with nothing in it that could steer a terminal; a tab becomes a space."""
    spaced = str(text).replace("\t", " ")
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in spaced)


def cleaned(value: Any) -> Any:
    """Return a document in which every text is one clean line."""
    if isinstance(value, dict):
        return {clean(name): cleaned(one) for name, one in value.items()}
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    return clean(value).replace("\n", " ") if isinstance(value, str) else value


def columns(rows: Iterable[Sequence[Any]], header: Sequence[str]) -> str:
    """Return a table in plain columns, never cut: it is piped into other programs."""
    cells = [list(header), *[["" if cell is None else str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


class Output:
    """Where one command's answer and messages go."""

    def __init__(self, form: Format = Format.TEXT) -> None:
        self.json = form is Format.JSON

    def answer(
        self, document: Any, text: Callable[[Any], str], *, style: Callable[[str], str] | None = None
    ) -> None:
        """Give the command's one answer: the document under JSON, else what `text` says of it.

        `style` names the colour of a row (ECMA-48, SGR), which is for terminals alone.
        """
        if self.json:
            # ASCII only: the document must survive whatever encoding the pipe was given.
            self._write(json.dumps(document, indent=INDENT))
        else:
            said = clean(text(cleaned(document)))
            if style is None or not _shows_colours(sys.stdout):
                self._write(for_stream(said, sys.stdout))
                return
            rows = [(style(row), for_stream(row, sys.stdout)) for row in said.split("\n")]
            self._write("\n".join(_coloured(code, row) for code, row in rows))

    def document(self, document: Any) -> None:
        """Give an answer that is JSON in either form, such as a schema."""
        self._write(json.dumps(document, indent=INDENT))

    def say(self, text: str) -> None:
        """Say something that is not the answer, on stderr."""
        # Whoever read along may go away; what was asked for is done all the same.
        with contextlib.suppress(BrokenPipeError):
            _print(for_stream(clean(text), sys.stderr), sys.stderr)

    def progress(self) -> "AbstractContextManager[Progress]":
        """Return where live progress goes: drawn on a terminal, plain lines elsewhere; always on stderr."""
        if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb" or os.environ.get("CI"):
            return PlainProgress(self.say)
        from rich.console import Console

        from holdpoint.cli.live import LiveProgress

        return LiveProgress(Console(stderr=True))

    def problem(self, problem: dict[str, Any]) -> None:
        """Say what went wrong: the sentence on stderr, and under JSON the problem on stdout."""
        self.say(f"error: {problem.get('detail') or problem.get('title')}")
        for mistake in problem.get("errors") or []:
            self.say(mistake_line(mistake))
        if self.json:
            self._write(json.dumps(problem, indent=INDENT))

    def _write(self, text: str) -> None:
        # A command is not cut short because nobody reads its answer, and its exit code tells of the change.
        with contextlib.suppress(BrokenPipeError):
            _print(text, sys.stdout)


def _shows_colours(stream: Any) -> bool:
    """Tell whether a person looks at a terminal that has colours; NO_COLOR as on no-color.org."""
    if os.environ.get("NO_COLOR") or os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return False
    return bool(getattr(stream, "isatty", lambda: False)())


def _coloured(code: str, row: str) -> str:
    """Return a row, perhaps broken into several, in a colour."""
    return "\n".join(f"\x1b[{code}m{part}\x1b[0m" for part in row.split("\n")) if code else row


def mistake_line(mistake: dict[str, Any]) -> str:
    """Return one mistake with its place; where the file is known as compilers write it: file:line:column."""
    line, column = mistake.get("line"), mistake.get("column")
    if line is None:
        return f"  {mistake.get('message', '')}"
    place = f"{mistake['file']}:{line}:{column}" if mistake.get("file") else f"line {line}, column {column}"
    return f"  {place}: {mistake.get('message', '')}"


def _print(text: str, stream: Any) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, errors="replace").decode(encoding) + "\n")
    stream.flush()


class PlainProgress:
    """Progress in a log: a line, with its time, for each thing that happened."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def __enter__(self) -> "PlainProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def line(self, text: str) -> None:
        """Say one line."""
        self._say(f"{datetime.now(UTC):%H:%M:%SZ} {text}")

    def show(self, view: dict[str, Any]) -> None:
        """Say nothing: what matters was said as lines."""
