"""The tables.

Times are milliseconds since 1970 by the database's clock; JSON is kept as text, so that every
database gives back what was written. The migrations make these tables; a test holds the two against each
other.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

metadata = MetaData()


class RawBytes(TypeDecorator[bytes]):
    """Bytes, also where someone edited the file by hand and SQLite gives back text."""

    impl = LargeBinary
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:
        """Return what is stored, as bytes."""
        return value if value is None or isinstance(value, bytes) else str(value).encode()


AUTO = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only where the type is exactly INTEGER."""

head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)

entries = Table(
    "entries",
    metadata,
    Column("seq", AUTO, primary_key=True, autoincrement=False),
    Column("ticket", String(64)),
    Column("key", Text, nullable=False, unique=True),
    Column("kind", String(64), nullable=False),
    Column("raw", RawBytes, nullable=False),
    Column("leaf", RawBytes, nullable=False),
    Index("entries_by_ticket", "ticket", "seq"),
)

tiles = Table(
    "tiles",
    metadata,
    Column("idx", AUTO, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", AUTO, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("phase", String(32), nullable=False),
    Column("open", Boolean, nullable=False),
    Column("service", String(64), nullable=False),
    Column("environment", String(64), nullable=False),
    Column("target", String(255), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("plan_shape", String(128)),
    Column("artifact", String(80)),
    Column("content", String(80)),
    Column("view", Text, nullable=False),
    Column("stored", Text, nullable=False),
    Index("tickets_by_age", "created_at", "id"),
    Index("tickets_by_service", "service", "environment", "phase"),
    Index("tickets_by_target", "target", "phase", "closed_at"),
    Index("tickets_by_artifact", "service", "artifact", "phase"),
    Index("tickets_open", "open"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("content", Text, nullable=False),
    Column("ticket", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

intents = Table(
    "intents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("ticket", String(64), nullable=False),
    Column("target", String(255), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("service", String(64), nullable=False),
    Column("environment", String(64), nullable=False),
    Column("status", String(8), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("opened_seq", BigInteger, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("deferred", Boolean, nullable=False),
    Column("request", Text, nullable=False),
    Column("result", Text),
    Index("intents_by_ticket", "ticket", "opened_seq"),
    Index("intents_by_status", "status", "direction", "target"),
)

freezes = Table(
    "freezes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("scope", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("except_types", Text, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("lifted_at", BigInteger),
    Column("lifted_by", Text),
    Column("acknowledged_at", BigInteger),
    Column("facts", Text),
    Index("freezes_in_force", "ended"),
)

targets = Table(
    "targets",
    metadata,
    Column("target", String(255), primary_key=True),
    Column("holder_ticket", String(64)),
    Column("holder_run", String(255)),
    Column("dirty", Boolean, nullable=False),
    Column("snapshot", String(80)),
    Column("rollout", Text),
)

lane = Table(
    "lane",
    metadata,
    Column("id", AUTO, primary_key=True, autoincrement=True),
    Column("target", String(255), nullable=False),
    Column("ticket", String(64), nullable=False),
    Column("priority", Integer, nullable=False),
    UniqueConstraint("target", "ticket", name="lane_place"),
    Index("lane_order", "target", "priority", "id"),
)

dependencies = Table(
    "dependencies",
    metadata,
    Column("ticket", String(64), primary_key=True),
    Column("needs", String(64), primary_key=True),
    Index("dependencies_by_need", "needs"),
)

bans = Table(
    "bans",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service", String(64), nullable=False),
    Column("environment", String(64), nullable=False),
    Column("target", String(255), nullable=False),
    Column("covers", String(16), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("artifact", String(80), nullable=False),
    Column("ticket", String(64), nullable=False),
    Column("code", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("lifted_at", BigInteger),
    Column("lifted_by", Text),
    Column("lift_reason", Text),
    Index("bans_by_digest", "service", "digest"),
)

ticket_targets = Table(
    "ticket_targets",
    metadata,
    Column("ticket", String(64), primary_key=True),
    Column("target", String(255), primary_key=True),
    Index("ticket_targets_by_target", "target"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", AUTO, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("ticket", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("delivered_at", BigInteger),
    Index("outbox_due", "delivered_at", "due_at"),
)

blobs = Table(
    "blobs",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

archives = Table(
    "archives",
    metadata,
    Column("ticket", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
)
