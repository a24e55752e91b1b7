"""`holdpoint worker` and `holdpoint api`: the production entry points; settings of file and environment."""

import os
from typing import Annotated

import typer

from holdpoint.cli import options
from holdpoint.cli.output import Format
from holdpoint.models.errors import SettingsError


def worker(
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Run a worker until it is told to stop. Settings: <data>/settings.yaml, HOLDPOINT_<FIELD> over it."""
    from holdpoint.service.settings import load_settings
    from worker.main import run

    run(load_settings(data, os.environ))


def api(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on.")] = 8300,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Run the API until it is told to stop. Settings: <data>/settings.yaml, HOLDPOINT_<FIELD> over it."""
    from holdpoint.api.server import run
    from holdpoint.service.settings import load_settings
    from worker import logs
    from worker.preview import evaluation

    logs.configure()
    settings = load_settings(data, os.environ)
    try:
        run(settings, host=host, port=port, evaluation=evaluation(settings))
    except OSError as error:
        raise SettingsError(f"The API cannot listen on {host}:{port}: {error.strerror or error}.") from error
