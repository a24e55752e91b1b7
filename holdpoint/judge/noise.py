"""How much more bad requests clump than independent ones would, and how much healthy pods differ.

Retries, bursts and slow neighbours make bad requests come together. Evidence that takes them for independent
fails four in ten good canaries where they come in pairs, so it is raised to the power of 1 / phi.
"""

from collections.abc import Mapping, Sequence
from math import exp, sqrt
from typing import NamedTuple

BLOCKS = (5.0, 30.0, 60.0)
"""Seconds of the blocks in which clumps are looked for: a burst shows in a block that it fits in."""

BY_CHANCE = 1.28
"""Standard deviations that independent requests reach once in ten: less is no sign of clumps."""

TOLERATED = 1.1
"""A canary may be this many times as bad as stable before anything speaks against it."""

MOST_TOLERATED = 1.5
PODS_FOR_SPREAD = 8
"""Fewer pods than this do not tell how much pods differ."""

Counts = Mapping[str, tuple[float, float]]
"""Requests and bad ones, of each group (a pod of stable) in one scrape."""


class Clumps(NamedTuple):
    """How much bad requests clump (`phi`, at least 1), and over how many seconds they do."""

    phi: float
    seconds: float


UNKNOWN = Clumps(2.0, 5.0)
"""What is taken where nothing is known: they come in pairs."""


def clumps(history: Sequence[Counts], every: float) -> Clumps:
    """Return the largest overdispersion over blocks of 5, 30 and 60 s of stable's history.

    Pearson's chi-squared of the groups' bad requests given the block's total, over its degrees of freedom.
    `history` is one entry for each scrape, `every` so many seconds.
    """
    found = [
        Clumps(max(1.0, phi), seconds)
        for seconds in BLOCKS
        if (phi := _of_blocks(_merged(history, max(1, round(seconds / every))))) is not None
    ]
    return max(found, default=UNKNOWN)


def tolerated(history: Sequence[Counts], phi: float) -> float:
    """Return the ratio that is no sign of a worse version: clip(exp(2 sigma), 1.1, 1.5).

    Sigma is the standard deviation of the logarithm of the error ratio between pods that lasts: what their
    counts vary over the whole history beyond chance, by the method of moments. With fewer than 8 pods it is
    not known.
    """
    whole = _merged(history, len(history)) if history else []
    if not whole or len(whole[0]) < PODS_FOR_SPREAD:
        return TOLERATED
    groups = whole[0].values()
    requests, bad = sum(n for n, _ in groups), sum(k for _, k in groups)
    if not bad:
        return TOLERATED
    expected = [n * bad / requests for n, _ in groups]
    apart = sum((k - e) ** 2 for (_, k), e in zip(groups, expected, strict=True))
    squares = sum((k - e) ** 2 / e for (_, k), e in zip(groups, expected, strict=True) if e)
    if not _beyond_chance(squares / phi / (len(groups) - 1), len(groups) - 1):
        return TOLERATED
    variance = max(0.0, apart - phi * sum(expected)) / sum(e * e for e in expected)
    return min(max(exp(2 * sqrt(variance)), TOLERATED), MOST_TOLERATED)


def _of_blocks(blocks: Sequence[Counts]) -> float | None:
    squares, freedom = 0.0, 0
    for block in blocks:
        requests, bad = sum(n for n, _ in block.values()), sum(k for _, k in block.values())
        groups = [(n, k) for n, k in block.values() if n > 0]
        if len(groups) < 2 or not 0 < bad < requests:
            continue
        share = bad / requests
        squares += sum((k - n * share) ** 2 / (n * share * (1 - share)) for n, k in groups)
        freedom += len(groups) - 1
    if not freedom:
        return None
    phi = squares / freedom
    return phi if _beyond_chance(phi, freedom) else 1.0


def _beyond_chance(dispersion: float, freedom: int) -> bool:
    """Tell whether a chi-squared over its degrees of freedom is more than independent requests would give."""
    return dispersion > 1 + BY_CHANCE * sqrt(2 / freedom)


def _merged(history: Sequence[Counts], scrapes: int) -> list[dict[str, tuple[float, float]]]:
    """Return the sums over so many scrapes each; what is left at the end is a block too."""
    blocks = []
    for start in range(0, len(history), scrapes):
        block: dict[str, tuple[float, float]] = {}
        for counts in history[start : start + scrapes]:
            for group, (requests, bad) in counts.items():
                before = block.get(group, (0.0, 0.0))
                block[group] = (before[0] + requests, before[1] + bad)
        blocks.append(block)
    return blocks
