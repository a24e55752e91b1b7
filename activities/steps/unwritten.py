"""What the step kinds share that write nothing: the workflow carries them out, and no activity is asked."""

from abc import abstractmethod
from typing import Any, Generic, TypeVar

from activities.manifests import Manifest
from activities.steps.kind import StepKind
from activities.steps.rights import Right
from activities.steps.stage import Stage
from holdpoint.clients.cluster import Cluster
from holdpoint.models.base import StrictModel
from holdpoint.models.change import Change, Step
from holdpoint.models.errors import StepConfig
from holdpoint.models.plan import PlannedStep
from holdpoint.models.record import ObjectRef

C = TypeVar("C", bound=StrictModel)


class Unwritten(StepKind, Generic[C]):
    """A step that touches no object; `does` tells people what it does instead."""

    rights: tuple[Right, ...] = ()

    async def outline(
        self, index: int, step: Step, manifests: list[dict[str, Any]], cluster: Cluster, namespace: str
    ) -> PlannedStep:
        """Return the step as it will run."""
        config = self.config(step)
        if config is None:
            raise StepConfig(f"Step {index} is not of the kind {self.kind}.")
        return PlannedStep(
            index=index,
            name=step.name or self.kind,
            kind=self.kind,
            config=config.model_dump(mode="json", exclude_none=True),
            does=self.does(config),
        )

    @abstractmethod
    def config(self, step: Step) -> C | None:
        """Return the step's configuration of this kind, if it has one."""

    @abstractmethod
    def does(self, config: C) -> str:
        """Return what the step does, in one line."""

    def touched(
        self, step: PlannedStep, change: Change, manifests: list[Manifest], cluster: str
    ) -> list[ObjectRef]:
        """Return nothing: no object is written."""
        return []

    async def run(self, stage: Stage) -> float:
        """Refuse: there is no stage to bring it through. Raises StepConfig."""
        raise StepConfig(f"The step {stage.call.step.name!r} writes nothing, so it has no stage.")
