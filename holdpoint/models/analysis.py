"""What a change is judged by: `spec.analysis` of the change file."""

from collections.abc import Collection
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from holdpoint.models.base import StrictModel
from holdpoint.models.change_fields import Ratio
from holdpoint.models.durations import Duration
from holdpoint.models.own_metrics import MOST_METRICS, OwnMetric, check_names

BAKES_TO_DEADLINE = 10.0
SHORTEST_DEADLINE = 120.0
"""At one weight the judge looks for a verdict for ten bakes, and for two minutes at least, unless the change
says how long: what cannot be told by then is held, for a person to decide."""


def check_judges(given: Collection[str], *, critical: bool) -> None:
    """Hold that an analysis looks at something; `critical`: one of its metrics is. Raises ValueError."""
    if "errorRatio" not in given and "latency" not in given and not critical:
        raise ValueError("must have errorRatio, latency, or metrics of which one is critical")


class ErrorRatio(StrictModel):
    """The largest share of requests that may fail."""

    max: Ratio = Field(description="A share such as `0.01`: one request in a hundred.")


class Latency(StrictModel):
    """The quantile of request durations that must stay under `max`."""

    quantile: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = Field(
        default=0.99, description="Which quantile; `0.99` is the 99th percentile."
    )
    max: Duration = Field(description="The longest duration allowed at that quantile.")


class Analysis(StrictModel):
    """What the canary is judged by. Without it a canary cannot be judged, so a canary step needs it."""

    errorRatio: ErrorRatio | None = Field(default=None, description="Judge the share of failed requests.")
    latency: Latency | None = Field(default=None, description="Judge how long requests take.")
    metrics: Annotated[list[OwnMetric], Field(max_length=MOST_METRICS), AfterValidator(check_names)] = Field(
        default_factory=list, description="The service's own metrics."
    )
    deadline: Duration | None = Field(
        default=None,
        description="The longest time to a verdict at one weight. Default: the larger of 10 bakes and 2m.",
    )

    def deadline_after(self, bake: float) -> float:
        """Return after how many seconds at one weight of that bake the deadline's rule decides."""
        return max(bake, self.deadline or max(BAKES_TO_DEADLINE * bake, SHORTEST_DEADLINE))

    @model_validator(mode="after")
    def _judges_something(self) -> "Analysis":
        given = [name for name in ("errorRatio", "latency") if getattr(self, name) is not None]
        check_judges(given, critical=any(metric.critical for metric in self.metrics))
        return self

    @property
    def judged(self) -> int:
        """Return how many metrics can fail a canary."""
        requests = (self.errorRatio is not None) + (self.latency is not None)
        return requests + sum(metric.critical for metric in self.metrics)
