"""PostgreSQL keeps entries as they are, too."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Guard the entries where SQLite's triggers do not."""
    if op.get_bind().dialect.name == "postgresql":
        _guard()


def _guard() -> None:
    op.execute(
        "CREATE FUNCTION entries_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'the record is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for verb in ("UPDATE", "DELETE", "TRUNCATE"):
        op.execute(
            f"CREATE TRIGGER entries_no_{verb.lower()} BEFORE {verb} ON entries "
            "FOR EACH STATEMENT EXECUTE FUNCTION entries_are_append_only()"
        )
