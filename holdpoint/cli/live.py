"""Progress on a terminal: one panel that is drawn anew, with the lines of what happened running above it."""

import time
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from holdpoint.cli.ticket_text import View, hold_text, left_text, percent
from holdpoint.models.phases import TERMINAL

_STYLES = {"succeeded": "green", "failed": "red", "undone": "yellow", "held": "yellow", "running": "cyan"}


class LiveProgress:
    """Draw a ticket on `console` until the context ends; then the panel goes and the lines stay."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()
        self._view: View | None = None
        self._spinner = Spinner("dots")
        self._live = Live(self, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "LiveProgress":
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def line(self, text: str) -> None:
        """Print one line above the panel."""
        self._console.print(Text(text))

    def show(self, view: View) -> None:
        """Draw the ticket as it stands now."""
        self._view = view
        self._live.refresh()

    def __rich__(self) -> RenderableType:
        if self._view is None:
            return Text("")
        return Group(self._head(self._view), _steps(self._view), _holds(self._view))

    def _head(self, view: View) -> RenderableType:
        waited = int(time.monotonic() - self._begun)
        text = Text(f"{view['id']}  {view['phase']}  {waited // 60}:{waited % 60:02d}", style="bold")
        if view["phase"] in TERMINAL:
            return text
        self._spinner.update(text=text)
        return self._spinner


def _steps(view: View) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for one in view.get("targets") or []:
        cluster = one["target"].partition("/")[0]
        table.add_row(Text(f"  {cluster}, wave {one['wave']}"), Text(one.get("phase") or "not begun"), "", "")
        for step in one.get("steps") or [] if one.get("phase") else []:
            _add_step(table, step, indent="    ")
    for step in [] if view.get("targets") else view.get("steps") or []:
        _add_step(table, step, indent="  ")
    return table


def _add_step(table: Table, step: View, *, indent: str) -> None:
    verdicts = step.get("verdicts") or []
    last = verdicts[-1] if verdicts else {}
    weight = step.get("weight")
    table.add_row(
        Text(f"{indent}{step['name']}"),
        Text(step["status"], style=_STYLES.get(step["status"], "dim")),
        Text(left_text(step).removeprefix(", ") if weight is None else percent(weight)),
        Text(f"{last['verdict']}: {last['message']}" if last else ""),
    )


def _holds(view: View) -> RenderableType:
    return Text("\n".join(f"  held by {hold_text(hold)}" for hold in view.get("holds") or []), style="yellow")
