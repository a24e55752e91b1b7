"""`holdpoint audit reconcile`: hold a cluster's own audit log against the record."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from holdpoint.cli import exit_codes, options
from holdpoint.cli.output import Format, Output

CLEAN, FINDINGS = exit_codes.SUCCEEDED, exit_codes.UNCHANGED


def _moment(text: str) -> str:
    """Return an RFC 3339 moment, checked."""
    from datetime import datetime

    try:
        aware = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise typer.BadParameter("must be a time with its zone, such as 2027-01-31T18:00:00Z")
    return text


_TIME = {"metavar": "TIME", "parser": _moment}


def reconcile(
    logs: Annotated[
        list[Path],
        typer.Option(
            "--kube-audit",
            metavar="FILE",
            help="The API server's audit log; again for each rotated file, .gz too.",
        ),
    ],
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", metavar="FILE", help="What `audit export --all` wrote; else the API is asked."
        ),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="PUB", help="Verify the record with this public key, too.")
    ] = None,
    users: Annotated[
        list[str] | None,
        typer.Option(
            "--user",
            metavar="NAME",
            help="A user that is Holdpoint's; again for each. [default: holdpoint-forward, holdpoint-undo]",
        ),
    ] = None,
    clusters: Annotated[
        list[str] | None,
        typer.Option(
            "--cluster",
            metavar="NAME",
            help="The cluster of the log, as the record names it; else found out.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", **_TIME, help="The log is whole from here on; else its first event."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", **_TIME, help="The log is whole up to here; else its last event.")
    ] = None,
    skew: Annotated[
        float | None,
        typer.Option(
            "--clock-skew",
            metavar="DURATION",
            parser=options.parse_wait,
            show_default=False,
            help="How far the clocks of API server and ledger may differ (default: not at all).",
        ),
    ] = None,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> int:
    """Compare a Kubernetes audit log with the record. Exit 0: clean; 1: findings; 2: unreadable."""
    from datetime import datetime

    from holdpoint.cli.files import BadFile
    from holdpoint.ledger.kube_audit import UnreadableLog, read_logs
    from holdpoint.ledger.reconcile import Bounds, Finding
    from holdpoint.ledger.reconcile import reconcile as compare
    from holdpoint.ledger.told import UnreadableRecord, parse_record

    chosen = {"users": tuple(users)} if users else {}
    bounds = Bounds(
        **chosen,
        clusters=clusters or None,
        since=None if since is None else datetime.fromisoformat(since),
        until=None if until is None else datetime.fromisoformat(until),
        skew=timedelta(seconds=skew or 0.0),
    )
    try:
        log = read_logs(logs)
        raw = _record(record, data)
        found = compare(log, parse_record(raw), bounds)
    except (UnreadableLog, UnreadableRecord) as error:
        raise BadFile(str(error)) from error
    problems = _unverified(raw, key)
    unverified = [Finding(code="record_not_verified", message=f"The record: {one}.") for one in problems]
    found = found.model_copy(update={"findings": [*unverified, *found.findings]})
    document = {"clean": not found.findings, "verified": None if key is None else not problems}
    document |= found.model_dump(mode="json")
    Output(output).answer(document, reconcile_text)
    return FINDINGS if found.findings else CLEAN


def _record(file: Path | None, data: Path) -> bytes:
    if file is None:
        from holdpoint.cli.connection import connect

        with connect(data) as api:
            return api.get_bytes("audit/export")
    from holdpoint.cli.files import read_file

    return read_file(file)


def _unverified(raw: bytes, key: Path | None) -> list[str]:
    if key is None:
        return []
    from holdpoint.cli.files import read_public_key
    from holdpoint.ledger.verify import verify_file

    return verify_file(raw, read_public_key(key))


def reconcile_text(document: dict[str, Any]) -> str:
    """Return the findings, each on a line, and below them what was compared."""
    covers = " to ".join(one or "?" for one in document["covers"])
    lines = [f"{one['code']}: {one['message']}{_where(one)}" for one in document["findings"]]
    lines += [f"note: {note}" for note in document["notes"]]
    lines.append(
        f"{document['writes']} writes of ours were accepted, {document['matched']} name their intent; "
        f"{document['undone']} undo, {document['fences']} fence (no freeze stops these)"
    )
    lines.append(
        f"{document['expected']} done intents were looked for in the log of "
        f"{', '.join(document['clusters']) or '?'}, {covers}; {len(document['uncovered'])} are outside of it"
    )
    if document["elsewhere"]:
        lines.append(f"{document['elsewhere']} HTTP requests went to no cluster: no log of one can show them")
    if document["deferred"]:
        lines.append(f"deferred (made while the ledger was down): {', '.join(document['deferred'])}")
    if document["in_doubt"]:
        lines.append(f"still open in the record: {', '.join(document['in_doubt'])}")
    verdict = "clean" if document["clean"] else f"NOT clean: {len(document['findings'])} findings"
    return "\n".join([*lines, verdict])


def _where(finding: dict[str, Any]) -> str:
    return f" ({finding['place']})" if finding["place"] else ""
