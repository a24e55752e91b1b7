"""Explain names every cause, who can lift it, and a command that is there."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdpoint.ledger import targets
from holdpoint.models.contracts import STANDARD
from holdpoint.models.phases import TERMINAL, Phase
from holdpoint.models.ticket import (
    Approval,
    ApprovalsView,
    Hold,
    HoldCode,
    Reason,
    RollbackResult,
    RollbackView,
    StepStatus,
    StepView,
    TicketView,
    most_severe,
)
from holdpoint.service.explain import LIFTERS, WORDS, explain, explained
from tests.service.world import DIGEST, TARGET, World, a_change

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMMAND = re.compile(r"holdpoint (approve|abort|resume|rollback|freeze lift) (chg|frz)-[a-z0-9]+")


def a_view(**changes: Any) -> TicketView:
    view = {
        "id": "chg-aaaaaaaaaa",
        "title": "podinfo 2",
        "service": "podinfo",
        "environment": "staging",
        "type": "standard",
        "phase": Phase.EXECUTING,
        "created_at": NOW,
        "requester": "ci",
        "commit": "a" * 40,
        "repository": "/srv/podinfo",
        "revision": "main",
        "target": TARGET,
    }
    holds = changes.get("holds", [])
    return TicketView.model_validate({**view, "hold": most_severe(holds), **changes})


def a_hold(code: HoldCode, **changes: Any) -> Hold:
    hold = {"code": code, "message": "why", "by": "somebody", "since": NOW, "lift": "an event"}
    return Hold.model_validate({**hold, **changes})


def test_every_hold_code_has_somebody_who_can_lift_it() -> None:
    assert set(LIFTERS) == set(HoldCode)


def test_every_open_phase_has_words() -> None:
    assert set(WORDS) == set(Phase) - TERMINAL


@pytest.mark.parametrize("code", HoldCode)
def test_every_hold_has_a_cause_with_a_command(code: HoldCode) -> None:
    told = explained(a_view(holds=[a_hold(code)]), since=NOW)

    [cause] = told.causes
    assert cause.code == code
    assert cause.who
    assert COMMAND.fullmatch(cause.command or "")


def test_a_freeze_is_lifted_by_its_id() -> None:
    told = explained(a_view(holds=[a_hold(HoldCode.FROZEN, ref="frz-1234567890")]), since=NOW)

    assert told.causes[0].command == "holdpoint freeze lift frz-1234567890"
    assert told.causes[0].who == "a commander"


def test_a_closed_window_says_when_it_opens() -> None:
    opens = NOW + timedelta(hours=3)
    view = a_view(phase=Phase.SCHEDULED, holds=[a_hold(HoldCode.WINDOW, until=opens)])

    assert explained(view, since=NOW).causes[0].moves_at == opens


def test_all_holds_are_named_not_only_the_most_severe() -> None:
    view = a_view(holds=[a_hold(HoldCode.PAUSED), a_hold(HoldCode.FROZEN), a_hold(HoldCode.NO_DATA)])

    assert [cause.code for cause in explained(view, since=NOW).causes] == ["paused", "frozen", "no_data"]


def test_missing_approvals_are_a_cause_with_the_ladders_next_step() -> None:
    approvals = ApprovalsView(
        required=2,
        groups=["approver"],
        given=[Approval(by="approver", decision="approved", digest=DIGEST, at=NOW)],
        remind_at=NOW + timedelta(hours=1),
        expire_at=NOW + timedelta(hours=72),
    )

    [cause] = explained(a_view(phase=Phase.AWAITING_APPROVAL, approvals=approvals), since=NOW).causes

    assert cause.message.startswith("1 of 2 approvals from approver")
    assert cause.moves_at == approvals.remind_at
    assert cause.until == approvals.expire_at
    assert cause.command == "holdpoint approve chg-aaaaaaaaaa"
    assert "ci" in cause.who


def test_a_ticket_that_nothing_holds_says_what_it_does() -> None:
    step = StepView(name="canary podinfo", kind="canary", status=StepStatus.RUNNING, weight=9.1)

    [cause] = explained(a_view(steps=[step]), since=NOW).causes

    assert cause.code == "in_progress"
    assert "9.1 %" in cause.message


def test_a_step_that_only_takes_time_says_when_it_moves() -> None:
    ends = NOW + timedelta(minutes=10)
    step = StepView(
        name="soak", kind="wait", status=StepStatus.RUNNING, does="waits 30m", ends_at=ends, left=None
    )

    [cause] = explained(a_view(steps=[step]), since=NOW).causes

    assert cause.message == "Step 'soak' waits 30m, until 2026-03-01T12:10:00Z if nothing holds it."
    assert cause.moves_at == ends


def test_a_manual_step_names_the_command_that_confirms_it() -> None:
    lift = "holdpoint confirm chg-aaaaaaaaaa --step 'fail over' --reason TEXT"

    [cause] = explained(a_view(holds=[a_hold(HoldCode.MANUAL, lift=lift)]), since=NOW).causes

    assert cause.command == lift


def test_a_closed_ticket_says_why() -> None:
    reason = Reason(code="denied", message="A floating tag.")

    told = explained(a_view(phase=Phase.REJECTED, reason=reason, closed_at=NOW), since=NOW)

    assert told.closed is not None
    assert (told.closed.code, told.closed.message) == ("denied", "A floating tag.")
    assert told.causes == []


def test_a_failed_rollback_asks_for_a_person() -> None:
    rollback = RollbackView(result=RollbackResult.DIVERGED, differences=["Deployment/podinfo: x"])

    told = explained(a_view(phase=Phase.ROLLBACK_FAILED, rollback=rollback), since=NOW)

    assert told.causes[0].command == "holdpoint rollback chg-aaaaaaaaaa"
    assert told.closed is not None
    assert told.closed.differences == ["Deployment/podinfo: x"]


async def test_a_ticket_that_nobody_has_taken_up_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdpoint.service.explain.STARTS_WITHIN", timedelta(0))
    ticket = await world.a_ticket()

    [cause] = (await explain(world.ledger, ticket.id)).causes

    assert cause.code == "not_started"
    assert cause.since == ticket.created_at


async def test_since_is_when_the_phase_began(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.PRECHECKING)

    [cause] = (await explain(world.ledger, ticket.id)).causes

    assert cause.since is not None
    assert cause.since > ticket.created_at


def test_who_is_asked_again_is_told_why() -> None:
    approvals = ApprovalsView(required=1, voided="Moved on the cluster: Deployment shop (spec.replicas).")

    (cause,) = explained(a_view(phase=Phase.AWAITING_APPROVAL, approvals=approvals), since=NOW).causes

    assert "void: Moved on the cluster: Deployment shop (spec.replicas)." in cause.message


def test_a_dependency_is_named_with_who_can_bring_it_on() -> None:
    hold = a_hold(HoldCode.DEPENDENCY, ref="chg-bbbbbbbbbb", message="Waits for chg-bbbbbbbbbb.")
    told = explained(a_view(phase=Phase.SCHEDULED, holds=[hold]), since=NOW)

    [cause] = told.causes
    assert "chg-bbbbbbbbbb" in cause.message
    assert "the ticket that it waits for" in cause.who
    assert cause.command == "holdpoint abort chg-aaaaaaaaaa"


async def test_a_ticket_in_the_lane_says_its_place_and_who_is_before_it(world: World) -> None:
    first, second, third = [
        (await world.submit(a_change(title=f"podinfo {number}"), key=f"build-{number}")).view
        for number in (1, 2, 3)
    ]
    for view in (first, second, third):
        await world.ledger.write(targets.enter_lane, ticket=view.id, target=TARGET, priority=STANDARD)
    lane = a_hold(HoldCode.LANE, message="what it was when the ticket looked", ref=first.id)
    await world.record(first.id, phase=Phase.EXECUTING)
    await world.record(third.id, phase=Phase.SCHEDULED, holds=[lane.model_dump(mode="json")])

    told = await explain(world.ledger, third.id)

    said = f"number 2 of 2 in the lane of {TARGET}; {first.id} (Executing) has the target"
    assert said in told.causes[0].message
    assert f"before it wait {second.id}" in told.causes[0].message
    assert said in told.summary
    assert told.lane is not None
    assert (told.lane.position, told.lane.holder, told.lane.ahead) == (2, first.id, [second.id])
    assert (await explain(world.ledger, first.id)).lane is None


@pytest.mark.parametrize("code", [HoldCode.WINDOW, HoldCode.SOAK])
def test_what_ends_by_the_clock_says_when_it_moves(code: HoldCode) -> None:
    ends = NOW + timedelta(minutes=30)

    told = explained(a_view(phase=Phase.SCHEDULED, holds=[a_hold(code, until=ends)]), since=NOW)

    assert [(cause.moves_at, cause.until) for cause in told.causes] == [(ends, ends)]
