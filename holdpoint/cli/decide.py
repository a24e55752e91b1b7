"""`holdpoint approve`, `reject` and `promote`: each is bound to the digest of what was shown."""

from typing import Annotated, Any

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output, cleaned

Digest = Annotated[
    str | None,
    typer.Option(
        "--digest",
        metavar="sha256:…",
        help="Decide on exactly this; refused if the ticket binds something else by now. "
        "Default: what the ticket binds now, which is shown.",
    ),
]


def approve(
    ticket: options.TicketId,
    reason: options.Reason = "",
    digest: Digest = None,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Approve a ticket: shows what the approval binds, and sends its digest."""
    _decide("approve", ticket, reason, digest, Output(output), data)


def reject(
    ticket: options.TicketId,
    reason: options.Reason = "",
    digest: Digest = None,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Reject a ticket: it ends Rejected, and nothing is changed."""
    _decide("reject", ticket, reason, digest, Output(output), data)


def promote(
    ticket: options.TicketId,
    reason: Annotated[str, typer.Option("--reason", help="Why, for people and for the record.")],
    digest: Digest = None,
    weight: Annotated[
        int | None,
        typer.Option(
            "--weight",
            metavar="W",
            min=1,
            max=100,
            help="Go on with this weight of the plan, in percent; those before it are left out. "
            "Default: the next one.",
        ),
    ] = None,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Let a canary go on that is held for want of a verdict; a `fail` cannot be overruled."""
    more = {} if weight is None else {"weight": weight}
    _decide("promote", ticket, reason, digest, Output(output), data, **more)


def _decide(
    verb: str, ticket: str, reason: str, digest: str | None, out: Output, data: Any, **more: int
) -> None:
    from holdpoint.cli.client import segment
    from holdpoint.cli.connection import connect
    from holdpoint.cli.ticket_text import ticket_text
    from holdpoint.models.errors import Conflict

    with connect(data) as api:
        path = f"changes/{segment(ticket)}"
        view = api.get(path)
        out.say(bound_text(verb, cleaned(view)))
        bound = digest or view.get("digest")
        if bound is None and verb != "reject":
            raise Conflict(
                f"{ticket} has nothing to {verb} yet: it is {view['phase']}, and its decision is not taken.",
                id=ticket,
                phase=view["phase"],
            )
        body = {"reason": reason} if bound is None else {"digest": bound, "reason": reason}
        _, answer = api.post(f"{path}/{verb}", {**body, **more})
        out.answer(answer, ticket_text)


def _targets(view: dict[str, Any]) -> list[str]:
    many = [f"{one['target']} (wave {one['wave']})" for one in view.get("targets") or []]
    return [f"  target     {one}" for one in many or [str(view.get("target"))]]


def bound_text(verb: str, view: dict[str, Any]) -> str:
    """Return what a decision on this view binds."""
    from holdpoint.cli.diff_text import summary_lines
    from holdpoint.cli.ticket_text import risk_text, step_lines

    lines = [
        f"{verb} {view['id']}  {view['title']}",
        f"  change     {view['type']} change of {view['service']} in {view['environment']}",
        f"  commit     {view.get('commit')} ({view.get('repository')} {view.get('revision')})",
        *_targets(view),
        f"  requester  {view.get('requester')}",
        f"  risk       {risk_text(view.get('risk')) or 'not known yet'}",
        f"  digest     {view.get('digest') or 'none yet'}",
        *(f"  warning    {one}" for one in view.get("warnings") or []),
        *summary_lines(view),
    ]
    for step in view.get("steps") or []:
        lines += step_lines(step, view.get("warnings") or [])
    return "\n".join(lines)
