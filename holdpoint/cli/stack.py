"""`holdpoint up`, `down` and `status`: the embedded stack on a data folder."""

import shlex
from typing import Annotated, Any

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output


def up(
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when the stack is ready; it goes on by itself.")
    ] = False,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Start the embedded stack: Temporal, OPA, the sandbox, the API and the worker. Ctrl-C stops all."""
    from holdpoint.embedded import stack

    out = Output(output)

    def on_ready(addresses: Any) -> None:
        out.answer(addresses.model_dump(mode="json"), lambda one: up_text(one, detached=detach))

    stack.up(data, detach=detach, report=out.say, on_ready=on_ready)


def up_text(addresses: dict[str, Any], *, detached: bool) -> str:
    """Return where everything is, and what to do first."""
    named = {
        "API": "api",
        "Temporal": "temporal",
        "its page": "temporal_ui",
        "sandbox": "sandbox",
        "data": "data",
    }
    lines = [f"  {label:<10} {addresses[name]}" for label, name in named.items() if addresses.get(name)]
    where = shlex.quote(addresses.get("data", ""))
    stop = f"holdpoint down --data {where}" if detached else "Ctrl-C"
    return "\n".join(
        [
            "Holdpoint is up.",
            *lines,
            f"  begin with holdpoint login --as ci --data {where}",
            f"  stop with  {stop}",
        ]
    )


def down(
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Stop the embedded stack and leave no process behind. Open tickets go on at the next `up`."""
    from holdpoint.embedded import stack

    out = Output(output)
    stopped = stack.down(data, report=out.say)
    document = {"stopped": stopped, "data": str(data.absolute())}
    out.answer(document, lambda one: f"{'Stopped' if one['stopped'] else 'Nothing was up on'} {one['data']}")


def status(
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Tell whether a stack is up on the data folder, with its addresses and processes."""
    from holdpoint.embedded import stack

    document = {**stack.status(data).model_dump(mode="json"), "data": str(data.absolute())}
    Output(output).answer(document, status_text)


def status_text(document: dict[str, Any]) -> str:
    """Return how the stack stands."""
    if not document["up"]:
        start = f"holdpoint up --data {shlex.quote(document['data'])}"
        return f"No stack is up on {document['data']}. Start one: {start}"
    lines = [f"A stack is up on {document['data']} (process {document.get('pid')})."]
    if not document.get("addresses"):
        lines.append("  it is not ready yet")
    said = [(name, where) for name, where in (document.get("addresses") or {}).items() if name != "pid"]
    said += [(name, _process(one)) for name, one in (document.get("servers") or {}).items()]
    width = max((len(name) for name, _ in said), default=0)
    return "\n".join([*lines, *(f"  {name:<{width}}  {text}" for name, text in said)])


def _process(one: Any) -> str:
    if isinstance(one, dict):
        return ", ".join(f"{name} {value}" for name, value in one.items())
    return f"process {one}"
