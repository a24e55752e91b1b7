"""Apply the objects of the change on the server's side, and wait until they are ready."""

from typing import Any

from holdpoint.clients.cluster import Cluster
from holdpoint.models.change import Step
from holdpoint.models.contracts import PlannedStep
from holdpoint.models.errors import StepConfig

KIND = "apply"


async def outline(
    index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
) -> PlannedStep:
    """Return the step as it will run: one stage, everything at once."""
    config = step.apply
    if config is None:
        raise StepConfig(f"Step {index} is not an apply.")
    return PlannedStep(
        index=index, name=step.name or "apply", kind=KIND, config=config.model_dump(mode="json"), weights=[]
    )
