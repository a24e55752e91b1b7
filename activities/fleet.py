"""How canary and stable did from scrape to scrape, pod by pod: asked of a Prometheus, for the comparison."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from math import floor

from activities.fleet_counters import Block, Counters, Place, counters_of
from activities.grid import Grid, history_grid, moments_of, step_of
from activities.transcript import Transcript
from holdpoint.clients.metrics import Metrics
from holdpoint.judge.comparison import Compared, Comparison, Look
from holdpoint.judge.noise import clumps, tolerated
from holdpoint.models.analysis import Analysis


class Fleet:
    """Compares a canary with stable, and keeps what was asked and answered as evidence.

    It looks at what the analysis says of requests, or at `only` these counters.
    """

    def __init__(
        self, metrics: Metrics, place: Place, analysis: Analysis, only: Sequence[Counters] | None = None
    ) -> None:
        self._metrics, self._place, self._analysis, self._only = metrics, place, analysis, only
        self._pairs: list[tuple[Counters, Comparison]] | None = None
        self._step, self._next = place.every, 0.0
        self.history, self.asked = Transcript(), Transcript()

    async def compared(
        self, now: datetime, *, baked: bool, deadline: bool, others: int = 0
    ) -> dict[str, Compared]:
        """Return what the comparison finds of each metric, over all whole scrapes since the canary began.

        `others` is how many metrics are judged beside these. Raises UpstreamUnavailable and StepConfig.
        """
        if self._pairs is None:
            self._pairs = await self._begun(now)
        place = self._place
        moments = moments_of(self._next, now.timestamp() - place.lag, self._step)
        if moments:
            self._next = moments[-1] + self._step
            for counters, comparison in self._pairs:
                deployments = place.canary + place.stable
                grid = Grid(moments, self._step)
                for block in await _blocks(self._metrics, counters, deployments, grid, self.asked):
                    comparison.add([self._look(block, edge) for edge in range(counters.edges)])
        count = len(self._pairs) + others
        return {
            comparison.name: comparison.finding(baked=baked, deadline=deadline, metrics=count)
            for _, comparison in self._pairs
        }

    async def _begun(self, now: datetime) -> list[tuple[Counters, Comparison]]:
        """Return each metric with a comparison that knows stable's history."""
        place, began, self.history = self._place, self._place.began.timestamp(), Transcript()
        self._step = step_of(place.every, began, now)
        grid = history_grid(began, self._step)
        self._next = (floor(grid.moments[-1] / self._step) + 1) * self._step
        found = self._only or await counters_of(self._analysis, self._metrics, place, now)
        pairs = []
        for counters in found:
            before = place.stable or place.canary
            blocks = await _blocks(self._metrics, counters, before, grid, self.history)
            pairs.append((counters, self._comparison(counters, blocks, grid.step)))
        return pairs

    def _comparison(self, counters: Counters, history: Sequence[Block], step: float) -> Comparison:
        edges = [
            [{pod: counts[edge] for (_, pod), counts in block.items()} for block in history]
            for edge in range(counters.edges)
        ]
        clumped = max(clumps(counts, step) for counts in edges)
        return Comparison(
            counters.name,
            allowed=counters.allowed,
            edges=counters.edges,
            every=self._step,
            tolerated=counters.tolerated or max(tolerated(counts, clumped.phi) for counts in edges),
            clumps=clumped,
            quiet=not any(bad for counts in edges for block in counts for _, bad in block.values()),
        )

    def _look(self, block: Block, edge: int) -> Look:
        canary = {pod: counts[edge] for (name, pod), counts in block.items() if name in self._place.canary}
        stable = [counts[edge] for (name, _), counts in block.items() if name in self._place.stable]
        return Look(canary, (sum(n for n, _ in stable), sum(k for _, k in stable)))


async def history_of(metrics: Metrics, place: Place, counters: Counters) -> list[Block]:
    """Return what each pod of stable counted in the ten minutes before a canary."""
    grid = history_grid(place.began.timestamp(), place.every)
    return await _blocks(metrics, counters, place.stable, grid, Transcript())


async def _blocks(
    metrics: Metrics, counters: Counters, deployments: list[str], grid: Grid, kept: Transcript
) -> list[Block]:
    """Return what each pod counted up to each moment, at each edge."""
    queries = [grid.asked(text) for text in counters.queries(deployments)]
    answers = await asyncio.gather(*(metrics.series(query) for query in queries))
    for query, answer in zip(queries, answers, strict=True):
        kept.add(query, answer)
    texts = [query.text for query in queries]
    return counters.taken(dict(zip(texts, answers, strict=True)), grid.moments)
