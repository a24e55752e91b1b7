"""The database's clock: the only one that deadlines, leases and the ends of freezes are set and compared by.

Workers' clocks differ, and a stopped process does not notice that time went on.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Connection, cast, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class now_ms(FunctionElement[int]):  # noqa: N801 - it reads as a SQL function
    """Milliseconds since 1970 by the database's clock, also inside a long transaction."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms, "sqlite")
def _sqlite(element: now_ms, compiler: SQLCompiler, **_: object) -> str:
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"


@compiles(now_ms)
def _standard(element: now_ms, compiler: SQLCompiler, **_: object) -> str:
    # clock_timestamp, not now(): the latter stands still within a transaction.
    return compiler.process(cast(literal_column("extract(epoch from clock_timestamp()) * 1000"), BigInteger))


_NOW = select(now_ms())


def read_ms(db: Connection) -> int:
    """Return the database's time in milliseconds since 1970."""
    return int(db.execute(_NOW).scalar_one())


def now(db: Connection) -> datetime:
    """Return the database's time, in UTC."""
    return instant(read_ms(db))


def instant(ms: int) -> datetime:
    """Return the moment of so many milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=ms)


def optional_instant(ms: int | None) -> datetime | None:
    """Return the moment, or None where there is none."""
    return None if ms is None else instant(ms)


def to_ms(moment: datetime) -> int:
    """Return a moment as milliseconds since 1970."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def rfc3339(moment: datetime) -> str:
    """Return a moment as the record writes it: RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
