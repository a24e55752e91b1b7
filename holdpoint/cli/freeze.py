"""`holdpoint freeze`: stop every forward write in a scope, see what is frozen, and lift it."""

import uuid
from typing import Annotated, Any

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output, columns

app = typer.Typer(
    help="Freeze a service, an environment or everything; list and lift freezes.", rich_markup_mode=None
)

ACKNOWLEDGE_WITHIN = 90.0
"""Seconds: fencing waits for every cluster in scope, or for the bound on one that does not answer."""

IN_DOUBT = "IN DOUBT: could not be fenced yet, may still land"


@app.command()
def create(
    scope: Annotated[
        str,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="service=S,environment=E (either or both), or all for everything.",
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; everyone who is held reads it.")],
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="TIME",
            parser=options.parse_until,
            help="When it ends by itself: RFC 3339, or a duration from now such as 2h. Default: when lifted.",
        ),
    ] = None,
    except_types: Annotated[
        list[str] | None,
        typer.Option("--except", metavar="TYPE", help="A change type that goes on, such as emergency."),
    ] = None,
    include_rollbacks: Annotated[
        bool,
        typer.Option(
            "--include-rollbacks",
            help="Hold rollbacks of what has succeeded, too. The undo of a change that runs is never held.",
        ),
    ] = False,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            metavar="KEY",
            help="One freeze for this key, remembered for 30 days. Default: a new key each time.",
        ),
    ] = None,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Freeze a scope. When this returns, no forward write in it is committed any more; rollback goes on."""
    from holdpoint.cli.connection import connect
    from holdpoint.cli.submit import send_once

    key = uuid.uuid4().hex if idempotency_key is None else options.check_key(idempotency_key)
    out = Output(output)
    body: dict[str, Any] = {"scope": check_scope(scope), "reason": reason, "except": except_types or []}
    if until is not None:
        body["until"] = until
    if include_rollbacks:
        body["include_rollbacks"] = True
    with connect(data) as api:
        within = ACKNOWLEDGE_WITHIN
        status, freeze = send_once(api, "freezes", body, key, out, bound=within, patience=within)
        if status == 200:
            out.say(f"{freeze['id']} was made by the same key before")
        out.answer(freeze, created_text)


@app.command("list")
def list_freezes(
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """List the freezes that are in force."""
    from holdpoint.cli.connection import connect

    with connect(data) as api:
        Output(output).answer(api.get("freezes"), list_text)


@app.command()
def lift(
    freeze: Annotated[str, typer.Argument(metavar="ID", help="The freeze's ID.")],
    reason: options.Reason = "",
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Lift a freeze; what it held goes on."""
    from holdpoint.cli.client import segment
    from holdpoint.cli.connection import connect

    with connect(data) as api:
        _, lifted = api.post(f"freezes/{segment(freeze)}/lift", {"reason": reason})
        Output(output).answer(lifted, lambda one: f"lifted {one['id']} ({one['scope']})")


def check_scope(scope: str) -> str:
    """Return a scope that can be meant: a slip would freeze too much or too little. Raises BadParameter."""
    if scope == "all":
        return scope
    given: dict[str, str] = {}
    for part in scope.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value or name not in ("service", "environment") or name in given:
            raise typer.BadParameter(
                f"--scope is {scope!r}; it must be all, service=S, environment=E or service=S,environment=E"
            )
        given[name] = value
    return ",".join(f"{name}={given[name]}" for name in ("service", "environment") if name in given)


def created_text(freeze: dict[str, Any]) -> str:
    """Return what the acknowledgement says."""
    if freeze.get("lifted_at"):
        return f"{freeze['id']}: {freeze['scope']} is NOT frozen any more, since {freeze['lifted_at']}"
    lines = [
        f"{freeze['id']}: {freeze['scope']} is frozen, acknowledged after {freeze['ack_ms']:.0f} ms",
        f"  until      {freeze.get('until') or 'it is lifted'}",
    ]
    for name, meaning in (
        ("in_flight", "was in flight"),
        ("in_doubt", IN_DOUBT),
        ("settling", "still settles"),
    ):
        lines += [f"  {meaning}: {_item(one)}" for one in freeze.get(name) or []]
    if not any(freeze.get(name) for name in ("in_flight", "in_doubt", "settling")):
        lines.append("  nothing was in flight, nothing is in doubt")
    return "\n".join([*lines, f"  lift it    holdpoint freeze lift {freeze['id']}"])


def _item(one: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in one.items() if value not in (None, "", []))


def list_text(document: dict[str, Any]) -> str:
    """Return the freezes in columns, and below them what does not stand still yet."""
    if not document["items"]:
        return "No freeze is in force."
    rows = (
        (
            one["id"],
            one["scope"],
            ",".join(one.get("except_types") or []) or "nothing",
            one["created_at"],
            one.get("until") or "it is lifted",
            one.get("by"),
            one["reason"],
        )
        for one in document["items"]
    )
    table = columns(rows, ("ID", "SCOPE", "EXCEPT", "SINCE", "UNTIL", "BY", "REASON"))
    return "\n".join([table, *(line for one in document["items"] for line in _doubt_lines(one))])


def _doubt_lines(freeze: dict[str, Any]) -> list[str]:
    """Return that a freeze is not acknowledged yet, and why; nothing where it is."""
    if freeze.get("acknowledged_at"):
        return []
    doubts = [f"  {IN_DOUBT}: {_item(one)}" for one in freeze.get("in_doubt") or []]
    return [f"{freeze['id']} is NOT acknowledged yet", *doubts]
