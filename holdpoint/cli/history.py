"""`holdpoint history`: everything that was recorded of one ticket, in order."""

import json
from typing import Any

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output

PAGE = 500
LONGEST_BODY = 300
"""Characters of an entry's body on one line of text; --output json has it whole."""


def history(
    ticket: options.TicketId,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Show every entry of the record about one ticket, in order."""
    from holdpoint.cli.client import segment
    from holdpoint.cli.connection import connect

    with connect(data) as api:
        entries = _all(api, f"changes/{segment(ticket)}/entries")
    Output(output).answer({"id": ticket, "entries": entries}, history_text)


def _all(api: Any, path: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    while True:
        page = api.get(path, {"after": entries[-1]["seq"] if entries else 0, "limit": PAGE})["entries"]
        entries += page
        if not page:
            return entries


def history_text(document: dict[str, Any]) -> str:
    """Return a line for each entry."""
    lines = []
    for entry in document["entries"]:
        body = json.dumps(entry["body"], ensure_ascii=False, sort_keys=True) if entry.get("body") else ""
        shown = body if len(body) <= LONGEST_BODY else body[:LONGEST_BODY] + "…"
        lines.append(f"{entry['seq']:>6}  {entry['at']}  {entry['kind']}  {entry['actor']}  {shown}".rstrip())
    return "\n".join(lines) or "Nothing is recorded."
