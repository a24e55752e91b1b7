"""Wake the tickets that wait for a window when somebody has edited the catalog, which is where windows stand.

Without it they would notice at their next look, up to 15 minutes later. Several workers may watch one file:
the outbox takes the wake-up of one ticket for one edit once.
"""

import asyncio
from pathlib import Path

from holdpoint.ledger import outbox, tickets
from holdpoint.ledger.store import Ledger
from holdpoint.models.ticket import HoldCode
from worker.rounds import repeat

EVERY = 2.0
"""Seconds between two looks at the file: one `stat`. A file on a network share tells nobody of its edits."""
AT_MOST = 5000
"""Open tickets looked through after an edit."""


class CatalogWatch:
    """Looks at the catalog's file again and again. Its first look counts as an edit: nobody looked before."""

    def __init__(self, *, ledger: Ledger, path: Path) -> None:
        self._ledger, self._path = ledger, path
        self._seen: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set. A look that fails is logged; the next one is for the same edit."""
        await repeat(self.look, stop, every=EVERY, failed="catalog_watch.failed")

    async def look(self) -> list[str]:
        """Return the tickets that are woken because the file is another one than at the last look."""
        edit = self._edit()
        if edit is None or edit == self._seen:
            return []
        views = await self._ledger.read(tickets.list_tickets, open_only=True, limit=AT_MOST)
        waiting = [view.id for view in views if any(hold.code is HoldCode.WINDOW for hold in view.holds)]
        for ticket in waiting:
            await self._ledger.write(
                outbox.post,
                kind="wake",
                ticket=ticket,
                body={"cause": "catalog"},
                key=f"{ticket}/catalog/{edit}",
            )
        self._seen = edit
        return waiting

    def _edit(self) -> str | None:
        """Return what tells one edit from the next; None while there is no file."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return f"{status.st_mtime_ns}-{status.st_size}"
