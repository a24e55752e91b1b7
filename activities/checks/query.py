"""A PromQL query within bounds. Every value counts; no data, and NaN, are never a pass."""

import math
from typing import Any

from activities.checks.kind import CheckKind, Found, Scene
from holdpoint.clients.metrics import Query as Question
from holdpoint.clients.metrics import Sample
from holdpoint.models.checks import QueryCheck

MOST_KEPT = 20
"""Series of an answer that are kept as evidence, those out of bounds first."""


class Query(CheckKind[QueryCheck]):
    """One question to the metrics of the target's cluster."""

    kind, config, asks = "query", QueryCheck, "metrics"

    async def look(self, config: QueryCheck, scene: Scene) -> Found:
        """Ask once. Raises StepConfig when the query is refused."""
        samples = await scene.metrics.samples(Question(text=config.promql, at=scene.now))
        if not samples:
            return Found(None, "The query has no data.", {"series": 0})
        out = [sample for sample in samples if not _within(sample.value, config)]
        rest = [sample for sample in samples if _within(sample.value, config)]
        answer = {"series": len(samples), "samples": [_kept(one) for one in [*out, *rest][:MOST_KEPT]]}
        if any(math.isnan(sample.value) for sample in out):
            return Found(None, "The query answers NaN: it has nothing to count.", answer)
        if out:
            return Found(False, f"{_told(out)}; {_bounds(config)}.", answer)
        return Found(True, f"{_told(samples)}, {_bounds(config)}.", answer)


def _within(value: float, config: QueryCheck) -> bool:
    """Tell whether a value passes. NaN is smaller and larger than nothing, so it never does."""
    low = -math.inf if config.min is None else config.min
    high = math.inf if config.max is None else config.max
    return low <= value <= high


def _told(samples: list[Sample]) -> str:
    values = [sample.value for sample in samples]
    if len(values) == 1:
        return f"The value is {values[0]:g}"
    return f"{len(values)} values from {min(values):g} to {max(values):g}"


def _bounds(config: QueryCheck) -> str:
    bounds = [("at least", config.min), ("at most", config.max)]
    return "allowed is " + " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)


def _kept(sample: Sample) -> dict[str, Any]:
    """Return a sample as evidence; as text, since JSON has no NaN."""
    return {"labels": sample.labels, "value": repr(sample.value)}
