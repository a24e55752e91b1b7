"""The way into the ledger: one connection and one transaction for each verb, in a thread.

SQLite: `BEGIN IMMEDIATE` and `synchronous=FULL`, so that what a verb read cannot change before it writes, and
what it wrote survives a power cut. Other databases: each writing verb locks the single head row first.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError

from holdpoint.models.errors import UpstreamUnavailable

P = ParamSpec("P")
R = TypeVar("R")
Verb = Callable[Concatenate[Connection, P], R]

BUSY_MS = 15_000
"""How long a transaction waits for another process; a verb takes a millisecond, so this is a stuck disk."""

READERS = 4
MIGRATIONS = Path(__file__).parent / "migrations"


class Ledger:
    """The ledger of one installation, by its SQLAlchemy URL. Use from one event loop or from many threads."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._sqlite = self._engine.dialect.name == "sqlite"
        # Threads of one process queue on a lock: it is fair and quick, SQLite's own waiting is neither.
        self._one_writer = threading.Lock() if self._sqlite else nullcontext()
        self._writers = ThreadPoolExecutor(1 if self._sqlite else READERS, "ledger-write")
        self._readers = ThreadPoolExecutor(READERS, "ledger-read")

    async def write(self, verb: Verb[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the verb in one writing transaction. Raises UpstreamUnavailable.

        A cancelled caller does not undo it: like every verb it is safe to repeat.
        """
        work = partial(self.write_now, verb, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._writers, work)

    async def read(self, verb: Verb[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the verb on one consistent snapshot, without the write lock. Raises UpstreamUnavailable."""
        work = partial(self.read_now, verb, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    def write_now(self, verb: Verb[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do what `write` does, in this thread."""
        with self._one_writer:
            return self._transact(True, verb, *args, **kwargs)

    def read_now(self, verb: Verb[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do what `read` does, in this thread."""
        return self._transact(False, verb, *args, **kwargs)

    def _transact(self, writes: bool, verb: Verb[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with self._engine.connect().execution_options(ledger_writes=writes) as db, db.begin():
                return verb(db, *args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            raise UpstreamUnavailable(f"The ledger did not answer: {error.orig}. Try again.") from error
        except DatabaseError as error:
            # The subclasses are mistakes of ours; the class itself is a damaged or foreign file.
            if type(error) is not DatabaseError:
                raise
            raise UpstreamUnavailable(f"The ledger's file cannot be read: {error.orig}.") from error

    def migrate(self) -> None:
        """Bring the tables to the newest revision, in one transaction. Raises UpstreamUnavailable."""
        self.write_now(_upgrade)

    def close(self) -> None:
        """Wait for what runs and give the connections back."""
        self._writers.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


def _upgrade(db: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = db
    command.upgrade(config, "head")


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_MS / 1000}, pool_size=READERS + 1)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(dbapi: Any, _: Any) -> None:
    dbapi.isolation_level = None  # the driver must not begin transactions of its own
    cursor = dbapi.cursor()
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(db: Connection) -> None:
    writes = db.get_execution_options().get("ledger_writes", True)
    db.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
