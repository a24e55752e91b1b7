"""How canary and stable did from scrape to scrape, pod by pod: asked of a Prometheus, for the comparison."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import floor
from typing import NamedTuple

from activities.fleet_counters import Block, Counters, Place, counters_of
from activities.transcript import Transcript
from holdpoint.clients.metrics import Metrics, RangeQuery
from holdpoint.judge.comparison import Compared, Comparison, Look
from holdpoint.judge.noise import clumps, tolerated
from holdpoint.models.change import Analysis

HISTORY = 600.0
"""Seconds of stable before the canary, which tell how bad requests clump and how pods differ."""

HISTORY_STEP = 5.0
"""Seconds: the smallest block in which clumps are looked for."""

LAG = 0.5
"""Seconds after which a scrape can be asked for: what is too young would be another answer a moment later."""

MOST_BLOCKS = 1000
"""A canary of days is judged in longer blocks: an answer has a size."""


class Grid(NamedTuple):
    """Moments (Unix seconds), each `step` seconds after the one before; at least one."""

    moments: list[float]
    step: float


class Fleet:
    """Compares a canary with stable, and keeps what was asked and answered as evidence."""

    def __init__(self, metrics: Metrics, place: Place, analysis: Analysis) -> None:
        self._metrics, self._place, self._analysis = metrics, place, analysis
        self._pairs: list[tuple[Counters, Comparison]] | None = None
        self._step, self._next = place.every, 0.0
        self.history, self.asked = Transcript(), Transcript()

    async def compared(self, now: datetime, *, baked: bool, deadline: bool) -> dict[str, Compared]:
        """Return what the comparison finds of each metric, over all whole scrapes since the canary began.

        Raises UpstreamUnavailable and StepConfig.
        """
        if self._pairs is None:
            self._pairs = await self._begun(now)
        place = self._place
        moments = _moments(self._next, now.timestamp() - LAG, self._step)
        if moments:
            self._next = moments[-1] + self._step
            for counters, comparison in self._pairs:
                deployments = place.canary + place.stable
                grid = Grid(moments, self._step)
                for block in await _blocks(self._metrics, counters, deployments, grid, self.asked):
                    comparison.add([self._look(block, edge) for edge in range(counters.edges)])
        return {
            comparison.name: comparison.finding(baked=baked, deadline=deadline, metrics=len(self._pairs))
            for _, comparison in self._pairs
        }

    async def _begun(self, now: datetime) -> list[tuple[Counters, Comparison]]:
        """Return each metric with a comparison that knows stable's history."""
        place, began, self.history = self._place, self._place.began.timestamp(), Transcript()
        self._step = max(place.every, (now.timestamp() - began) / MOST_BLOCKS)
        grid = history_grid(began, self._step)
        self._next = (floor(grid.moments[-1] / self._step) + 1) * self._step
        pairs = []
        for counters in await counters_of(self._analysis, self._metrics, place, now):
            blocks = await _blocks(self._metrics, counters, place.stable, grid, self.history)
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
            tolerated=max(tolerated(counts, clumped.phi) for counts in edges),
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


def history_grid(began: float, every: float) -> Grid:
    """Return the moments of the ten minutes before a canary."""
    step = max(every, HISTORY_STEP)
    return Grid(_moments(floor((began - HISTORY) / step) * step, began, step), step)


async def _blocks(
    metrics: Metrics, counters: Counters, deployments: list[str], grid: Grid, kept: Transcript
) -> list[Block]:
    """Return what each pod counted up to each moment, at each edge."""
    start, end = (datetime.fromtimestamp(moment, UTC) for moment in (grid.moments[0], grid.moments[-1]))
    query = RangeQuery(text=counters.query(deployments), start=start, end=end, step=grid.step)
    answer = await metrics.series(query)
    kept.add(query, answer)
    return counters.taken(answer, grid.moments)


def _moments(first: float, last: float, step: float) -> list[float]:
    """Return the moments from the first on, up to the last, to the millisecond as they are asked for."""
    return [round(first + number * step, 3) for number in range(floor((last - first) / step) + 1)]
