"""The parts of a ticket's view that the workflows write, and the text that Temporal's own page shows."""

from datetime import datetime

from temporalio import workflow

from holdpoint.models.activity_calls import Evaluation
from holdpoint.models.phases import TRANSITIONS, Phase
from holdpoint.models.plan import PlannedStep
from holdpoint.models.ticket import Hold, HoldCode, Reason, StepStatus, StepView, TicketView
from holdpoint.models.workflow_messages import Control, RolloutState


def steps_of(plan: list[PlannedStep]) -> list[StepView]:
    """Return the steps as planned, none begun."""
    return [
        StepView(
            name=step.name,
            kind=step.kind,
            planned=[
                {"asked": w.asked, "reached": w.reached, "canary": w.canary, "stable": w.stable}
                for w in step.weights
            ],
            does=step.does,
            warnings=step.warnings,
        )
        for step in plan
    ]


def warnings_of(evaluation: Evaluation) -> list[str]:
    """Return everything that people are warned of, each sentence once."""
    return list(dict.fromkeys([*evaluation.decision.warn, *evaluation.warnings]))


def with_handiwork(reason: Reason, steps: list[StepView]) -> Reason:
    """Return why it ended, and what people did by hand meanwhile: no undo of ours takes that back."""
    by_hand = [step for step in steps if step.kind == "manual" and step.status is StepStatus.SUCCEEDED]
    if not by_hand:
        return reason
    names = ", ".join(f"`{step.name}`" for step in by_hand)
    message = f"{reason.message} What was done by hand is not undone: {names}."
    return reason.model_copy(update={"message": message})


def pause_hold(control: Control, ticket: str, ends: datetime) -> Hold:
    """Return the hold that a pause places."""
    return Hold(
        code=HoldCode.PAUSED,
        message=f"Paused by {control.by}{f': {control.reason}' if control.reason else ''}.",
        by=control.by,
        since=workflow.now(),
        until=ends,
        lift=f"holdpoint resume {ticket}",
    )


def details(view: TicketView) -> str:
    """Return where a ticket stands, for the page of its workflow."""
    lines = [
        f"**{view.phase.value}**: {view.title}",
        f"{view.service} in {view.environment}, on `{view.target}`",
    ]
    lines += [view.reason.message] if view.reason else []
    lines += [f"- `{one.target}`, wave {one.wave}: {one.phase or 'not begun'}" for one in view.targets]
    lines += [_held(hold) for hold in view.holds]
    if view.approvals.required:
        lines.append(f"Approvals: {len(view.approvals.given)} of {view.approvals.required}")
    return "\n\n".join(lines)


def details_of_rollout(state: RolloutState) -> str:
    """Return how a rollout stands, for the page of its workflow."""
    lines = [f"**{state.phase.value}** of {state.ticket} on `{state.target}`"]
    lines += [state.reason.message] if state.reason else []
    lines += [f"- {step.name}: {step.status.value}, {_how_far(step)}" for step in state.steps]
    lines += [_held(hold) for hold in state.holds]
    return "\n\n".join(lines)


def _how_far(step: StepView) -> str:
    if step.ends_at is not None:
        return f"until {step.ends_at:%H:%M:%S}Z"
    return step.does or f"{step.weight or 0:g} %"


def _held(hold: Hold) -> str:
    return f"Held ({hold.code.value}) by {hold.by}: {hold.message} Lifted by: {hold.lift}"


def path_between(here: Phase, there: Phase) -> list[Phase]:
    """Return the shortest legal way from one phase to another, without the first; empty if there is none."""
    ways: list[list[Phase]] = [[here]]
    seen = {here}
    while ways:
        way = ways.pop(0)
        for phase in sorted(TRANSITIONS[way[-1]]):
            if phase is there:
                return [*way[1:], phase]
            if phase not in seen:
                seen.add(phase)
                ways.append([*way, phase])
    return []
