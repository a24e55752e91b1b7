"""What a person reads: whole words on a terminal, whole lines in a pipe, and straight columns."""

import io
from typing import Any

import pytest

from holdpoint.cli.output import Output, clean
from holdpoint.cli.stack import status_text, up_text
from holdpoint.cli.wrapping import wrapped

LONG = "  reason     denied: " + "a plan that nobody has seen before " * 4 + "ends."


def test_long_line_is_broken_between_words_below_its_text() -> None:
    lines = wrapped(LONG, 60).split("\n")

    assert all(len(line) <= 60 for line in lines)
    assert all(line.startswith(" " * 13) and line[13] != " " for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == LONG.strip()


@pytest.mark.parametrize("width", [0, 10, 30, 31])
def test_nothing_is_left_out_on_a_narrow_terminal(width: int) -> None:
    address = "https://git.example/" + "a" * 200

    text = wrapped(f"{LONG}\n  {address} and\n\n  more", width)

    assert address in text
    assert text.split() == f"{LONG} {address} and more".split()


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_only_a_terminals_lines_are_broken(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    stream = Stream()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("COLUMNS", "60")

    Output().answer({}, lambda _: LONG)

    assert (stream.getvalue() == LONG + "\n") is not terminal


def test_tab_is_a_space_and_no_mark_of_something_hidden() -> None:
    assert clean("a\tb\x1b[2J\nc") == "a b?[2J\nc"


STATUS: dict[str, Any] = {
    "up": True,
    "data": "/srv/hp",
    "pid": 7,
    "addresses": {"api": "http://a", "temporal_namespace": "holdpoint", "pid": 7},
    "servers": {"opa": {"pid": 8, "state": "ready"}},
}


def test_status_stands_in_one_column() -> None:
    lines = status_text(STATUS).split("\n")[1:]

    assert {line.index(text) for line, text in zip(lines, ("http", "holdpoint", "pid 8"), strict=True)} == {
        22
    }


def test_commands_to_copy_are_quoted() -> None:
    assert "--data '/srv/my data'" in up_text({"data": "/srv/my data"}, detached=True)
    assert "--data '/srv/my data'" in status_text({"up": False, "data": "/srv/my data"})
