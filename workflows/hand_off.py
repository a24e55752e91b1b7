"""What a ticket knows of its rollout, and what is still to be told to it."""

from typing import Any

from temporalio.workflow import ChildWorkflowHandle

from holdpoint.models.ticket import RollbackView
from holdpoint.models.workflow_messages import Control, RolloutResult, Wake

Child = ChildWorkflowHandle[Any, RolloutResult]


class HandOff:
    """The rollout of one ticket. From `launched` on, the rollout decides what an abort or a pause does."""

    def __init__(self) -> None:
        self.launched = False
        self.paused = False
        self.child: Child | None = None
        self.to_tell: list[Control] = []
        self.to_wake: Wake | None = None
        self.rollback = RollbackView()

    def tell(self, control: Control) -> None:
        """Have a word passed on to the rollout."""
        if control.verb in ("pause", "resume"):
            self.paused = control.verb == "pause"
        self.to_tell.append(control)

    def wake(self, cause: str, *, word: bool = False) -> None:
        """Have the rollout look at the ledger; what it was to look for already it looks for, too."""
        self.to_wake = Wake(cause=cause, word=word or (self.to_wake is not None and self.to_wake.word))

    def withdraw(self) -> list[Control]:
        """Return what was not passed on, because the rollout could not be started or is over."""
        told, self.to_tell = self.to_tell, []
        self.paused = False
        return told
