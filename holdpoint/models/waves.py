"""Many targets: which clusters a change goes to, and in which waves.

The targets are resolved once, at submit: what a selector finds later is not what was approved.
"""

import re
from collections.abc import Mapping
from math import ceil
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from holdpoint.models.base import Model, StrictModel
from holdpoint.models.change_fields import Line, Name, check_distinct
from holdpoint.models.durations import Duration

MOST_TARGETS = 50
"""Targets of one change: each has a rollout of its own, and all their plans travel with the evaluation."""

PERCENT = re.compile(r"(100|[1-9][0-9]?)%")
SIZE_WORDS = 'a number of targets such as 5, a share such as "50%", or a list of those'
_ONE_SIZE: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": MOST_TARGETS},
        {"type": "string", "pattern": f"^{PERCENT.pattern}$"},
    ]
}

OnFailure = Literal["rollback", "hold"]


def check_one_way(given: Mapping[str, Any]) -> None:
    """Hold that clusters are named in exactly one way. Raises ValueError."""
    if ("clusters" in given) == ("selector" in given):
        raise ValueError("must have exactly one of clusters and selector")


def read_sizes(value: Any) -> list[Any]:
    """Return the sizes of waves as a list. Raises ValueError."""
    sizes = value if isinstance(value, list) else [value]
    if not sizes or len(sizes) > MOST_TARGETS or not all(_is_size(size) for size in sizes):
        raise ValueError(f"must be {SIZE_WORDS}; each from 1 to {MOST_TARGETS}, or from 1% to 100%")
    return sizes


def _is_size(size: Any) -> bool:
    if isinstance(size, str):
        return PERCENT.fullmatch(size) is not None
    return isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= MOST_TARGETS


class Selector(StrictModel):
    """Which clusters, by the labels that the settings give them."""

    labels: Annotated[dict[Name, Line], Field(min_length=1, max_length=20)] = Field(
        description="Labels that a cluster must have, each with this value."
    )


class Targets(StrictModel):
    """Where the change goes, if that is more than one cluster."""

    clusters: (
        Annotated[list[Name], Field(min_length=1, max_length=MOST_TARGETS), AfterValidator(check_distinct)]
        | None
    ) = Field(default=None, description="Clusters that the settings know, in the order of their turn.")
    selector: Selector | None = Field(
        default=None, description="Instead: every cluster with these labels, in the order of their names."
    )
    namespace: Name = Field(default="default", description="The namespace of the service's objects in each.")

    @model_validator(mode="after")
    def _named_in_one_way(self) -> "Targets":
        check_one_way({name: 1 for name in ("clusters", "selector") if getattr(self, name) is not None})
        return self


class Waves(StrictModel):
    """How many targets at once, what lies between, and what a failed one leads to."""

    size: Annotated[
        list[int | str],
        BeforeValidator(read_sizes),
        WithJsonSchema({"anyOf": [*_ONE_SIZE["anyOf"], {"type": "array", "items": _ONE_SIZE}]}),
    ] = Field(
        default=[1],
        description='Targets of a wave: a number, or a share of all such as "50%"; of a list each is one '
        "wave's, and the last is that of all further ones.",
    )
    bake: Duration = Field(
        default=300.0, description="How long everything touched so far is watched before the next wave."
    )
    onFailure: OnFailure = Field(
        default="rollback",
        description="What a target that fails leads to, beside its own undo: `rollback` undoes every target "
        "that was touched, `hold` stops and lets a person decide.",
    )


class WavePlan(Model):
    """The waves as they will run: the keys of their targets, in order."""

    waves: list[list[str]]
    bake: float = Field(description="seconds")
    on_failure: OnFailure = "rollback"

    @property
    def targets(self) -> list[str]:
        """Return every target, in the order of the waves."""
        return [target for wave in self.waves for target in wave]


def matching(targets: Targets, labels: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the names of the clusters; `labels` has those of each cluster that is known."""
    if targets.selector is None:
        return list(targets.clusters or [])
    wanted = targets.selector.labels.items()
    return sorted(name for name, has in labels.items() if wanted <= has.items())


def wave_plan(targets: list[str], waves: Waves | None) -> WavePlan:
    """Return the targets in waves; a share is of all targets, rounded up."""
    waves = waves or Waves()
    found: list[list[str]] = []
    left = list(targets)
    while left:
        size = waves.size[min(len(found), len(waves.size) - 1)]
        number = ceil(len(targets) * int(size[:-1]) / 100) if isinstance(size, str) else size
        found.append(left[:number])
        left = left[number:]
    return WavePlan(waves=found, bake=waves.bake, on_failure=waves.onFailure)
