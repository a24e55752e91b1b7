"""The state of one ticket, which its stages work on and its handlers write to."""

from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from holdpoint.models import contracts
from holdpoint.models.activity_calls import Evaluation
from holdpoint.models.checks import CheckView
from holdpoint.models.phases import TRANSITIONS, Phase
from holdpoint.models.policy import Obligations
from holdpoint.models.ticket import Reason, Review, StepView, TicketView, most_severe
from holdpoint.models.workflow_messages import Control, TicketStart
from workflows.ballot import Ballot
from workflows.denials import Denials
from workflows.fleet import Fleet
from workflows.hand_off import HandOff
from workflows.holds import PAUSED
from workflows.record_keeping import Clerk
from workflows.views import details, path_between, pause_hold, warnings_of

SHOWN_IN_LISTS = frozenset({Phase.AWAITING_APPROVAL, Phase.EXECUTING})
"""Phases that last: these and the terminal ones are worth an event for Temporal's own list."""
ROLLING = frozenset({Phase.EXECUTING, Phase.VERIFYING, Phase.ROLLING_BACK})


class TicketState:
    """Everything that one ticket remembers."""

    def __init__(self, start: TicketStart) -> None:
        self.start = start
        self.created_at = workflow.now()
        self.phase = Phase.EVALUATING
        self.reason: Reason | None = None
        self.evaluation: Evaluation | None = None
        self.steps: list[StepView] = []
        self.checks: list[CheckView] = []
        self.checked_at: datetime | None = None
        self.review: Review | None = None
        self.closed_at: datetime | None = None
        self.scheduled_since: datetime | None = None
        self.in_lane = False
        self.abort: Control | None = None
        self.ballot = Ballot()
        self.hand_off = HandOff()
        self.fleet = Fleet()
        self.denials = Denials()
        self.clerk = Clerk(start.ticket, stop=self.stopping)

    def stopping(self) -> bool:
        """Tell whether the ticket is to end before its rollout begins; a rollout stops itself."""
        return not self.hand_off.launched and (
            self.abort is not None or workflow.cancellation_reason() is not None
        )

    @property
    def obligations(self) -> Obligations:
        """Return what the decision asks; the defaults until there is one."""
        return self.evaluation.decision.obligations if self.evaluation else Obligations()

    def move(self, phase: Phase, reason: Reason | None = None, **more: Any) -> None:
        """Enter a phase, and have that recorded; `more` is what else changes in the ticket's view."""
        if phase not in TRANSITIONS[self.phase]:
            raise RuntimeError(f"no edge from {self.phase} to {phase}")
        before, self.phase, self.reason = self.phase, phase, reason
        said = reason.model_dump() if reason else None
        patch: dict[str, Any] = {**more, "phase": phase.value, "reason": said}
        if phase.terminal:
            self.clerk.lift_all()
            self.closed_at = workflow.now()
            patch |= {"closed_at": self.closed_at.isoformat(), "holds": []}
        body = {"phase": phase.value, "from": before.value, "reason": said}
        self.clerk.note("phase.entered", body, **patch)
        self.show()

    def follow(self, phase: Phase) -> None:
        """Take over a phase that the rollout has entered, and recorded."""
        if phase in TRANSITIONS[self.phase]:
            self.phase = phase
            self.show()

    def arrive(self, phase: Phase, reason: Reason) -> None:
        """End in the phase that a rollout has reached, by way of those that were not heard of."""
        way = path_between(self.phase, phase) or [Phase.ROLLING_BACK, Phase.ROLLBACK_FAILED]
        for passed in way[:-1]:
            self.follow(passed)
        self.move(way[-1], reason)

    def take(self, control: Control) -> None:
        """Take in a word that fits the phase: pass it on to the rollout, or act on it here."""
        if self.hand_off.launched:
            self.hand_off.tell(control)
            return
        if control.verb in ("abort", "rollback") and self.abort is not None:
            return
        self.clerk.note(f"{control.verb}.requested", {"reason": control.reason}, by=control.by)
        if control.verb in ("abort", "rollback"):
            self.abort = control
        elif control.verb == "resume":
            self.clerk.lift(PAUSED, by=control.by)
        else:
            ends = workflow.now() + timedelta(seconds=self.obligations.pause_bound)
            self.clerk.place(PAUSED, pause_hold(control, self.start.ticket, ends), ends=ends)

    def show(self) -> None:
        """Tell Temporal's own page and list where the ticket stands."""
        workflow.set_current_details(details(self.view()))
        # The start carries search attributes where they are registered; elsewhere an upsert would wedge
        # the ticket.
        registered = workflow.info().typed_search_attributes.get(
            SearchAttributeKey.for_keyword(contracts.SEARCH_SERVICE)
        )
        if registered is not None and (self.phase.terminal or self.phase in SHOWN_IN_LISTS):
            key = SearchAttributeKey.for_keyword(contracts.SEARCH_PHASE)
            workflow.upsert_search_attributes([key.value_set(self.phase.value)])

    def view(self) -> TicketView:
        """Return the ticket as this workflow knows it; what its rollout does is in the ledger's view."""
        start, evaluation, holds = self.start, self.evaluation, self.clerk.holds.shown()
        return TicketView(
            id=start.ticket,
            title=start.title,
            service=start.service,
            environment=start.environment,
            type=start.type,
            phase=self.phase,
            hold=most_severe(holds),
            holds=holds,
            risk=evaluation.decision.risk if evaluation else None,
            approvals=self.ballot.view(),
            steps=self.steps,
            checks=self.checks,
            rollback=self.hand_off.rollback,
            reason=self.reason,
            created_at=self.created_at,
            closed_at=self.closed_at,
            digest=evaluation.digest if evaluation else None,
            requester=start.requester,
            # The start does not carry these three; the ledger's view has them.
            commit="",
            repository="",
            revision="",
            target=start.target,
            targets=self.fleet.views(),
            rolls_back=start.rolls_back,
            warnings=warnings_of(evaluation) if evaluation else [],
            review=self.review,
        )
