"""A service's own metrics, by which its canary is judged beside errors and latency."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from holdpoint.models.base import StrictModel
from holdpoint.models.change_fields import Name
from holdpoint.models.query_template import check_counters, check_query

MOST_METRICS = 10
"""Each is asked for at every scrape, and each more makes a false fail by any of them rarer, so slower."""

TAKEN = ("errorRatio", "latency")
OF_A_QUERY = ("query", "of", "kind", "max", "min", "tolerance", "direction")


def check_metric_name(value: str) -> str:
    """Return `value` if a metric can be told apart by it. Raises ValueError."""
    letters = value.replace("_", "").replace("-", "")
    if not (letters.isalnum() and value.isascii() and value[0].isalpha() and len(value) <= 60):
        raise ValueError("must be at most 60 letters, digits, '_' and '-', a letter first, such as queueLag")
    if value in TAKEN:
        raise ValueError(f"must not be {value}, which is a metric of its own: spec.analysis.{value}")
    return value


def check_names(metrics: "Sequence[OwnMetric]") -> "Sequence[OwnMetric]":
    """Return `metrics` if each has a name of its own. Raises ValueError."""
    names = [metric.name for metric in metrics]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"names {twice[0]!r} twice")
    return metrics


MetricName = Annotated[str, AfterValidator(check_metric_name)]
QueryText = Annotated[str, AfterValidator(check_query)]
Edge = Annotated[float, Field(allow_inf_nan=False)]


class MetricSource(StrictModel):
    """Who is asked, where that is not the cluster's Prometheus."""

    webhook: Name = Field(
        description="A judge of your own, by the name that it has in the settings (`judges`): it sees which "
        "Deployments run beside each other, and says pass, fail, inconclusive or no_data."
    )


class OwnMetric(StrictModel):
    """One metric of the service: a share of events, a value, or what a judge of your own says."""

    name: MetricName = Field(description="What it is called in verdicts.")
    kind: Literal["ratio", "value"] | None = Field(
        default=None,
        description="`ratio`: the events that `query` counts, as a share of those that `of` counts. `value`: "
        "the one number that `query` gives for a Deployment.",
    )
    query: QueryText | None = Field(
        default=None,
        description="PromQL in which `{{namespace}}`, `{{deployment}}` and `{{pods}}` stand inside double "
        "quotes. It is asked once for each Deployment.",
    )
    of: QueryText | None = Field(
        default=None, description="For `ratio`: the counters of all events, as `query` is of some of them."
    )
    source: MetricSource | None = Field(
        default=None, description="In the place of a query: a judge of your own."
    )
    direction: Literal["lower", "higher"] = Field(default="lower", description="Which is better.")
    critical: bool = Field(
        default=True,
        description="Whether it can fail a canary and keep it from going on; else it is told only.",
    )
    max: Edge | None = Field(
        default=None,
        description="The largest share (0 to 1) or value. A value may be beyond it for less than half of the "
        "time.",
    )
    min: Edge | None = Field(
        default=None, description="The smallest share (0 to 1) or value, in the same way."
    )
    tolerance: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = Field(
        default=None,
        description="By which part of stable's the canary may be worse: `0.25` is a quarter. Default: `0.25` "
        "for a value; for a share what stable's own pods differ by, at least `0.1`.",
    )
    absence: Literal["hold", "ignore"] | None = Field(
        default=None,
        description="What no data means. A critical metric always holds. Default for others: `ignore`.",
    )

    @model_validator(mode="after")
    def _whole(self) -> "OwnMetric":
        fields = type(self).model_fields  # what says no more than the default was not said
        given = {name: getattr(self, name) for name in fields}
        check_metric({name: value for name, value in given.items() if value != fields[name].default})
        return self

    @property
    def holds_without_data(self) -> bool:
        """Tell whether no data keeps the canary where it is."""
        return self.critical or self.absence == "hold"

    @property
    def allowed(self) -> float:
        """Return the largest share of bad events: those that `query` counts, or those that it does not."""
        if self.direction == "higher":
            return round(1 - (self.min or 0.0), 12)
        return 1.0 if self.max is None else self.max


def check_metric(given: dict[str, Any]) -> None:
    """Hold that the fields of a metric go together. Raises ValueError, naming the field."""
    if given.get("critical", True) and given.get("absence") == "ignore":
        raise ValueError(
            "must not have absence: ignore while it is critical, for no data is never a pass; "
            "critical: false lets it be told only"
        )
    if "source" in given:
        if other := [name for name in OF_A_QUERY if name in given]:
            raise ValueError(f"must not have {other[0]} beside source: the judge there decides by itself")
        return
    if "query" not in given or "kind" not in given:
        missing = "query" if "query" not in given else "kind"
        raise ValueError(f"must have {missing}, or a source in its place")
    if given["kind"] == "ratio":
        _check_ratio(given)
    elif "of" in given:
        raise ValueError("must not have of with kind: value; kind: ratio is a share of it")
    low, high = given.get("min"), given.get("max")
    if low is not None and high is not None and low >= high:
        raise ValueError(f"must have a min below its max; {low:g} is not below {high:g}")


def _check_ratio(given: dict[str, Any]) -> None:
    if given.get("of") in (None, given["query"]):
        raise ValueError("must have of with kind: ratio: the counters of all events, not only of some")
    for name in ("of", "query"):
        try:
            check_counters(given[name])
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error
    wanted, other = ("min", "max") if given.get("direction") == "higher" else ("max", "min")
    if wanted not in given or other in given:
        better = "higher" if wanted == "min" else "lower"
        raise ValueError(f"must have {wanted} and no {other}, for a ratio of which {better} is better")
    edge = given[wanted]
    if not 0 < edge < 1:
        raise ValueError(f"must have a {wanted} that is a share, such as 0.01 or 0.99; {edge:g} is none")
