"""A small workflow that does each thing our workflows do with Temporal, for the contract's tests."""

import asyncio

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from holdpoint.models.base import Model
from holdpoint.models.contracts import Named


class Word(Model):
    """The one argument of everything."""

    text: str


NOTE = Named("note", Word, Word)


@workflow.defn(name="Probe", versioning_behavior=VersioningBehavior.PINNED)
class Probe:
    """Waits, or does what its word says: `again:N` goes on in N new runs, `child:ID` starts a child."""

    @workflow.init
    def __init__(self, word: Word) -> None:
        self.notes: list[str] = []
        self.over = False

    @workflow.run
    async def run(self, word: Word) -> list[str]:
        """Return what happened."""
        verb, _, rest = word.text.partition(":")
        if verb == "again" and int(rest) > 0:
            workflow.continue_as_new(Word(text=f"again:{int(rest) - 1}"))
        if verb == "again":
            return ["done"]
        if verb == "child":
            return await self._child(rest)
        try:
            await workflow.wait_condition(lambda: self.over)
        except asyncio.CancelledError:
            return ["cancelled", workflow.cancellation_reason() or ""]
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.notes

    async def _child(self, id: str) -> list[str]:
        try:
            await workflow.start_child_workflow(
                Probe.run, Word(text="wait"), id=id, parent_close_policy=ParentClosePolicy.ABANDON
            )
        except WorkflowAlreadyStartedError as error:
            return ["taken", str(error.run_id)]
        return ["started"]

    @workflow.update(name=NOTE.name)
    async def note(self, word: Word) -> Word:
        """Note a word; answer with how many there are."""
        self.notes.append(word.text)
        return Word(text=str(len(self.notes)))

    @note.validator
    def _note(self, word: Word) -> None:
        if word.text == "bad":
            raise ApplicationError("This is refused.", type="conflict", non_retryable=True)

    @workflow.signal
    def finish(self, word: Word) -> None:
        """End."""
        self.over = True

    @workflow.query
    def told(self) -> list[str]:
        """Return the notes."""
        return self.notes
