"""News from the ledger: one poller for the whole process notices new entries, however many wait for them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from holdpoint.ledger import entries, head
from holdpoint.ledger.store import Ledger

EVERY = 0.15
"""Seconds between two looks at the sequence: quick to a reader's eye, and one indexed row for the ledger."""
PAGE = 500


class News:
    """What one listener is told: that its ticket got an entry, or that nothing comes any more."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.over = False

    def arrived(self) -> None:
        """Let the waiter go on."""
        self._event.set()

    async def within(self, seconds: float) -> bool:
        """Tell whether something arrived within so many seconds; each arrival is told once."""
        if self.over or seconds <= 0:
            return False
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return not self.over


class Feed:
    """Tells who listens that a ticket has news."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._listeners: dict[str, set[News]] = defaultdict(set)
        self._seq: int | None = None
        self._closed = False

    async def run(self) -> None:
        """Look for new entries until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Look once, and tell everybody whose ticket has new entries."""
        if self._seq is None:
            self._seq = (await self._ledger.read(head.read)).seq
            # What came before the first look may have been waited for already.
            self._tell(set(self._listeners))
        while new := await self._ledger.read(entries.tickets_after, self._seq, PAGE):
            self._seq = new[-1][0]
            self._tell({ticket for _, ticket in new if ticket})

    @contextmanager
    def listening(self, ticket: str) -> Iterator[News]:
        """Listen to one ticket. Begin before reading the ledger, so that nothing falls between."""
        news = News()
        news.over = self._closed
        self._listeners[ticket].add(news)
        try:
            yield news
        finally:
            self._listeners[ticket].discard(news)
            if not self._listeners[ticket]:
                del self._listeners[ticket]

    def close(self) -> None:
        """Let everybody go: the process is about to stop."""
        self._closed = True
        for listeners in self._listeners.values():
            for news in listeners:
                news.over = True
                news.arrived()

    def _tell(self, tickets: set[str]) -> None:
        for ticket in tickets & set(self._listeners):
            for news in self._listeners[ticket]:
                news.arrived()
