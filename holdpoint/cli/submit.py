"""`holdpoint submit`: hand a change in, once, however often the pipeline retries; with --wait to its end."""

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output

SEND_BOUND = 60.0
"""Seconds of trying again to hand a change in."""
REFUSED_BOUND = 5.0
"""Seconds of trying again while nobody listens, and nobody is known to start it again."""


def submit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The change file; - is standard input.")],
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until the ticket ends; exit by its phase.")
    ] = False,
    timeout: options.Timeout = options.AN_HOUR,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            metavar="KEY",
            help="One ticket for this key, remembered for 30 days. Default: the CI run and its attempt, else "
            "the content, which joins an open ticket only.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show plan, diff and decision; make no ticket, change nothing.")
    ] = False,
    promote_from: Annotated[
        str | None,
        typer.Option(
            "--promote-from",
            metavar="ENVIRONMENT",
            help="Take the commit of the service's last success there, in place of the file's revision.",
        ),
    ] = None,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> int:
    """Submit a change. Without --wait, exit 0 as soon as the ticket is open."""
    from holdpoint.cli.change_input import read_change_file
    from holdpoint.cli.ci_key import idempotency_key as derive
    from holdpoint.cli.connection import connect
    from holdpoint.cli.ticket_text import ticket_text
    from holdpoint.cli.watch import watch_to_the_end

    out, begun = Output(output), time.monotonic()
    change = read_change_file(file)
    content = change.digest if promote_from is None else _promoted(change.digest, promote_from)
    key = derive(content, os.environ) if idempotency_key is None else own_key(idempotency_key)
    asked = {"dry_run": "true"} if dry_run else {}
    asked |= {} if promote_from is None else {"promote_from": promote_from}
    with connect(data) as api:
        status, document = _send(api, change.body(), key, out, asked=asked, bound=min(SEND_BOUND, timeout))
        if dry_run:
            from holdpoint.cli.diff_text import style_of

            out.answer(document, dry_run_text, style=style_of)
            return 0
        if status == 200:
            out.say(f"joined {document['id']}, which the same submission opened before")
        if not wait:
            out.answer(document, ticket_text)
            return 0
        out.say(f"submitted {document['id']}; if this ends, go on with: holdpoint watch {document['id']}")
        left = max(timeout - (time.monotonic() - begun), 0.1)
        return watch_to_the_end(api, document["id"], timeout=left, whole=timeout, out=out, last=document)


def own_key(key: str) -> str:
    """Return a key that a person may choose for a change. Raises BadParameter."""
    options.check_key(key)
    if key.startswith("content:"):
        raise typer.BadParameter(
            "--idempotency-key may not begin with `content:`; the command uses that itself"
        )
    return key


def _promoted(content: str, environment: str) -> str:
    """Return the digest of a submission that says more than its file: another key than the file alone has."""
    import hashlib

    return f"sha256:{hashlib.sha256(f'{content} from {environment}'.encode()).hexdigest()}"


def _send(
    api: Any, body: dict[str, Any], key: str, out: Output, *, asked: dict[str, str], bound: float
) -> tuple[int, Any]:
    """Hand the change in, again where a connection was lost: the key makes it one ticket."""
    from urllib.parse import urlencode

    from holdpoint.cli.client import PATIENCE

    path = f"changes?{urlencode(asked)}" if asked else "changes"
    return send_once(api, path, body, key, out, bound=bound, patience=PATIENCE)


def send_once(
    api: Any, path: str, body: dict[str, Any], key: str, out: Output, *, bound: float, patience: float
) -> tuple[int, Any]:
    """Return status and answer of a request, made again for `bound` seconds under one idempotency key.

    `patience` is how many seconds one answer may take. Raises ApiProblem, and NoAnswer with the key.
    """
    from holdpoint.cli.client import NoAnswer, patiently

    def call(left: float) -> tuple[int, Any]:
        try:
            answer: tuple[int, Any] = api.post(path, body, patience=min(left, patience), idempotency_key=key)
            return answer
        except NoAnswer as error:
            error.detail["idempotency_key"] = key
            raise

    answer: tuple[int, Any] = patiently(
        call, bound=bound, refused=max(REFUSED_BOUND, api.restarts), say=out.say
    )
    return answer


def dry_run_text(document: dict[str, Any]) -> str:
    """Return plan, diff and decision in words."""
    from holdpoint.cli.diff_text import diff_text
    from holdpoint.cli.policy import decision_text
    from holdpoint.cli.ticket_text import check_text, planned_text

    lines = ["Nothing was submitted. This is what would happen:"]
    for number, wave in enumerate(document.get("waves") or [], 1):
        lines.append(f"  wave       {number}: {', '.join(target.partition('/')[0] for target in wave)}")
    for step in document.get("plan") or []:
        lines.append(f"  step       {step['name']} ({step['kind']})")
        lines += [f"               {step['does']}"] if step.get("does") else []
        lines += [f"               {planned_text(one)}" for one in step.get("weights") or []]
        lines += [f"               warning: {one}" for one in step.get("warnings") or []]
    lines += [f"  check      {check_text(one)}" for one in document.get("checks") or []]
    lines += [f"  warning    {one}" for one in document.get("warnings") or []]
    if document.get("plan_diff"):
        lines.append(diff_text(document["plan_diff"]))
    return "\n".join([*lines, decision_text(document.get("decision") or {})])
