"""One update at a time for each ticket: an execution takes ten in flight, and people see their order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A lock for each ticket that somebody is at."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def of(self, ticket: str) -> AsyncIterator[None]:
        """Hold the ticket's turn; the lock is forgotten when nobody waits for it."""
        lock = self._locks.setdefault(ticket, asyncio.Lock())
        self._users[ticket] = self._users.get(ticket, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._users[ticket] -= 1
            if not self._users[ticket]:
                del self._users[ticket], self._locks[ticket]
