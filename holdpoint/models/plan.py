"""The plan as it will run: steps with the weights that the replicas can give."""

from typing import Any

from pydantic import Field

from holdpoint.models.base import Model


class WeightPlan(Model):
    """One weight of a canary: what was asked for and what the replicas can give, in percent."""

    asked: int
    reached: float
    canary: int = Field(description="replicas of the new version")
    stable: int = Field(description="replicas of the old version")


class PlannedStep(Model):
    """One step as it will run. `config` is the step kind's own."""

    index: int
    name: str
    kind: str
    config: dict[str, Any]
    weights: list[WeightPlan] = []
    bake: float = 0.0
    does: str = Field(default="", description="what a step that has no weights does, in one line")
    warnings: list[str] = []
