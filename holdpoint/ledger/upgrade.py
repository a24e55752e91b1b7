"""Bring the tables to the newest revision, once, whoever else wants to do the same."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text

from holdpoint.models.errors import UpstreamUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = text("SELECT pg_advisory_xact_lock(7217351)")
"""An arbitrary number, that of nobody else's lock in this database."""

_PATIENCE = (
    text("SET LOCAL lock_timeout = '60s'"),
    text("SET LOCAL statement_timeout = '600s'"),
    text("SET LOCAL idle_in_transaction_session_timeout = '60s'"),
)
"""Building an index over a large ledger takes minutes, and the others wait for who does it."""


def upgrade(db: Connection, revision: str = "head") -> None:
    """Run the migrations up to a revision. Raises UpstreamUnavailable when the tables are newer than that."""
    if db.dialect.name == "postgresql":
        for setting in _PATIENCE:
            db.execute(setting)
        db.execute(_LOCK)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = db
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise UpstreamUnavailable(
            f"The ledger's tables are of a version that this Holdpoint does not know: {error}. Take a newer."
        ) from error
