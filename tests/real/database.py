"""The ledger's own database in the stack's PostgreSQL."""

import secrets
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.real.kubernetes_admin import ROOT


class Database:
    """The ledger's database, with the roles that `deploy/postgres` ships."""

    def __init__(self, server: str) -> None:
        self._server = server.replace("postgresql+psycopg", "postgresql")
        self._name = f"holdpoint_{uuid.uuid4().hex[:8]}"
        self._password = secrets.token_urlsafe(16)

    @property
    def owner_url(self) -> str:
        """Return the address for who owns the tables."""
        return self._url("holdpoint_owner")

    def create(self) -> None:
        """Make database and roles; `holdpoint migrate` makes the tables."""
        with psycopg.connect(self._server, autocommit=True) as db:
            db.execute(f"CREATE DATABASE {self._name}".encode())
        with psycopg.connect(self._admin_url(), autocommit=True) as db:
            for role in ("holdpoint_owner", "holdpoint_app"):
                # Roles belong to the server: an installation before us may have been killed.
                db.execute(f"DROP ROLE IF EXISTS {role}".encode())
            db.execute((ROOT / "deploy/postgres/roles.sql").read_bytes())
            for role in ("holdpoint_owner", "holdpoint_app"):
                db.execute(f"ALTER ROLE {role} PASSWORD '{self._password}'".encode())

    def drop(self) -> None:
        """Take it back."""
        with psycopg.connect(self._server, autocommit=True) as db:
            db.execute(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)".encode())
            db.execute(b"DROP ROLE IF EXISTS holdpoint_owner, holdpoint_app")

    def ledger_url(self, role: str, port: int | None = None) -> str:
        """Return `ledger_url` for a role, at a port of this machine or the server's own."""
        return f"postgresql://{role}@127.0.0.1:{port or urlsplit(self._server).port}/{self._name}"

    def password_file(self, folder: Path) -> Path:
        """Return the file with the password of both roles."""
        file = folder / "ledger.password"
        file.write_text(self._password)
        return file

    def _url(self, user: str) -> str:
        place = urlsplit(self._server)
        return f"postgresql://{user}:{self._password}@{place.hostname}:{place.port}/{self._name}"

    def _admin_url(self) -> str:
        return self._server.rpartition("/")[0] + f"/{self._name}"
