"""The change file `holdpoint.dev/v1` `Change`: what a pipeline submits."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from holdpoint.models.base import StrictModel
from holdpoint.models.durations import Duration
from holdpoint.models.git_names import check_path, check_repository, check_revision

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$", max_length=63)]
"""A name as Kubernetes and DNS allow it."""

Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""One line of text for people."""

Ratio = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
ChangeType = Literal["standard", "normal", "emergency"]


class Metadata(StrictModel):
    """Who and what the change is about."""

    title: Line
    service: Name
    environment: Name
    type: ChangeType = "standard"
    labels: dict[Name, Line] = Field(default_factory=dict, max_length=50)
    links: list[Line] = Field(default_factory=list, max_length=20)


class Source(StrictModel):
    """Where the manifests come from. The revision is resolved to a commit once, at submit."""

    repository: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(check_repository)]
    revision: Annotated[str, Field(min_length=1, max_length=250), AfterValidator(check_revision)]
    paths: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_path)]],
        Field(min_length=1, max_length=200),
    ]


class Target(StrictModel):
    """Where the change goes."""

    cluster: Name
    namespace: Name = "default"


class CanaryConfig(StrictModel):
    """Run the new version beside the old one with a rising share of the replicas."""

    deployment: Name
    weights: Annotated[list[Annotated[int, Field(ge=1, le=100)]], Field(min_length=1, max_length=20)]
    bake: Duration = 60.0

    @model_validator(mode="after")
    def _weights_rise(self) -> "CanaryConfig":
        if any(later <= earlier for earlier, later in zip(self.weights, self.weights[1:], strict=False)):
            raise ValueError("weights must rise, such as [10, 50]")
        return self


class ApplyConfig(StrictModel):
    """Apply the objects of `source.paths`, all of them or those of the named paths, and wait until they are ready."""

    paths: list[Annotated[str, AfterValidator(check_path)]] = Field(default_factory=list, max_length=200)
    timeout: Duration = 600.0


class Step(StrictModel):
    """One step of the plan: a name if it has one, and exactly one step kind."""

    name: Line | None = None
    canary: CanaryConfig | None = None
    apply: ApplyConfig | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Step":
        if (self.canary is None) == (self.apply is None):
            raise ValueError("a step has exactly one kind: canary or apply")
        return self

    @property
    def kind(self) -> str:
        """Return the step kind's name."""
        return "canary" if self.canary is not None else "apply"


class Plan(StrictModel):
    """The steps, in order, and how long the service is watched at 100 % before it counts as succeeded."""

    steps: Annotated[list[Step], Field(min_length=1, max_length=100)]
    verify: Duration | None = Field(default=None, description="default: the longest bake of the plan")


class ErrorRatio(StrictModel):
    """The largest share of requests that may fail."""

    max: Ratio


class Latency(StrictModel):
    """The quantile of request durations that must stay under `max`."""

    quantile: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.99
    max: Duration


class Analysis(StrictModel):
    """What the canary is judged by. Without it a canary cannot be judged, so a canary step needs it."""

    errorRatio: ErrorRatio | None = None
    latency: Latency | None = None
    deadline: Duration | None = Field(
        default=None, description="longest time to a verdict; default: the larger of 10 bakes and 2m"
    )

    @model_validator(mode="after")
    def _judges_something(self) -> "Analysis":
        if self.errorRatio is None and self.latency is None:
            raise ValueError("needs errorRatio, latency or both")
        return self


class Spec(StrictModel):
    """The change itself."""

    source: Source
    target: Target
    plan: Plan
    analysis: Analysis | None = None

    @model_validator(mode="after")
    def _canary_is_judged(self) -> "Spec":
        if self.analysis is None and any(step.canary for step in self.plan.steps):
            raise ValueError("a canary step needs spec.analysis, so that it can be judged")
        return self


class Change(StrictModel):
    """One change request, as submitted."""

    apiVersion: Literal["holdpoint.dev/v1"]
    kind: Literal["Change"]
    metadata: Metadata
    spec: Spec

    @property
    def verify_seconds(self) -> float:
        """Return how long Verifying watches the service at 100 %, in seconds."""
        bakes = [step.canary.bake for step in self.spec.plan.steps if step.canary]
        return self.spec.plan.verify or max(bakes, default=1.0)
