"""The step kinds, as one explicit tuple: adding a kind is one file and one line here."""

from types import ModuleType
from typing import Any

from activities.steps import apply, canary
from holdpoint.clients.cluster import Cluster
from holdpoint.models.change import Step
from holdpoint.models.contracts import PlannedStep
from holdpoint.models.errors import StepConfig

STEP_KINDS: tuple[ModuleType, ...] = (canary, apply)


def kind_of(name: str) -> Any:
    """Return the step kind of this name. Raises StepConfig for an unknown one."""
    for kind in STEP_KINDS:
        if name == kind.KIND:
            return kind
    raise StepConfig(
        f"Unknown step kind: {name!r}. Known are: {', '.join(kind.KIND for kind in STEP_KINDS)}."
    )


async def outline(
    index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
) -> PlannedStep:
    """Return one step of a change as it will run, with its warnings. Raises StepConfig if it cannot run."""
    planned: PlannedStep = await kind_of(step.kind).outline(index, step, manifests, cluster, namespace)
    return planned
