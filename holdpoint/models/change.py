"""The change file `holdpoint.dev/v1` `Change`: what a pipeline submits.

docs/change-file.md is generated from these models, so every field carries its description.
"""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from holdpoint.models.analysis import Analysis
from holdpoint.models.base import StrictModel
from holdpoint.models.blue_green import BlueGreenConfig
from holdpoint.models.change_fields import (
    Folder,
    Line,
    Name,
    TicketId,
    Weight,
    check_distinct,
    check_weights,
)
from holdpoint.models.checks import CheckSpecs
from holdpoint.models.durations import Duration
from holdpoint.models.git_steps import GitCommitConfig
from holdpoint.models.http_step import HttpConfig
from holdpoint.models.object_steps import ConfigConfig, DeleteConfig, JobConfig
from holdpoint.models.source import Source, check_source
from holdpoint.models.timed_steps import (
    TIMED_KINDS,
    AnalysisConfig,
    ManualConfig,
    WaitConfig,
    check_manual_names,
)
from holdpoint.models.waves import Targets, Waves

ChangeType = Literal["standard", "normal", "emergency"]

STEP_KINDS = (
    "canary",
    "blueGreen",
    "apply",
    "delete",
    "config",
    "job",
    "http",
    "gitCommit",
    "wait",
    "manual",
    "analysis",
)
APPLYING = frozenset({"canary", "blueGreen", "apply", "config", "job"})
"""The step kinds that apply objects of the source: a plan without any of them needs none."""


def check_one_kind(given: Collection[str]) -> None:
    """Hold that exactly one step kind is among the fields that are given. Raises ValueError."""
    if sum(kind in given for kind in STEP_KINDS) != 1:
        raise ValueError(f"must have exactly one step kind: {' or '.join(STEP_KINDS)}")


def check_has_objects(source: Collection[str], kinds: Collection[str]) -> None:
    """Hold that there is something to apply where a step does so. Raises ValueError."""
    if APPLYING & set(kinds):
        check_source(source)


def check_judged(given: Collection[str], *, kinds: Collection[str]) -> None:
    """Hold that a plan with a step that judges has an analysis. Raises ValueError."""
    judging = next((kind for kind in ("canary", "blueGreen", "analysis") if kind in kinds), None)
    if judging and "analysis" not in given:
        raise ValueError(f"must have an analysis, so that its {judging} step can be judged")


def check_one_place(given: Collection[str]) -> None:
    """Hold that a change says in one way where it goes. Raises ValueError."""
    if ("target" in given) == ("targets" in given):
        raise ValueError("must have exactly one of target and targets")


def check_many(given: Collection[str], *, waves: bool, kinds: Collection[str]) -> None:
    """Hold what counts where a change goes to many targets. Raises ValueError."""
    if waves and "targets" not in given:
        raise ValueError("must have targets, for its plan has waves")
    if "targets" in given and "manual" in kinds:
        raise ValueError("must have no manual step with targets: one word would count for all of them")


class Metadata(StrictModel):
    """Who and what the change is about."""

    title: Line = Field(description="One line that tells people what changes.")
    service: Name = Field(description="The service, as the catalog names it.")
    environment: Name = Field(
        description="`staging`, `production`, or any environment that the settings know."
    )
    type: ChangeType = Field(
        default="standard",
        description="How much ceremony the change asks for; the policy decides what each type needs.",
    )
    labels: dict[Name, Line] = Field(
        default_factory=dict, max_length=50, description="Labels of your own, for searching."
    )
    links: list[Line] = Field(
        default_factory=list, max_length=20, description="Addresses of tickets, runs or documents."
    )


class Target(StrictModel):
    """Where the change goes."""

    cluster: Name = Field(description="A cluster that the settings know; `sandbox` in the embedded stack.")
    namespace: Name = Field(default="default", description="The namespace of the service's objects.")


class Traffic(StrictModel):
    """Who shares the requests out between stable and canary, where that is not left to the number of pods."""

    httpRoute: Name = Field(
        description="An HTTPRoute (Gateway API v1) of the target's namespace; its weights are set."
    )
    service: Name | None = Field(
        default=None,
        description="The Service that the route sends to. Default: the name of the Deployment.",
    )


class CanaryConfig(StrictModel):
    """Run the new version beside the old one with a rising share of the requests."""

    deployment: Name = Field(description="The Deployment that is shifted; it must be among the manifests.")
    weights: Annotated[list[Weight], Field(min_length=1, max_length=20), AfterValidator(check_weights)] = (
        Field(description="Shares for the new version, in percent, rising. 100 is implied at the end.")
    )
    bake: Duration = Field(
        default=60.0, description="How long each weight is watched at least before it may pass."
    )
    traffic: Traffic | None = Field(
        default=None,
        description="Shift requests by a route's weights. Without it the weights are shares of the replicas.",
    )


class ApplyConfig(StrictModel):
    """Apply the objects of the source, all or those of the named paths, and wait until they are ready."""

    paths: Annotated[list[Folder], AfterValidator(check_distinct)] = Field(
        default_factory=list,
        max_length=200,
        description="Which of `source.paths`, or the folder of `source.kustomize` or `source.helm.chart`; "
        "none means all.",
    )
    timeout: Duration = Field(default=600.0, description="How long the objects may take to become ready.")


class Step(StrictModel):
    """One step of the plan: a name if it has one, and exactly one step kind."""

    name: Line | None = Field(default=None, description="A name for people; the kind if it is left out.")
    canary: CanaryConfig | None = Field(default=None, description="Step kind: a canary.")
    blueGreen: BlueGreenConfig | None = Field(
        default=None, description="Step kind: a whole new version beside the old one, and a switch."
    )
    apply: ApplyConfig | None = Field(default=None, description="Step kind: apply manifests as they are.")
    delete: DeleteConfig | None = Field(default=None, description="Step kind: remove objects.")
    config: ConfigConfig | None = Field(
        default=None, description="Step kind: apply configuration and restart what uses it."
    )
    job: JobConfig | None = Field(default=None, description="Step kind: run a Job once.")
    http: HttpConfig | None = Field(default=None, description="Step kind: send an HTTP request.")
    gitCommit: GitCommitConfig | None = Field(
        default=None, description="Step kind: commit to an environment repository."
    )
    wait: WaitConfig | None = Field(default=None, description="Step kind: let time pass.")
    manual: ManualConfig | None = Field(default=None, description="Step kind: a person does something.")
    analysis: AnalysisConfig | None = Field(default=None, description="Step kind: judge what stands now.")

    @model_validator(mode="after")
    def _one_kind(self) -> "Step":
        check_one_kind([kind for kind in STEP_KINDS if getattr(self, kind) is not None])
        return self

    @property
    def kind(self) -> str:
        """Return the step kind's name."""
        return next(kind for kind in STEP_KINDS if getattr(self, kind) is not None)


class Plan(StrictModel):
    """The steps, in order, and how long the service is watched at 100 % before it counts as succeeded."""

    steps: Annotated[list[Step], Field(min_length=1, max_length=100)] = Field(
        description="What is done, in this order."
    )
    verify: Duration | None = Field(
        default=None,
        description="How long the service is watched at 100 %. "
        "Default: the longest bake or analysis of the plan.",
    )
    waves: Waves | None = Field(
        default=None, description="With `targets`: how many at once. Default: one at a time, 5m apart."
    )

    prechecks: CheckSpecs = Field(
        default_factory=list,
        description="Must pass before anything is written, beside what the catalog and the policy ask for.",
    )
    postchecks: CheckSpecs = Field(
        default_factory=list,
        description="Must pass at the end of Verifying; one that fails rolls the change back.",
    )

    @model_validator(mode="after")
    def _manual_steps_have_names(self) -> "Plan":
        check_manual_names([step.name or "manual" for step in self.steps if step.manual])
        return self

    @property
    def applies(self) -> bool:
        """Tell whether any step applies objects of the source."""
        return any(step.kind in APPLYING for step in self.steps)

    @property
    def writes(self) -> bool:
        """Tell whether any step writes to the cluster."""
        return any(step.kind not in TIMED_KINDS for step in self.steps)


class Spec(StrictModel):
    """The change itself."""

    source: Source = Field(description="Where the manifests come from.")
    target: Target | None = Field(default=None, description="Where they go: one cluster.")
    targets: Targets | None = Field(
        default=None, description="Instead of `target`: where they go, if that is several clusters."
    )
    plan: Plan = Field(description="How they get there.")
    analysis: Analysis | None = Field(
        default=None,
        description="What is judged by; a plan with a canary, a blueGreen or an analysis step needs it.",
    )
    dependsOn: Annotated[list[TicketId], AfterValidator(check_distinct)] = Field(
        default_factory=list,
        max_length=20,
        description="Tickets that must have succeeded before this one may run. One that can never succeed "
        "any more ends this one.",
    )

    @model_validator(mode="after")
    def _judging_steps_have_an_analysis(self) -> "Spec":
        given = () if self.analysis is None else ("analysis",)
        check_judged(given, kinds=[step.kind for step in self.plan.steps])
        check_has_objects(self.source.given, [step.kind for step in self.plan.steps])
        return self

    @model_validator(mode="after")
    def _goes_somewhere(self) -> "Spec":
        given = [name for name in ("target", "targets") if getattr(self, name) is not None]
        check_one_place(given)
        check_many(given, waves=self.plan.waves is not None, kinds=[step.kind for step in self.plan.steps])
        return self

    @property
    def place(self) -> Target:
        """Return the one target. A change of many has none until it is looked at for one of them (`at`)."""
        if self.target is None:
            raise ValueError("the change has many targets, and was not narrowed to one of them")
        return self.target

    @property
    def namespace(self) -> str:
        """Return the namespace, which all targets share."""
        where = self.target or self.targets
        return where.namespace if where else "default"

    def at(self, cluster: str) -> "Spec":
        """Return this for one of its clusters."""
        if self.targets is None:
            return self
        plan = self.plan.model_copy(update={"waves": None})
        there = Target(cluster=cluster, namespace=self.namespace)
        return self.model_copy(update={"target": there, "targets": None, "plan": plan})


class Change(StrictModel):
    """One change request, as submitted."""

    apiVersion: Literal["holdpoint.dev/v1"] = Field(description="The version of this format.")
    kind: Literal["Change"] = Field(description="Always `Change`.")
    metadata: Metadata = Field(description="Who and what the change is about.")
    spec: Spec = Field(description="The change itself.")

    @property
    def verify_seconds(self) -> float:
        """Return how long Verifying watches the service at 100 %, in seconds."""
        steps = self.spec.plan.steps
        watched = [step.canary.bake for step in steps if step.canary]
        watched += [step.blueGreen.bake for step in steps if step.blueGreen]
        watched += [step.analysis.for_ for step in steps if step.analysis]
        return self.spec.plan.verify or max(watched, default=1.0)
