"""What operators need of the whole installation, read from the ledger: the same in every API process.

Gauges are how it stands; counters and histograms follow the record's new entries, whoever wrote them, so that
a worker that was killed takes nothing with it. Every API process counts every entry: take the `max` of them.
"""

import asyncio

from holdpoint.ledger import head, statistics
from holdpoint.ledger.statistics import Told
from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.telemetry.bounds import Bounds
from holdpoint.telemetry.metrics import Metrics
from holdpoint.telemetry.standing import Gauges
from holdpoint.telemetry.story import Story, asks_when_entered

EVERY = 10.0
"""Seconds between two looks: shorter than any usual scrape interval, and a few indexed queries each."""
PAGE = 500


class Installation:
    """The installation's metrics, kept up to date until cancelled."""

    def __init__(self, metrics: Metrics, ledger: Ledger, bounds: Bounds) -> None:
        self._ledger = ledger
        self._gauges, self._story = Gauges(metrics, bounds), Story(metrics, bounds)
        self._seq: int | None = None

    async def run(self) -> None:
        """Look again and again, until cancelled. While the ledger is away its gauge says so."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Look once."""
        try:
            self._gauges.show(await self._ledger.read(statistics.standing))
            await self._follow()
        except UpstreamUnavailable:
            self._gauges.ledger_up.set(0)

    async def _follow(self) -> None:
        """Count what is new in the record since the last look; what was there at the start is not counted."""
        if self._seq is None:
            self._seq = (await self._ledger.read(head.read)).seq
        while told := await self._ledger.read(statistics.told_after, self._seq, PAGE):
            for one in told:
                self._story.count(one)
                if asks_when_entered(one):
                    await self._time(one)
                self._seq = one.entry.seq

    async def _time(self, told: Told) -> None:
        ticket, seq = told.entry.ticket, told.entry.seq
        entered = await self._ledger.read(statistics.entered_before, ticket or "", seq)
        if entered is not None:
            self._story.left(told, entered)
