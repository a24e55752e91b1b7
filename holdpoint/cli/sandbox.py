"""`holdpoint sandbox`: make the stand-in cluster and its metrics behave or fail as a trial needs it."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output

app = typer.Typer(help="Steer the sandbox: how images behave, and which part fails.", rich_markup_mode=None)


@app.command()
def behave(
    image: Annotated[
        str,
        typer.Option("--image", metavar="IMAGE", help="Pods that run exactly this image; * for all others."),
    ],
    error_rate: Annotated[
        float | None, typer.Option("--error-rate", min=0, max=1, help="Share of requests that fail.")
    ] = None,
    latency_ms: Annotated[
        float | None, typer.Option("--latency-ms", min=0, help="99th percentile of the durations, in ms.")
    ] = None,
    rps: Annotated[
        float | None, typer.Option("--rps", min=0, help="Requests a second of the Service.")
    ] = None,
    never_ready: Annotated[bool, typer.Option("--never-ready", help="Its pods never become ready.")] = False,
    after: Annotated[
        float | None,
        typer.Option(
            "--after",
            metavar="DURATION",
            parser=options.parse_wait,
            help="Only so long after it became ready.",
        ),
    ] = None,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Set how the pods of one image behave. What is not given is as by default."""
    asked = {"error_rate": error_rate, "latency_ms": latency_ms, "rps": rps, "after": after}
    body: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    _steer("behave", {"image": image, "never_ready": never_ready, **body}, output, data)


@app.command()
def fail(
    part: Annotated[
        Literal["kubernetes", "prometheus"],
        typer.Argument(metavar="PART", help="kubernetes or prometheus."),
    ],
    mode: Annotated[
        Literal["down", "slow", "error", "busy"],
        typer.Option("--mode", help="No answer, a late answer, an error, or no writes for now (429)."),
    ],
    duration: Annotated[
        float,
        typer.Option("--for", metavar="DURATION", parser=options.parse_wait, help="How long, such as 30s."),
    ],
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Let one part of the sandbox fail for a while."""
    _steer("fail", {"part": part, "mode": mode, "for": duration}, output, data)


def _steer(verb: str, body: dict[str, Any], form: Format, data: Path) -> None:
    from holdpoint.cli.connection import steering

    with steering(data) as sandbox:
        _, answer = sandbox.post(verb, body)
    asked = ", ".join(f"{name} {value}" for name, value in body.items())
    Output(form).answer(answer, lambda _: f"sandbox {verb}: {asked}")
