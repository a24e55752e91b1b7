"""A rollout with a bug in it, of the kind that no `except Exception` catches."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from holdpoint.models import contracts
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Reason
from holdpoint.models.workflow_messages import RolloutResult, RolloutStart
from workflows.rollout import Rollout


class Burst(BaseException):
    """Not an Exception."""


@workflow.defn(name=contracts.ROLLOUT.name, versioning_behavior=VersioningBehavior.PINNED)
class BurstingRollout(Rollout):
    """Bursts when it enters Verifying."""

    @workflow.init
    def __init__(self, start: RolloutStart) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: RolloutStart) -> RolloutResult:
        """Run as a rollout does."""
        return await super().run(start)

    async def enter(self, phase: Phase, reason: Reason | None = None, *, tell: bool = True) -> None:
        """Burst on the way."""
        if phase is Phase.VERIFYING:
            raise Burst("a bug")
        await super().enter(phase, reason, tell=tell)
