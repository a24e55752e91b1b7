"""Made-up traffic of a canary and nine pods of stable, each getting a tenth of the requests.

Ten minutes of history before the canary, and ten with it. Errors are Poisson distributed about a rate that
moves as the kind of trace says.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EVERY = 5.0
"""Seconds between two scrapes."""

HISTORY = 120
SCRAPES = 120
PODS = 9
BASE = 0.001
"""Stable's share of bad requests."""

BURST = 10.0
"""How many times as many errors a pod has in a burst, one in five minutes; an incident is as bad for 60 s."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """Requests of each pod in a scrape, and the bad ones by scrape and pod: the canary is pod 0."""

    requests: float
    bad: Numbers


def trace(random: np.random.Generator, kind: str, *, rps: float, ratio: float = 1.0) -> Trace:
    """Return a trace of `rps` requests a second in all, whose canary is `ratio` times as bad as stable."""
    requests = rps * EVERY / (PODS + 1)
    rate = np.full((HISTORY + SCRAPES, PODS + 1), requests * BASE)
    rate *= _factor(random, kind, rate.shape)
    if kind == "ill stable":
        rate[:, 1:] *= 200
    rate[HISTORY:, 0] *= ratio
    if kind == "pairs":
        first = random.poisson(rate / 2)
        return Trace(requests, (first + random.poisson(first)).astype(float))
    return Trace(requests, random.poisson(np.minimum(rate, requests)).astype(float))


def _factor(random: np.random.Generator, kind: str, shape: tuple[int, int]) -> Numbers:
    """Return what the rate of bad requests is multiplied by, for each scrape and pod."""
    scrapes, pods = shape
    if kind == "day":
        return np.repeat(1.5 + np.sin(np.linspace(0, 6.28, scrapes))[:, None], pods, axis=1)
    factor = np.ones(shape)
    if kind == "incident":
        begins = int(random.integers(HISTORY, scrapes - 12))
        factor[begins : begins + 12] = BURST
    if kind.endswith("bursts"):
        length = 1 if kind.startswith("5 s") else 6
        begin = random.random(shape) < 1 / 60
        for late in range(length):
            factor[late:] = np.where(begin[: scrapes - late], BURST, factor[late:])
    return factor
