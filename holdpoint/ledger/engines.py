"""How the ledger reaches its database: pools, time limits, passwords.

SQLite: `BEGIN IMMEDIATE` and `synchronous=FULL`, so that what a verb read cannot change before it writes, and
what it wrote survives a power cut. PostgreSQL: READ COMMITTED for verbs that write, each of which locks the
head row first; REPEATABLE READ for those that read, so that they see one moment.
"""

import time
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError

from holdpoint.models.errors import SettingsError, UpstreamUnavailable

READERS = 4
WRITERS = 4
"""Connections of one process to PostgreSQL. Writers queue on one row, so that more of them gain nothing;
twelve processes still fit in PostgreSQL's default of 100."""

BUSY_MS = 15_000
"""SQLite: how long a transaction waits for another process. A verb takes a millisecond: a stuck disk."""

POOL_WAIT_S = 15.0
"""How long a verb waits for a free connection of its own process."""

IDLE_IN_TRANSACTION_MS = 5_000
"""A process that is stopped inside a transaction keeps the head row: after this the server ends it, and the
others, who wait for up to LOCK_MS, go on. The bound that a stopped process can hold everybody up."""

LOCK_MS = 10_000
STATEMENT_MS = 60_000
"""An export of a large ledger takes seconds; beyond a minute something is wrong with the server."""

READING_IDLE_MS = 600_000
"""A reader holds no lock; what it has read may take long to hash and to sign."""

CONNECT_S = 5
LOST_MS = 15_000
"""TCP: how long what we sent may stay unacknowledged until the connection counts as lost."""

FRESH_S = 1.0
"""A connection that was used this recently is not asked whether it still works: that is a round trip."""


def ledger_url(text: str) -> URL:
    """Return the URL of SQLite or PostgreSQL, with our driver. Raises SettingsError that never shows it."""
    wanted = "Give sqlite:////srv/holdpoint/ledger.db or postgresql://user@host:5432/database."
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The cause would carry the URL, and with it perhaps a password.
        raise SettingsError(f"ledger_url: it is not a database URL. {wanted}") from None
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        return url
    if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise SettingsError(f"ledger_url: {url.drivername!r} is no database that the ledger knows. {wanted}")
    if not url.database:
        raise SettingsError(f"ledger_url: it names no database. {wanted}")
    return url.set(drivername="postgresql+psycopg")


def sqlite_engines(url: URL) -> tuple[Engine, Engine]:
    """Return the engines of a SQLite file, for verbs that write and for those that read, over one pool."""
    engine = create_engine(
        url, connect_args={"timeout": BUSY_MS / 1000}, pool_size=READERS + 1, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine.execution_options(ledger_writes=True), engine.execution_options(ledger_writes=False)


def postgresql_engine(url: URL, password_file: Path | None, *, writes: bool) -> Engine:
    """Return an engine of PostgreSQL with its own pool, for verbs that write or for verbs that read."""
    idle = IDLE_IN_TRANSACTION_MS if writes else READING_IDLE_MS
    limits = {
        "statement_timeout": STATEMENT_MS,
        "lock_timeout": LOCK_MS,
        "idle_in_transaction_session_timeout": idle,
    }
    options = " ".join(f"-c {name}={value}" for name, value in limits.items())
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
        pool_size=WRITERS if writes else READERS,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        hide_parameters=True,
        connect_args={
            "options": f"{url.query.get('options', '')} {options}".strip(),
            "application_name": "holdpoint ledger",
            "connect_timeout": CONNECT_S,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": LOST_MS,
        },
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _still_there)
    if password_file is not None:
        event.listen(engine, "do_connect", _with_password(password_file))
    return engine


def _with_password(file: Path) -> Any:
    # Read for each new connection, so that a rotated password needs no restart.
    def connect(_dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        try:
            parameters["password"] = file.read_text().strip()
        except OSError as error:
            raise UpstreamUnavailable(
                f"ledger_password_file: {file} cannot be read: {error.strerror}."
            ) from error

    return connect


def _note_use(_dbapi: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _still_there(dbapi: Any, record: Any, _proxy: Any) -> None:
    if time.monotonic() - record.info.get("used", time.monotonic()) < FRESH_S:
        return
    before = dbapi.autocommit
    try:
        dbapi.autocommit = True  # without it the question would open a transaction
        dbapi.execute("SELECT 1")
        dbapi.autocommit = before
    except psycopg.Error as error:
        raise DisconnectionError from error  # the pool then opens another


def _prepare(dbapi: Any, _: Any) -> None:
    dbapi.isolation_level = None  # the driver must not begin transactions of its own
    cursor = dbapi.cursor()
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(db: Connection) -> None:
    writes = db.get_execution_options().get("ledger_writes", True)
    db.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
