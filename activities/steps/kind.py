"""What a step kind is: how it will run, what it may touch, one stage of it, and whose requests judge it.

Undo is not its business: the snapshot of what it touches is restored. A kind only asks for writes; the
intent loop sends them.
"""

from abc import abstractmethod
from typing import Any, Protocol

from activities.manifests import Manifest
from activities.steps.rights import Right
from activities.steps.stage import Stage
from holdpoint.clients.cluster import Cluster
from holdpoint.models.change import Change, Step
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef


class StepKind(Protocol):
    """One kind of step; `kind` is its name in the change file, `rights` what it must be allowed to do."""

    kind: str
    rights: tuple[Right, ...]

    @abstractmethod
    async def outline(
        self, index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
    ) -> PlannedStep:
        """Return the step as it will run, with its warnings. Raises StepConfig if it cannot run."""

    @abstractmethod
    def touched(
        self, step: PlannedStep, change: Change, manifests: list[Manifest], cluster: str
    ) -> list[ObjectRef]:
        """Return every object that the step may write, in the order in which it goes forward."""

    @abstractmethod
    async def run(self, stage: Stage) -> float:
        """Bring the step through one stage; return the weight that is really there, in percent."""

    def judged(self, step: PlannedStep, weight: float) -> list[str]:
        """Return the Deployments whose requests count at a weight; empty means all of the change's."""
        return []

    def beside(self, step: PlannedStep, weight: float) -> list[str]:
        """Return the Deployments of the old version that these are compared with; empty if there are none."""
        return []
