"""What the role of API and workers may do on PostgreSQL: add to the record and read it, never change it.

The owner of the tables grants it with each migration; `deploy/postgres/roles.sql` makes the two roles.
"""

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from holdpoint.ledger.schema import metadata
from holdpoint.models.errors import SettingsError

CHANGED = ("bans", "freezes", "head", "intents", "lane", "outbox", "targets", "tickets")
"""Their rows say what is so now. Entries, tiles, checkpoints and blobs are missing on purpose."""
REMOVED = ("archives", "idempotency_keys", "lane")
SEQUENCES = ("lane_id_seq", "outbox_id_seq")
MIGRATIONS = "alembic_version"
"""The application only looks which revision it has found."""

_NO_SUCH_ROLE = "42704"
"""PostgreSQL's SQLSTATE, appendix A."""


def grant(db: Connection, role: str) -> None:
    """Let a role do what API and workers do, and nothing else.

    Raises SettingsError without such a role, and for our own, which would lose what an owner may.
    """
    if db.dialect.name != "postgresql":
        raise SettingsError("--grant-to: only PostgreSQL has roles; leave it out.")
    if db.scalar(text("SELECT current_user")) == role:
        raise SettingsError(f"--grant-to: {role!r} is the role that migrates; name that of API and workers.")
    try:
        for statement in statements(role):
            db.execute(text(statement.replace(":", r"\:")))  # a colon in a name is no parameter
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _NO_SUCH_ROLE:
            raise
        raise SettingsError(
            f"--grant-to: the database has no role {role!r}. deploy/postgres/roles.sql makes the roles."
        ) from error


def statements(role: str) -> list[str]:
    """Return the SQL for a role."""
    tables = sorted(metadata.tables)
    role = '"' + role.replace('"', '""') + '"'
    return [
        f"REVOKE ALL ON {', '.join([*tables, MIGRATIONS])} FROM {role}",
        f"GRANT SELECT ON {MIGRATIONS} TO {role}",
        f"GRANT SELECT, INSERT ON {', '.join(tables)} TO {role}",
        f"GRANT UPDATE ON {', '.join(CHANGED)} TO {role}",
        f"GRANT DELETE ON {', '.join(REMOVED)} TO {role}",
        f"GRANT USAGE ON SEQUENCE {', '.join(SEQUENCES)} TO {role}",
    ]
