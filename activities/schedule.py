"""Ask for the lane. In one transaction: nothing is granted under a freeze or before its time."""

from datetime import datetime

from sqlalchemy import Connection

from holdpoint.ledger import dependencies, freezes, head, ladder, outbox, targets, tickets
from holdpoint.ledger.dependencies import Dependency, Outcome
from holdpoint.ledger.supersede import supersede, superseded
from holdpoint.models.activity_calls import ScheduleCall, Scheduled
from holdpoint.models.artifact import Soak
from holdpoint.models.contracts import ABORT, EMERGENCY, ROLLBACK
from holdpoint.models.durations import format_duration
from holdpoint.models.phases import Phase
from holdpoint.models.policy import Window
from holdpoint.models.record import Freeze, LanePlace
from holdpoint.models.ticket import Hold, HoldCode, Takeover, TicketView
from holdpoint.models.windows import next_opening
from holdpoint.models.workflow_messages import Control

IN_ROLLOUT = frozenset({Phase.EXECUTING, Phase.VERIFYING})
BEFORE_ROLLOUT = frozenset({Phase.SCHEDULED, Phase.PRECHECKING})


def ask(db: Connection, call: ScheduleCall, windows: list[Window], now: datetime) -> Scheduled:
    """Grant the lane, or return every hold that keeps the ticket waiting, or why it ends."""
    head.lock(db)  # what is read from here on stays true until the grant
    view = tickets.get_ticket(db, call.ticket)
    if (replaced := superseded(view)) is not None:
        return Scheduled(granted=False, ended=replaced)
    needed = dependencies.look(db, view.depends_on)
    failed = [one.message for one in needed if one.outcome is Outcome.FAILED]
    if failed:
        _leave(db, call)
        return Scheduled(granted=False, ended=dependencies.given_up(failed[0]))
    if call.supersede and all(one.outcome is Outcome.SUCCEEDED for one in needed):
        supersede(db, view)
    opening = next_opening(windows, now) if call.window else now
    holds = [_frozen(freeze) for freeze in _covering(db, view)]
    holds += [_dependency(one, now) for one in needed if one.outcome is Outcome.PENDING]
    if opening is not None and opening > now:
        holds.append(_window(view, opening, now))
    holds += _soak(db, view, call.soak, now)
    if holds:
        # What waits for hours must not keep a target that an emergency may want.
        _leave(db, call)
        return Scheduled(granted=False, holds=holds, look_again=_earliest(holds))
    wanted = call.targets or [call.target]
    place = targets.enter_lanes(db, ticket=call.ticket, targets=wanted, priority=call.priority)
    if place.granted:
        return Scheduled(granted=True)
    holder = _holder(db, place)
    for one in _holders(db, wanted, call.ticket) if call.priority == EMERGENCY else ():
        if one.hold is not None:
            _move_aside(db, one, call.ticket)
    if _nobody_restores(place, holder):
        _leave(db, call, but=place.target)  # others need not wait with it until a person has come
    return Scheduled(granted=False, holds=[_lane(place, holder, now)])


def _leave(db: Connection, call: ScheduleCall, *, but: str | None = None) -> None:
    for target in call.targets or [call.target]:
        if target != but:
            targets.leave_lane(db, ticket=call.ticket, target=target)


def _holders(db: Connection, wanted: list[str], ticket: str) -> list[TicketView]:
    rows = [targets.get_target(db, target) for target in wanted]
    held = {row.holder_ticket for row in rows if row is not None and row.holder_ticket is not None}
    return [tickets.get_ticket(db, holder) for holder in sorted(held - {ticket})]


def _nobody_restores(place: LanePlace, holder: TicketView | None) -> bool:
    return place.dirty and (holder is None or holder.phase.terminal)


def _covering(db: Connection, view: TicketView) -> list[Freeze]:
    scope = {"service": view.service, "environment": view.environment}
    return freezes.covering(db, **scope, change_type=view.freeze_type)


def _holder(db: Connection, place: LanePlace) -> TicketView | None:
    return None if place.holder_ticket is None else tickets.get_ticket(db, place.holder_ticket)


def _move_aside(db: Connection, holder: TicketView, emergency: str) -> None:
    """Have a holder that does not move give the target up: roll back, or stop before it does anything.

    By the outbox, so that it is ordered once and reaches the holder also after a restart.
    """
    update = ROLLBACK if holder.phase in IN_ROLLOUT else ABORT if holder.phase in BEFORE_ROLLOUT else None
    if update is None:
        return
    why = f"The emergency {emergency} needs the target, and this change was on hold"
    word = Control(verb="rollback" if update is ROLLBACK else "abort", by=emergency, reason=why)
    outbox.post(
        db,
        kind="update",
        ticket=holder.id,
        body={"update": update.name, "argument": word.model_dump(mode="json")},
        key=f"{holder.id}/{update.name}/{emergency}",
    )


def _frozen(freeze: Freeze) -> Hold:
    return Hold(
        code=HoldCode.FROZEN,
        message=f"Frozen by {freeze.by} ({freeze.scope}): {freeze.reason}",
        by=freeze.by,
        since=freeze.created_at,
        until=freeze.until,
        lift=f"holdpoint freeze lift {freeze.id}",
        ref=freeze.id,
    )


def _dependency(needed: Dependency, now: datetime) -> Hold:
    ticket = needed.view.id
    return Hold(
        code=HoldCode.DEPENDENCY,
        message=f"Waits for the success of another change: {needed.message}",
        by=ticket,
        since=now,
        lift=f"the success of {ticket}",
        ref=ticket,
    )


def _window(view: TicketView, opening: datetime, now: datetime) -> Hold:
    opens = f"{opening:%a %Y-%m-%d %H:%M} UTC"
    return Hold(
        code=HoldCode.WINDOW,
        message=f"Outside the production window of {view.service}; it opens next on {opens}.",
        by="policy",
        since=now,
        until=opening,
        lift=f"the opening of the window on {opens}",
    )


def _soak(db: Connection, view: TicketView, soak: Soak | None, now: datetime) -> list[Hold]:
    """Return the hold of an artifact that has not run long enough; none where it never will have.

    Then the policy is asked again when the target is granted, and says no.
    """
    if soak is None or view.artifact is None:
        return []
    rungs = ladder.ladder_of(db, service=view.service, artifact=view.artifact.digest, now=now)
    over = ladder.soaked_at(rungs, soak, now)
    if over is None:
        return []
    lasts, ends = format_duration(soak.seconds), f"{over:%Y-%m-%d %H:%M:%S} UTC"
    return [
        Hold(
            code=HoldCode.SOAK,
            message=f"Its artifact must have run in {soak.environment} for {lasts} without a breach: "
            f"that is so at {ends}.",
            by="policy",
            since=now,
            until=over,
            lift=f"the end of the soak in {soak.environment} at {ends}",
            ref=soak.environment,
        )
    ]


def _lane(place: LanePlace, holder: TicketView | None, now: datetime) -> Hold:
    if holder is not None and holder.takeover is not None and holder.in_hand:
        return _in_hand(place.target, holder, holder.takeover, now)
    if _nobody_restores(place, holder):
        left_by = holder.id if holder else "an earlier change"
        return Hold(
            code=HoldCode.TARGET_DIRTY,
            message=f"{place.target} was left half changed by {left_by}, and must be restored first.",
            by=left_by,
            since=now,
            lift=f"holdpoint rollback {left_by}" if holder else "the rollback of what was left there",
            ref=place.holder_ticket,
        )
    before = f"{holder.id} ({holder.phase})" if holder else "those before it in the lane"
    return Hold(
        code=HoldCode.LANE,
        message=f"Waits in the lane of {place.target} at place {max(1, place.position)}, behind {before}.",
        by=holder.id if holder else "holdpoint",
        since=now,
        lift=f"the end of {holder.id}" if holder else "the end of the change that is before it",
        ref=place.holder_ticket,
    )


def _in_hand(target: str, holder: TicketView, takeover: Takeover, now: datetime) -> Hold:
    return Hold(
        code=HoldCode.TARGET_DIRTY,
        message=f"{target} is in {takeover.by}'s hands since {takeover.since:%Y-%m-%dT%H:%M:%SZ}, "
        f"after the rollback of {holder.id} failed: {takeover.reason}",
        by=takeover.by,
        since=now,
        lift=f"holdpoint takeover {holder.id} --done --reason TEXT",
        ref=holder.id,
    )


def _earliest(holds: list[Hold]) -> datetime | None:
    return min((hold.until for hold in holds if hold.until is not None), default=None)
