"""`holdpoint explain`: why a ticket does not move, and what would move it."""

from typing import Any

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output


def explain(
    ticket: options.TicketId,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Explain what a ticket waits for, since when, until when, and who can move it."""
    from holdpoint.cli.client import segment
    from holdpoint.cli.connection import connect

    with connect(data) as api:
        Output(output).answer(api.get(f"changes/{segment(ticket)}/explanation"), explanation_text)


def explanation_text(document: dict[str, Any]) -> str:
    """Return the explanation: a sentence, then each cause with what moves it."""
    lines = [f"{document['id']} is {document['phase']}: {document['summary']}"]
    for cause in document.get("causes") or []:
        lines.append(f"  {cause['code']}: {cause['message']}")
        said = {
            "since": cause.get("since"),
            "until": cause.get("until"),
            "who": cause.get("who"),
            "command": cause.get("command"),
            "moves at": cause.get("moves_at"),
        }
        lines += [f"    {name:<9} {_joined(value)}" for name, value in said.items() if value]
    return "\n".join(lines)


def _joined(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
