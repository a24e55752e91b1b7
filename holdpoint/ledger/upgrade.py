"""Bring the tables to the newest revision, once, whoever else wants to do the same."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from holdpoint.ledger.grants import grant
from holdpoint.models.base import Model
from holdpoint.models.errors import SettingsError, UpstreamUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = text("SELECT pg_advisory_xact_lock(7217351)")
"""An arbitrary number, that of nobody else's lock in this database."""

_PATIENCE = (
    text("SET LOCAL lock_timeout = '60s'"),
    text("SET LOCAL statement_timeout = '600s'"),
    text("SET LOCAL idle_in_transaction_session_timeout = '60s'"),
)
"""Building an index over a large ledger takes minutes, and the others wait for who does it."""


_NO_PRIVILEGE = "42501"
"""PostgreSQL's SQLSTATE, appendix A; SQLite has no roles."""


class Migrated(Model):
    """The revision of the tables as they were found, None where there were none, and as they are now."""

    before: str | None
    after: str | None


def upgrade(db: Connection, revision: str = "head", *, grant_to: str | None = None) -> Migrated:
    """Run the migrations up to a revision; none where it is reached already.

    `grant_to` is the role that API and workers connect as, where it is another one than ours. Raises
    UpstreamUnavailable when the tables are newer than that, and SettingsError when the role may not migrate:
    processes run as one that may not, on purpose.
    """
    if db.dialect.name == "postgresql":
        for setting in _PATIENCE:
            db.execute(setting)
        db.execute(_LOCK)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = db
    migration = MigrationContext.configure(db)
    try:
        before = migration.get_current_revision()
        command.upgrade(config, revision)
        if grant_to is not None:
            grant(db, grant_to)
        return Migrated(before=before, after=migration.get_current_revision())
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _NO_PRIVILEGE:
            raise
        raise SettingsError(
            "The ledger is not migrated to this release, and the role of ledger_url may not do so. Run "
            "`holdpoint migrate` with the ledger_url of the owner of its tables, then start again; "
            "docs/operations.md says how."
        ) from error
    except CommandError as error:
        raise UpstreamUnavailable(
            f"The ledger's tables are of a version that this Holdpoint does not know: {error}. Take a newer."
        ) from error
