"""Explain why a ticket does not move, or how it ended: each cause with who can lift it and how."""

from datetime import datetime, timedelta

from holdpoint.ledger import entries
from holdpoint.ledger.clock import now
from holdpoint.ledger.store import Ledger
from holdpoint.models.base import Instant, Model
from holdpoint.models.phases import Phase
from holdpoint.models.record import Entry
from holdpoint.models.ticket import (
    Hold,
    HoldCode,
    StepStatus,
    StepView,
    Takeover,
    TicketView,
    most_severe,
)
from holdpoint.service.lane import Lane, lane_of
from holdpoint.service.read import known_ticket

SUBMITTED = "ticket.submitted"
"""The door's own entry: a ticket that has no other has not been taken up by its workflow."""
STARTS_WITHIN = timedelta(seconds=5)
"""A start and a first decision take well under a second; a workflow that moves from a dead worker a little
more."""
ITSELF = "nobody: it goes on by itself"
CONTROLLERS = "an sre, a commander, or ci if it submitted the ticket"
LIFTERS: dict[HoldCode, str] = {
    HoldCode.PAUSED: CONTROLLERS,
    HoldCode.FROZEN: "a commander",
    HoldCode.WAVE_FAILED: f"{CONTROLLERS}: resume tries what failed again, rollback undoes every target",
    HoldCode.MANUAL: "whom the step names: it is done by hand, and confirmed",
    HoldCode.WINDOW: ITSELF,
    HoldCode.SOAK: ITSELF,
    HoldCode.DEPENDENCY: "whoever can bring the ticket that it waits for to its success",
    HoldCode.LANE: ITSELF,
    HoldCode.TARGET_DIRTY: "an sre: what an earlier rollout left must be undone first",
    HoldCode.DRIFT: "an sre: bring the cluster and Git together",
    HoldCode.NO_DATA: "whoever looks after the metrics, or an sre by promote or a rollback",
    HoldCode.LOW_SAMPLE: "more traffic, or an sre by promote or a rollback",
    HoldCode.INCONCLUSIVE: "an sre: look at the verdicts, then promote, roll back or wait",
    HoldCode.PROVIDER_DOWN: "whoever looks after the metrics; or an sre by promote",
    HoldCode.CLUSTER_DOWN: "whoever looks after the cluster; it goes on when it answers",
    HoldCode.PAYLOAD_KEY: "whoever deploys: give every worker the payload key; it goes on when it is there",
    HoldCode.POLICY_REVISION: "whoever deploys policies: it goes on when OPA has the expected revision",
    HoldCode.POLICY_DOWN: "whoever looks after OPA; it goes on when it answers",
    HoldCode.LEDGER_DOWN: "whoever looks after the ledger; it goes on when it answers",
    HoldCode.GIT_DOWN: "whoever looks after the repository; it goes on when it answers",
}
"""Who can remove a hold. A test holds that every code is here."""

WORDS: dict[Phase, str] = {
    Phase.EVALUATING: "The change is being validated and the policy evaluated.",
    Phase.AWAITING_APPROVAL: "It waits for approval.",
    Phase.SCHEDULED: "It is released and waits for its turn.",
    Phase.PRECHECKING: "The prechecks run; nothing has been changed yet.",
    Phase.EXECUTING: "The plan runs.",
    Phase.VERIFYING: "The new version has all traffic and is being watched.",
    Phase.ROLLING_BACK: "What was applied is being undone.",
}

MOVING = frozenset({Phase.EXECUTING, Phase.VERIFYING, Phase.ROLLING_BACK})


class Cause(Model):
    """One reason why the ticket stands where it stands."""

    code: str
    message: str
    since: Instant | None = None
    until: Instant | None = None
    who: str
    command: str | None = None
    moves_at: Instant | None = None


class Closed(Model):
    """How a ticket ended."""

    phase: Phase
    code: str
    message: str
    at: Instant | None
    rollback: str | None
    differences: list[str]


class Explanation(Model):
    """What a ticket waits for, in the order of what to look at first; or how it ended."""

    id: str
    phase: Phase
    summary: str
    causes: list[Cause]
    closed: Closed | None = None
    lane: Lane | None = None


async def explain(ledger: Ledger, ticket: str) -> Explanation:
    """Return the explanation. Raises NotFound."""
    view = await known_ticket(ledger, ticket)
    history = await ledger.read(entries.entries_of, ticket)
    late = await ledger.read(now) - view.created_at > STARTS_WITHIN
    if late and not view.phase.terminal and all(entry.kind == SUBMITTED for entry in history):
        return _of_unstarted(view)
    lane = None if view.phase.terminal else await ledger.read(lane_of, view)
    return explained(view, since=phase_began(view, history), lane=lane)


def explained(view: TicketView, *, since: datetime, lane: Lane | None = None) -> Explanation:
    """Return the explanation of a ticket that is in its phase since that moment, with its place in the lane.

    What stands in the lane now is newer than what the hold says of it.
    """
    if view.phase.terminal:
        return _of_closed(view)
    holds = [_as_it_is_now(hold, lane) for hold in view.holds]
    causes = [_of_hold(view, hold) for hold in holds]
    if view.phase is Phase.AWAITING_APPROVAL:
        causes.append(_of_approval(view, since))
    if not causes:
        causes += _of_targets(view, since) or [_of_progress(view, since)]
    words = [WORDS[view.phase]]
    first = most_severe(holds)
    if first is not None:
        words.append(f"It is on hold: {first.message}")
    return Explanation(id=view.id, phase=view.phase, summary=" ".join(words), causes=causes, lane=lane)


def _of_unstarted(view: TicketView) -> Explanation:
    message = "Nobody has taken it up: Temporal or the worker is away. It starts when both are there."
    cause = Cause(code="not_started", message=message, since=view.created_at, who=ITSELF, command=_end(view))
    return Explanation(id=view.id, phase=view.phase, summary=message, causes=[cause])


def phase_began(view: TicketView, history: list[Entry]) -> datetime:
    """Return when the ticket came into its present phase, by the entry that says so."""
    for entry in reversed(history):
        if entry.body.get("phase") == view.phase.value:
            return entry.at
    return view.created_at


def _as_it_is_now(hold: Hold, lane: Lane | None) -> Hold:
    if lane is None or hold.code is not HoldCode.LANE:
        return hold
    return hold.model_copy(update={"message": lane.sentence})


def _of_hold(view: TicketView, hold: Hold) -> Cause:
    return Cause(
        code=hold.code.value,
        message=hold.message,
        since=hold.since,
        until=hold.until,
        who=LIFTERS[hold.code],
        command=_command(view, hold),
        moves_at=hold.until if hold.code in (HoldCode.WINDOW, HoldCode.SOAK) else None,
    )


def _command(view: TicketView, hold: Hold) -> str:
    """Return the command that lifts the hold; where none can, the one that ends the wait."""
    if hold.lift.startswith("holdpoint "):
        return hold.lift
    if hold.code is HoldCode.FROZEN and hold.ref:
        return f"holdpoint freeze lift {hold.ref}"
    if hold.code in (HoldCode.PAUSED, HoldCode.WAVE_FAILED):
        return f"holdpoint resume {view.id}"
    return _end(view)


def _end(view: TicketView) -> str:
    moving = view.phase in (Phase.EXECUTING, Phase.VERIFYING)
    return f"holdpoint {'rollback' if moving else 'abort'} {view.id}"


def _of_approval(view: TicketView, since: datetime) -> Cause:
    asked = view.approvals
    given = [one for one in asked.given if not one.void and one.decision == "approved"]
    groups = f" from {', '.join(asked.groups)}" if asked.groups else ""
    message = f"{len(given)} of {asked.required} approvals{groups} are given."
    if given:
        message += f" Approved by {', '.join(one.by for one in given)}."
    if asked.voided:
        message += f" What was given before is void: {asked.voided}"
    ladder = [at for at in (asked.remind_at, asked.escalate_at, asked.expire_at) if at is not None]
    return Cause(
        code="approval",
        message=message,
        since=since,
        until=asked.expire_at,
        who=f"an approver other than {view.requester}, who submitted it",
        command=f"holdpoint approve {view.id}",
        moves_at=min(ladder, default=None),
    )


def _of_progress(view: TicketView, since: datetime) -> Cause:
    """Nothing holds it: say what is under way."""
    command = None if view.phase is Phase.ROLLING_BACK else _end(view)
    cause = Cause(code="in_progress", message=WORDS[view.phase], since=since, who=ITSELF, command=command)
    return _with_step(cause, view.steps) if view.phase is Phase.EXECUTING else cause


def _of_targets(view: TicketView, since: datetime) -> list[Cause]:
    """Say what is under way on each of many targets."""
    causes = []
    for one in view.targets if view.phase in MOVING else ():
        if one.phase is None or one.phase.terminal:
            continue
        command = None if one.phase is Phase.ROLLING_BACK else _end(view)
        cause = Cause(code="in_progress", message=WORDS[one.phase], since=since, who=ITSELF, command=command)
        cause = _with_step(cause, one.steps) if one.phase is Phase.EXECUTING else cause
        told = f"{one.cluster} (wave {one.wave}): {cause.message}"
        causes.append(cause.model_copy(update={"message": told}))
    return causes


def _with_step(cause: Cause, steps: list[StepView]) -> Cause:
    """Return the cause with what the step that runs has come to."""
    step = next((one for one in steps if one.status is StepStatus.RUNNING), None)
    if step is None:
        return cause
    if step.ends_at is None:
        weight = "" if step.weight is None else f" at {step.weight:g} %"
        message = f"Step {step.name!r} runs{weight}."
    else:
        ends = f"until {step.ends_at:%Y-%m-%dT%H:%M:%SZ} if nothing holds it"
        message = f"Step {step.name!r} {step.does}, {ends}."
    if step.verdicts:
        message += f" Last verdict: {step.verdicts[-1].message}"
    return cause.model_copy(update={"message": message, "moves_at": step.ends_at})


def _since(view: TicketView) -> str:
    """Return which ticket has followed from a closed one."""
    said = f" {view.rolled_back_by} rolls it back." if view.rolled_back_by else ""
    return said + (f" {view.retried_by} runs it again." if view.retried_by else "")


def _of_failed_rollback(view: TicketView, result: str | None) -> list[Cause]:
    """Return who has to do something about it; nobody, once a person has settled it."""
    takeover = view.takeover
    if takeover is None:
        message = (
            f"The rollback came out {result or 'incomplete'}; a person is needed: let it be tried again, or "
        )
        message += f"take {view.target} in hand (holdpoint takeover {view.id} --reason TEXT)."
        command = f"holdpoint rollback {view.id}"
        return [
            Cause(
                code="rollback_failed",
                message=message,
                since=view.closed_at,
                who=CONTROLLERS,
                command=command,
            )
        ]
    if not view.in_hand:
        return []
    return [
        Cause(
            code="taken_over",
            message=_in_hand(view, takeover),
            since=takeover.since,
            who=f"{takeover.by}, or another sre or commander",
            command=f"holdpoint takeover {view.id} --done --reason TEXT",
        )
    ]


def _in_hand(view: TicketView, takeover: Takeover) -> str:
    if takeover.done_by is not None:
        return f"{takeover.done_by} is done with {view.target} by hand; it is compared with the snapshot."
    message = f"{takeover.by} has {view.target} in hand: {takeover.reason}"
    if takeover.fenced_at is None:
        return f"{message} Our writes that were under way are being fenced."
    late = ", ".join(takeover.in_doubt)
    return f"{message} A late write of ours may still come to: {late}." if late else message


def _of_closed(view: TicketView) -> Explanation:
    code = view.reason.code if view.reason else view.phase.value.lower()
    message = view.reason.message if view.reason else f"It ended {view.phase}."
    result = view.rollback.result.value if view.rollback.result else None
    closed = Closed(
        phase=view.phase,
        code=code,
        message=message,
        at=view.closed_at,
        rollback=result,
        differences=view.rollback.differences,
    )
    causes = _of_failed_rollback(view, result) if view.phase is Phase.ROLLBACK_FAILED else []
    summary = f"It ended {view.phase}: {message}{_since(view)}"
    return Explanation(id=view.id, phase=view.phase, summary=summary, causes=causes, closed=closed)
