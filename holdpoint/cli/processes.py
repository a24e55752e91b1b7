"""`holdpoint worker` and `holdpoint api`: the production entry points; settings of file and environment."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from holdpoint.cli import options
from holdpoint.cli.output import Format, Output

if TYPE_CHECKING:
    from holdpoint.models.settings import Settings

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", metavar="FILE", help="Read this file in place of <data>/settings.yaml."),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="HOLDPOINT_DATA",
        show_envvar=True,
        file_okay=False,
        help="The data folder (default: `data` of the settings, or .holdpoint).",
    ),
]


class WithSettings(typer.core.TyperCommand):
    """A command whose help ends with every setting, made from the settings' own model."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the settings as a list. The model is slow to import, so only help does."""
        from holdpoint.cli.settings_help import HEAD, rows

        with formatter.section(HEAD):
            formatter.write_dl(rows())


def worker(
    make_current: Annotated[
        bool,
        typer.Option(
            "--make-current",
            help="Run no worker: let this release take new tickets once a worker of it is there.",
        ),
    ] = False,
    health_address: Annotated[
        str | None,
        typer.Option(
            "--health-address", metavar="HOST:PORT", help="Answer health, readiness and metrics there."
        ),
    ] = None,
    settings: SettingsFile = None,
    output: options.Output = Format.TEXT,
    data: DataFolder = None,
) -> None:
    """Run a worker until it is told to stop, then drain. Options win over the environment, it over files."""
    from holdpoint.service.settings import load_settings

    loaded = load_settings(data, os.environ, file=settings, health_address=health_address)
    if make_current:
        from holdpoint.service import process_end

        # Python's own end was seen to crash (exit -6 after the work was done): Temporal's threads outlive it.
        process_end.run(_make_current(loaded, output))
    from worker.main import run

    run(loaded)


async def _make_current(settings: "Settings", output: Format) -> None:
    from holdpoint.telemetry import logs
    from worker.deploy import deploy

    logs.configure(level=settings.log_level)  # stdout is for the document alone
    Output(output).answer((await deploy(settings)).model_dump(mode="json"), deployed_text)


def deployed_text(document: dict[str, Any]) -> str:
    """Return which version is current, and how each of the others stands."""
    others = [f"  {one['build_id']}: {one['drainage']}" for one in document["others"]]
    return "\n".join([f"new tickets go to {document['build_id']}", *others])


def api(
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="The port to listen on.", show_default=False),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="The address to listen on.", show_default=False)
    ] = None,
    settings: SettingsFile = None,
    output: options.Output = Format.TEXT,
    data: DataFolder = None,
) -> None:
    """Run the API until it is told to stop, then drain. Options win over the environment, it over files."""
    from holdpoint.api.server import run
    from holdpoint.models.server_addresses import split_address
    from holdpoint.models.settings import Settings
    from holdpoint.service.settings import load_settings
    from holdpoint.telemetry import logs
    from worker.preview import evaluation

    found: Settings = load_settings(data, os.environ, file=settings)
    if host is not None or port is not None:
        known_host, known_port = split_address(found.api_address)
        host, port = host if host is not None else known_host, port if port is not None else known_port
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        found = load_settings(data, os.environ, file=settings, api_address=address)
    logs.configure(level=found.log_level)
    run(found, evaluation=evaluation(found))
