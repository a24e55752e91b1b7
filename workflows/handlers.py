"""What others may say to a ticket and ask of it.

Handlers only take in and answer; every wait observes the state.
"""

from typing import Any, Literal

from temporalio import workflow

from holdpoint.models import contracts
from holdpoint.models.ticket import TicketView
from holdpoint.models.workflow_messages import (
    Answer,
    ApprovalGiven,
    ConfirmationGiven,
    Control,
    Progress,
    PromotionGiven,
    Wake,
)
from workflows import refusals
from workflows.state import ROLLING, TicketState

ControlVerb = Literal["pause", "resume", "abort", "rollback", "promote"]


class TicketHandlers(TicketState):
    """The query, the signals and the updates of a ticket, each update with its validator."""

    @workflow.query(name=contracts.QUERY_STATE)
    def state(self) -> TicketView:
        """Return the ticket as this workflow knows it."""
        return self.view()

    @workflow.signal(name=contracts.SIGNAL_WAKE)
    def wake(self, wake: Wake) -> None:
        """Look again. A counter, not an event: a wake-up between two looks is never lost."""
        self.clerk.wakes += 1

    @workflow.signal(name=contracts.SIGNAL_ABORT)
    def abort_signal(self, control: Control) -> None:
        """Stop the ticket, where updates are used up.

        What does not fit the phase is recorded and passed over.
        """
        verb: ControlVerb = "rollback" if control.verb == "rollback" else "abort"
        if refusal := refusals.of_control(self, verb, code=control.code):
            self._deny(verb, control.by, refusal)
        else:
            self._take(verb, control)

    @workflow.signal(name=contracts.SIGNAL_PROGRESS)
    def progress(self, progress: Progress) -> None:
        """Learn from the rollout which phase it is in; the rollout has recorded it, and tells what lasts."""
        if progress.target is not None:
            self.fleet.heard(progress)
        elif self.hand_off.launched and progress.phase in ROLLING:
            self.follow(progress.phase)

    @workflow.update(name=contracts.APPROVE.name)
    def approve(self, given: ApprovalGiven) -> Answer:
        """Count an approval."""
        self._refuse("approve", given.by, refusals.of_approval(self, given))
        if self.ballot.approved_by(given.by):
            return self._answer("It was counted already.")
        self._count(given, "approved")
        return self._answer(f"{self.ballot.counted} of {self.ballot.required} approvals are counted.")

    @workflow.update(name=contracts.REJECT.name)
    def reject(self, given: ApprovalGiven) -> Answer:
        """Take in a rejection; one is enough."""
        self._refuse("reject", given.by, refusals.of_approval(self, given))
        self._count(given, "rejected")
        return self._answer("The ticket is rejected.")

    @workflow.update(name=contracts.PAUSE.name)
    def pause(self, control: Control) -> Answer:
        """Hold the ticket where it is."""
        return self._obey("pause", control)

    @workflow.update(name=contracts.RESUME.name)
    def resume(self, control: Control) -> Answer:
        """Lift the hold that `pause` placed."""
        return self._obey("resume", control)

    @workflow.update(name=contracts.ABORT.name)
    def stop(self, control: Control) -> Answer:
        """Abort: before the first write nothing is done, after it everything is undone."""
        return self._obey("abort", control)

    @workflow.update(name=contracts.ROLLBACK.name)
    def roll_back(self, control: Control) -> Answer:
        """Undo what the rollout has done."""
        return self._obey("rollback", control)

    @workflow.update(name=contracts.PROMOTE.name)
    def promote(self, control: Control) -> Answer:
        """Refuse a word that is in no ledger; one from before that counted is replayed."""
        if workflow.patched(refusals.WORDS_IN_LEDGER):
            self._refuse("promote", control.by, refusals.NOT_IN_LEDGER)
        return self._obey("promote", control)

    @workflow.update(name=contracts.PROMOTION.name)
    def promotion(self, given: PromotionGiven) -> Answer:
        """Have the rollout look at what the ledger has on the hold for want of a verdict."""
        self._refuse("promote", given.by, refusals.of_promotion(self, given.digest))
        self.hand_off.wake(f"promote by {given.by}", word=True)
        return self._answer("The rollout reads it from the ledger.")

    @workflow.update(name=contracts.CONFIRM.name)
    def confirm(self, given: ConfirmationGiven) -> Answer:
        """Have the rollout look at what the ledger has on its manual step."""
        self._refuse("confirm", given.by, refusals.of_confirmation(self, given))
        self.hand_off.wake(f"confirm {given.step} by {given.by}")
        return self._answer("The step reads it from the ledger.")

    @approve.validator
    def _may_approve(self, given: ApprovalGiven) -> None:
        self._validate(given.by, refusals.of_approval(self, given))

    @reject.validator
    def _may_reject(self, given: ApprovalGiven) -> None:
        self._validate(given.by, refusals.of_approval(self, given))

    @pause.validator
    def _may_pause(self, control: Control) -> None:
        self._validate(control.by, refusals.of_control(self, "pause"))

    @resume.validator
    def _may_resume(self, control: Control) -> None:
        self._validate(control.by, refusals.of_control(self, "resume"))

    @stop.validator
    def _may_stop(self, control: Control) -> None:
        self._validate(control.by, refusals.of_control(self, "abort", code=control.code))

    @roll_back.validator
    def _may_roll_back(self, control: Control) -> None:
        self._validate(control.by, refusals.of_control(self, "rollback"))

    @promote.validator
    def _may_promote(self, control: Control) -> None:
        self._validate(control.by, refusals.of_control(self, "promote", control.digest))

    @promotion.validator
    def _may_go_on(self, given: PromotionGiven) -> None:
        self._validate(given.by, refusals.of_promotion(self, given.digest))

    @confirm.validator
    def _may_confirm(self, given: ConfirmationGiven) -> None:
        self._validate(given.by, refusals.of_confirmation(self, given))

    def _obey(self, verb: ControlVerb, control: Control) -> Answer:
        self._refuse(verb, control.by, refusals.of_control(self, verb, control.digest, control.code))
        self._take(verb, control)
        return self._answer()

    def _take(self, verb: ControlVerb, control: Control) -> None:
        self.take(control.model_copy(update={"verb": verb}))

    def _count(self, given: ApprovalGiven, decision: str) -> None:
        self.ballot.give(given, decision)
        body: dict[str, Any] = {"decision": decision, "digest": given.digest, "entry": given.entry}
        body |= {"counted": self.ballot.counted, "required": self.ballot.required}
        self.clerk.note(
            "approval.counted", body, by=given.by, approvals=self.ballot.view().model_dump(mode="json")
        )

    def _validate(self, actor: str, refusal: str | None) -> None:
        """Refuse without a trace what would only fill the history: a fourth denied attempt, or the end."""
        if refusal and (self.phase.terminal or self.denials.used_up(actor)):
            raise refusals.conflict(refusal)

    def _refuse(self, verb: str, actor: str, refusal: str | None) -> None:
        if refusal:
            self._deny(verb, actor, refusal)
            raise refusals.conflict(refusal)

    def _deny(self, verb: str, actor: str, refusal: str) -> None:
        if not self.phase.terminal and not self.denials.used_up(actor):
            self.denials.add(actor)
            self.clerk.note("attempt.denied", {"verb": verb, "reason": refusal}, by=actor)

    def _answer(self, message: str = "") -> Answer:
        return Answer(phase=self.phase, message=message)
