"""The way into the ledger: one connection and one transaction for each verb, in a thread."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from holdpoint.ledger.at_once import AT_ONCE, Memory
from holdpoint.ledger.engines import READERS, WRITERS, ledger_url, postgresql_engine, sqlite_engines
from holdpoint.ledger.outages import edge
from holdpoint.ledger.upgrade import Migrated, upgrade

P = ParamSpec("P")
R = TypeVar("R")
Verb = Callable[Concatenate[Connection, P], R]


class Ledger:
    """The ledger of one installation, by its SQLAlchemy URL. Use from one event loop or from many threads."""

    def __init__(self, url: str, password_file: Path | None = None) -> None:
        address = ledger_url(url)
        self._sqlite = address.get_backend_name() == "sqlite"
        if self._sqlite:
            self._writing, self._reading = sqlite_engines(address)
        else:
            self._writing = postgresql_engine(address, password_file, writes=True)
            self._reading = postgresql_engine(address, password_file, writes=False)
        self._memory = Memory()
        # Threads of one process queue on a lock: it is fair and quick, SQLite's own waiting is neither.
        self._one_writer = threading.Lock() if self._sqlite else nullcontext()
        self._writers = ThreadPoolExecutor(1 if self._sqlite else WRITERS, "ledger-write")
        self._readers = ThreadPoolExecutor(READERS, "ledger-read")

    @property
    def shared(self) -> bool:
        """Tell whether several machines may use this ledger: then nothing may lie on one's disk alone."""
        return not self._sqlite

    async def write(self, verb: Verb[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the verb in one writing transaction. Raises UpstreamUnavailable.

        A cancelled caller does not undo it: like every verb it is safe to repeat.
        """
        return await _in_a_thread(self._writers, partial(self.write_now, verb, *args, **kwargs))

    async def read(self, verb: Verb[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the verb on one consistent snapshot, without the write lock. Raises UpstreamUnavailable."""
        return await _in_a_thread(self._readers, partial(self.read_now, verb, *args, **kwargs))

    def write_now(self, verb: Verb[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do what `write` does, in this thread."""
        at_once = None if self._sqlite else AT_ONCE.get(verb)
        if at_once is not None:
            # One statement is its own transaction: there is nothing to begin and to commit.
            with edge(), self._writing.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
                answer: R | None = at_once(db, self._memory, *args, **kwargs)
            if answer is not None:
                return answer
        with self._one_writer:
            return self._transact(True, verb, *args, **kwargs)

    def read_now(self, verb: Verb[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do what `read` does, in this thread."""
        return self._transact(False, verb, *args, **kwargs)

    def _transact(self, writes: bool, verb: Verb[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        engine = self._writing if writes else self._reading
        with edge(), engine.connect() as db, db.begin():
            return verb(db, *args, **kwargs)

    def migrate(self, *, grant_to: str | None = None) -> Migrated:
        """Bring the tables to the newest revision, in one transaction. Raises what `upgrade` raises.

        `grant_to` is a role that is let work with them, in the same transaction. Any number of processes may
        do so at once: the first does the work, the others wait for it.
        """
        return self.write_now(upgrade, grant_to=grant_to)

    def close(self) -> None:
        """Wait for what runs and give the connections back."""
        self._writers.shutdown()
        self._readers.shutdown()
        self._writing.dispose()
        self._reading.dispose()


async def _in_a_thread(threads: ThreadPoolExecutor, work: Callable[[], R]) -> R:
    # With the caller's context: an order in the outbox belongs to the caller's trace.
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(threads, partial(context.run, work))
