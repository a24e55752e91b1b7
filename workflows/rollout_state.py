"""The state of one rollout, what every part of it uses, and how it waits."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

from holdpoint.models.activity_calls import Begun, Confirmation, Gate, GateCall, Promotion, RolloutCall
from holdpoint.models.checks import CheckView
from holdpoint.models.contracts import GATE, SIGNAL_PROGRESS, ticket_workflow
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import Hold, Reason, RollbackView, StepStatus, StepView, Verdict
from holdpoint.models.timed_steps import TIMED_KINDS
from holdpoint.models.workflow_messages import (
    Control,
    Progress,
    RolloutStart,
    RolloutState,
    StandBy,
)
from workflows.failures import Outage, Overdue, Stopped
from workflows.holds import ANALYSIS, FROZEN, OUTAGE_OF_JUDGE, PAUSED, key_of
from workflows.record_keeping import Clerk, wait
from workflows.refusals import NOT_IN_LEDGER, WORDS_IN_LEDGER, requested
from workflows.views import details_of_rollout, pause_hold, steps_of

if TYPE_CHECKING:
    from workflows.watch import Watch

C = TypeVar("C", bound=RolloutCall)

VERDICTS_KEPT = 20
"""Verdicts shown for a step. A verdict that repeats the one before replaces it; the ledger has every one."""


class Timed(Protocol):
    """A step that writes nothing while it runs."""

    def shown(self) -> dict[str, Any]:
        """Return the fields of the step's view that tell what it has left."""

    async def run(self) -> None:
        """Return when the step is over. Raises Fallen, Stopped, Overdue."""


class RolloutWork:
    """Everything that one rollout remembers."""

    def __init__(self, start: RolloutStart) -> None:
        self.start = start
        self.phase = Phase.EXECUTING if start.mode == "undo" else Phase.PRECHECKING
        self.reason: Reason | None = None
        self.steps: list[StepView] = steps_of(start.plan)
        self.checks: list[CheckView] = list(start.checks)
        self.prechecked = start.prechecked
        self.current: int | None = None
        self.rollback = RollbackView()
        self.begun: Begun | None = None
        self.took_target = False
        self.touched = False
        self.undoing = False
        self.stop: Reason | None = None
        self.live: Watch | None = None
        self.overruled = self.unheard = self.missed = False
        self.heard: set[str] = set()
        self.promoted_to = 0
        self.timed: Timed | None = None
        self.stands_at: int | None = None
        self.confirmation: Confirmation | None = None
        self.blind_since: datetime | None = None
        self.judged_since: datetime | None = None
        self.looked = 0
        self.told: StandBy | None = None
        self.clerk = Clerk(
            start.ticket, stop=self.stopping, target=start.target if start.wave is not None else None
        )
        self.clerk.take_over(start.record)
        self.clerk.also = lambda: {"steps": self.shown_steps()}
        self.clerk.stirred, self.clerk.on_stir = self.stirred, self.see_to_it

    # What is asked of it

    def stopping(self) -> bool:
        """Tell whether going forward must end now. An undo is never stopped."""
        wanted = self.stop is not None or workflow.cancellation_reason() is not None
        return wanted and not self.undoing

    def why_stopped(self) -> Reason:
        """Return who stopped it."""
        message = "The rollout was cancelled in Temporal, or its ticket was terminated."
        return self.stop or Reason(code="cancelled", message=message)

    def take(self, control: Control) -> None:
        """Take in a word of a person or a pipeline."""
        fits = not self.undoing and self.stop is None
        if control.verb == "promote":
            self._take_unrecorded(control, fits=fits)
            return
        kind = f"{control.verb}.{'requested' if fits else 'came_too_late'}"
        self.clerk.note(kind, {"reason": control.reason}, by=control.by)
        if not fits:
            return
        if control.verb in ("abort", "rollback"):
            self.stop = requested(control)
        elif control.verb == "resume":
            self.clerk.lift(PAUSED, by=control.by)
        else:
            ends = workflow.now() + self.pause_bound
            self.clerk.place(PAUSED, pause_hold(control, self.start.ticket, ends), ends=ends)

    def _take_unrecorded(self, control: Control, *, fits: bool) -> None:
        """Pass over a word on a verdict that is in no ledger; one from before that counted is replayed."""
        if workflow.patched(WORDS_IN_LEDGER):
            self.clerk.note("attempt.denied", {"verb": control.verb, "reason": NOT_IN_LEDGER}, by=control.by)
            return
        body = {"reason": control.reason, "digest": control.digest}
        self._overrule(self.undecided if fits else [], body, by=control.by)

    @property
    def undecided(self) -> list[str]:
        """Return the keys of the holds for want of a verdict."""
        return [key for key in (ANALYSIS, OUTAGE_OF_JUDGE) if key in self.clerk.holds]

    def _hear(self, said: Promotion) -> None:
        """Take in a person's word from the ledger, if what it is on still holds the rollout."""
        if said.entry in self.heard:
            return
        self.heard.add(said.entry)
        held = [key for key in self.undecided if self.clerk.holds[key].since in said.since]
        fits = bool(held) and not self.undoing and self.stop is None
        body: dict[str, Any] = {"reason": said.reason, "digest": said.digest, "entry": said.entry}
        body |= {} if said.weight is None else {"weight": said.weight}
        if fits:
            self.promoted_to = said.weight or 0
        self._overrule(self.undecided if fits else [], body, by=said.by)

    def _overrule(self, holds: list[str], body: dict[str, Any], *, by: str) -> None:
        """Let what is watched pass without a verdict, if that is what holds it. A `fail` is over by then."""
        if not holds and self.start.wave is not None:
            return  # the word is for every target; it is another one that waits for it
        if holds:
            body["over"] = ", ".join(self.clerk.holds[key].code.value for key in holds)
        self.clerk.note("promote.requested" if holds else "promote.came_too_late", body, by=by)
        self.overruled = self.overruled or bool(holds)
        for key in holds:
            self.clerk.lift(key, by=by)

    # What its parts use

    def call(self, kind: type[C], **fields: Any) -> C:
        """Return an activity's argument with what every activity of a rollout gets."""
        start = self.start
        return kind(
            ticket=start.ticket,
            target=start.target,
            run=workflow.info().run_id,
            service=start.service,
            environment=start.environment,
            type=start.type,
            **fields,
        )

    @property
    def hold_bound(self) -> timedelta:
        """Return how long an analysis or an outage may hold the rollout."""
        return timedelta(seconds=self.start.hold_bound)

    @property
    def pause_bound(self) -> timedelta:
        """Return how long a person or a freeze may hold the rollout."""
        return timedelta(seconds=self.start.pause_bound)

    async def enter(self, phase: Phase, reason: Reason | None = None, *, tell: bool = True) -> None:
        """Enter a phase and have that recorded; `tell` the ticket's workflow, unless it knows or need not."""
        before, self.phase, self.reason = self.phase, phase, reason
        said = reason.model_dump() if reason else None
        body = {"phase": phase.value, "from": before.value, "reason": said}
        kind = "phase.entered" if self.start.wave is None else "target.entered"
        self.clerk.note(kind, body, phase=phase.value, reason=said, steps=self.shown_steps())
        self.show()
        if tell:
            await self.tell_ticket()

    async def tell_ticket(self, *, stands: bool = False) -> None:
        """Tell the ticket's workflow which phase this is in; `stands`: verified, and keeping the target."""
        parent = workflow.info().parent
        if parent is None or parent.workflow_id != ticket_workflow(self.start.ticket):
            return
        progress = Progress(phase=self.phase)
        if self.start.wave is not None:
            told = {"target": self.start.target, "stands": stands, "reason": self.reason}
            progress = progress.model_copy(update=told)
        handle = workflow.get_external_workflow_handle(ticket_workflow(self.start.ticket))
        try:
            await handle.signal(SIGNAL_PROGRESS, progress)
        except FailureError:
            workflow.logger.info("ticket.gone")  # terminated; this rollout goes on and undoes itself

    def mark(self, status: StepStatus, *, weight: float | None = None) -> None:
        """Show how far the current step has come."""
        if self.current is not None:
            changes: dict[str, Any] = {"status": status} | ({} if weight is None else {"weight": weight})
            self.steps[self.current] = self.steps[self.current].model_copy(update=changes)

    def mark_failed(self) -> None:
        """Show that the current step has not held; one that is over and wrote nothing stays as it was."""
        step = None if self.current is None else self.steps[self.current]
        if step is None or step.kind not in TIMED_KINDS or step.status is not StepStatus.SUCCEEDED:
            self.mark(StepStatus.FAILED)

    def judged(self, verdict: Verdict, *, since: datetime) -> None:
        """Record a verdict, and show it; in one watch, what says the same as the last is shown once."""
        at = self.current if self.current is not None else len(self.steps) - 1
        if self.steps:
            verdicts = list(self.steps[at].verdicts)
            last = verdicts[-1] if verdicts else None
            if last and last.verdict is verdict.verdict and self.judged_since == since:
                verdicts.pop()
            self.judged_since = since
            verdicts = [*verdicts, verdict][-VERDICTS_KEPT:]
            self.steps[at] = self.steps[at].model_copy(update={"verdicts": verdicts})
        body = {"step": at, **verdict.model_dump(mode="json")}
        self.clerk.note("analysis.judged", body, steps=self.shown_steps())

    def stand_at(self, manual: int | None) -> None:
        """Have the ledger asked for the word on this manual step, or on none, whenever it is asked."""
        self.stands_at, self.confirmation, self.blind_since = manual, None, None

    def shown_steps(self) -> list[dict[str, Any]]:
        """Return the steps as people see them: a running step that is held says so."""
        shown = []
        for step in self.steps:
            if step.status is StepStatus.RUNNING:
                changes: dict[str, Any] = self.timed.shown() if self.timed else {}
                changes |= {"status": StepStatus.HELD} if self.clerk.holds else {}
                step = step.model_copy(update=changes)
            shown.append(step.model_dump(mode="json"))
        return shown

    def show(self) -> None:
        """Tell Temporal's own page where the rollout stands."""
        workflow.set_current_details(details_of_rollout(self.state_now()))

    def state_now(self) -> RolloutState:
        """Return how the rollout stands."""
        return RolloutState(
            ticket=self.start.ticket,
            target=self.start.target,
            phase=self.phase,
            reason=self.reason,
            holds=self.clerk.holds.shown(),
            steps=[StepView.model_validate(step) for step in self.shown_steps()],
            rollback=self.rollback,
        )

    # How it waits

    def stirred(self) -> bool:
        """Tell whether something came up: a wake-up that was not looked into, or something to be recorded."""
        return self._woken or self.clerk.fresh

    @property
    def _woken(self) -> bool:
        """Tell whether the ledger is to be asked.

        Verifying and undoing write nothing forward, so a freeze does not hold them; a word on a verdict may
        come while it verifies.
        """
        return (self.clerk.wakes > self.looked and self.phase is Phase.EXECUTING) or self.unheard

    async def see_to_it(self) -> None:
        """Look which freezes cover the rollout and what people have said, and have recorded what is new."""
        if self._woken:
            word = self.unheard or bool(self.undecided)
            self.looked, self.unheard = self.clerk.wakes, False
            call = self.call(GateCall, manual=self.stands_at, promotion=word)
            try:
                self._pass(await self.clerk.carry_out(GATE, call, summary="Look for freezes"))
            except Outage:
                self.blind_since, self.missed = self.blind_since or workflow.now(), word
                return  # only what is shown is late: each write asks the ledger again by itself
        if self.clerk.fresh:
            await self.clerk.flush(stoppable=True)

    def _pass(self, gate: Gate) -> None:
        """Take in what the ledger has answered."""
        self.blind_since = None
        self.confirmation = gate.confirmation
        if self.phase is Phase.EXECUTING:
            self.show_holds(FROZEN, gate.holds)
        if gate.promotion is not None:
            self._hear(gate.promotion)

    def show_holds(self, prefix: str, holds: list[Hold]) -> None:
        """Show exactly these holds under a prefix; each ends with the bound that a person's pause has."""
        named = {key_of(prefix, hold): hold for hold in holds}
        for key in self.clerk.holds.named(prefix):
            if key not in named:
                self.clerk.lift(key)
        for key, hold in named.items():
            self.clerk.place(key, hold, ends=workflow.now() + self.pause_bound)
        self.show()

    async def pass_time(self, longest: timedelta, ready: Callable[[], bool], summary: str) -> None:
        """Wait until `ready`, at most so long. Raises Stopped, and Overdue when a hold reaches its bound."""
        until = workflow.now() + longest
        while not ready() and workflow.now() < until:
            self.check()
            if self.stirred():
                await self.clerk.attend()
                continue
            ends = min(until, self.clerk.holds.next_end() or until)
            await wait(lambda: ready() or self.stopping() or self.stirred(), ends - workflow.now(), summary)
        self.check()

    def check(self) -> None:
        """Raise Stopped or Overdue if one of them is due. Every boundary asks this."""
        if self.stopping():
            raise Stopped
        overdue = self.clerk.holds.overdue(workflow.now())
        if overdue is not None and not self.undoing:
            raise Overdue(overdue)
