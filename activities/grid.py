"""The moments at which metrics are asked for: one for each scrape, since a canary began and before it."""

from datetime import UTC, datetime
from math import ceil, floor
from typing import NamedTuple

from holdpoint.clients.metrics import RangeQuery

HISTORY = 600.0
"""Seconds of stable before the canary, which tell how bad requests clump and how pods differ."""

HISTORY_STEP = 5.0
"""Seconds: the smallest block in which clumps are looked for."""

MOST_BLOCKS = 1000
"""A canary of days is judged in longer blocks: an answer has a size."""


class Moment(NamedTuple):
    """When metrics are looked at: `judged` is how many can fail the canary together."""

    now: datetime
    baked: bool
    deadline: bool
    judged: int


class Grid(NamedTuple):
    """Moments (Unix seconds), each `step` seconds after the one before; at least one."""

    moments: list[float]
    step: float

    def asked(self, text: str) -> RangeQuery:
        """Return the query of a text at these moments."""
        start, end = (datetime.fromtimestamp(moment, UTC) for moment in (self.moments[0], self.moments[-1]))
        return RangeQuery(text=text, start=start, end=end, step=self.step)


class Scrapes:
    """The whole scrapes since a canary began: each is due until it was taken."""

    def __init__(self, began: datetime, every: float, lag: float, now: datetime) -> None:
        self.step, self._lag = step_of(every, began.timestamp(), now), lag
        self._next = ceil(began.timestamp() / self.step) * self.step

    def due(self, now: datetime) -> Grid | None:
        """Return the moments that were not taken yet; None if there is none."""
        moments = moments_of(self._next, now.timestamp() - self._lag, self.step)
        return Grid(moments, self.step) if moments else None

    def taken(self, grid: Grid) -> None:
        """Say that these moments need not be asked for again."""
        self._next = grid.moments[-1] + self.step


def step_of(every: float, began: float, now: datetime) -> float:
    """Return the seconds between two moments of a canary that began at a Unix time."""
    return max(every, (now.timestamp() - began) / MOST_BLOCKS)


def history_grid(began: float, every: float) -> Grid:
    """Return the moments of the ten minutes before a canary."""
    step = max(every, HISTORY_STEP)
    return Grid(moments_of(floor((began - HISTORY) / step) * step, began, step), step)


def moments_of(first: float, last: float, step: float) -> list[float]:
    """Return the moments from the first on, up to the last, to the millisecond as they are asked for."""
    return [round(first + number * step, 3) for number in range(floor((last - first) / step) + 1)]
