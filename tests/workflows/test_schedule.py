"""Scheduled and Prechecking: what a ticket waits for, what wakes it, and how long."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from holdpoint.models import contracts
from holdpoint.models.activity_calls import Check, CheckReport, PrecheckCall, ScheduleCall, Scheduled
from holdpoint.models.artifact import Soak
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import HoldCode, Reason
from holdpoint.models.workflow_messages import Wake
from tests.workflows.builders import a_control, a_hold, an_evaluation, broken, down
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

WAITS = Scheduled(granted=False, holds=[a_hold(HoldCode.LANE, ref="chg-0")])
GRANTED = Scheduled(granted=True)
SOAK = Soak(environment="staging", seconds=1800)


async def waiting(world: World, answer: Scheduled = WAITS) -> None:
    """Bring a ticket to where it waits for its target."""
    world.answers["schedule"] = answer
    await world.submit()
    await world.is_held(answer.holds[0].code.value if answer.holds else "lane")


async def test_a_wake_up_makes_the_ticket_ask_again_at_once(world: World) -> None:
    await waiting(world)

    world.answers["schedule"] = GRANTED
    await world.wake()
    await world.asked(contracts.PRECHECK)

    assert await world.ends() is Phase.SUCCEEDED
    assert [body["code"] for body in world.bodies("hold.lifted")] == ["lane"]


async def test_a_rollback_after_success_goes_to_the_front_of_the_lane(world: World) -> None:
    await world.submit(rolls_back="chg-0")

    assert await world.ends() is Phase.SUCCEEDED
    [asked] = world.calls_of(contracts.SCHEDULE)
    assert asked.priority == contracts.FRONT < contracts.EMERGENCY
    assert world.calls_of(contracts.BEGIN)[0].start.type == "rollback"


async def test_a_wake_up_during_the_question_is_not_lost(world: World) -> None:
    async def grants_only_after_a_wake_up(call: ScheduleCall) -> Scheduled:
        if len(world.calls_of(contracts.SCHEDULE)) > 1:
            return GRANTED
        await world.of_ticket.signal(contracts.SIGNAL_WAKE, Wake(cause="lane"))
        return WAITS

    world.answers["schedule"] = grants_only_after_a_wake_up
    await world.submit()

    await world.asked(contracts.PRECHECK)  # without any time passing


async def test_without_a_wake_up_it_looks_again_within_17_minutes(world: World) -> None:
    await waiting(world)

    await world.pass_time(minutes=17)

    await world.asked(contracts.SCHEDULE, times=2)


async def test_it_looks_again_when_the_schedule_says_so(world: World) -> None:
    now = await world.env.get_current_time()
    opening = a_hold(HoldCode.WINDOW, until=now + timedelta(minutes=2))
    await waiting(world, Scheduled(granted=False, holds=[opening], look_again=opening.until))

    world.answers["schedule"] = GRANTED
    await world.pass_time(minutes=3)

    await world.asked(contracts.PRECHECK)


async def test_the_same_hold_is_recorded_once_with_the_since_it_began_with(world: World) -> None:
    await waiting(world)
    since = world.view["holds"][0]["since"]

    for times in (2, 3):
        await world.wake()
        await world.asked(contracts.SCHEDULE, times)
    await world.pass_time(seconds=1)

    assert world.kinds.count("hold.placed") == 1
    assert world.view["holds"][0]["since"] == since


async def test_every_hold_of_the_schedule_has_an_end_and_there_the_ticket_expires(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(obligations={"schedule_bound": 7200})
    await waiting(world)

    assert world.view["holds"][0]["until"] is not None
    assert await world.ends() is Phase.EXPIRED
    assert world.view["reason"]["code"] == "hold_expired"
    assert contracts.LEAVE.name in world.names


async def test_a_paused_ticket_gives_its_place_to_others(world: World) -> None:
    await waiting(world)

    await world.tell(contracts.PAUSE, a_control("pause"))
    await world.asked(contracts.LEAVE)
    asked = len(world.calls_of(contracts.SCHEDULE))
    await world.wake()
    await world.pass_time(hours=1)

    assert world.held_by() == {"paused"}
    assert len(world.calls_of(contracts.SCHEDULE)) == asked
    world.answers["schedule"] = GRANTED
    await world.tell(contracts.RESUME, a_control("resume"))
    assert await world.ends() is Phase.SUCCEEDED


async def test_a_pause_that_nobody_lifts_expires(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(obligations={"pause_bound": 3600})
    await waiting(world)

    await world.tell(contracts.PAUSE, a_control("pause"))

    assert await world.ends() is Phase.EXPIRED
    assert "paused" in world.view["reason"]["message"]


async def test_abort_while_scheduled_leaves_the_lane(world: World) -> None:
    await waiting(world)

    await world.tell(contracts.ABORT, a_control("abort"))

    assert await world.ends() is Phase.ABORTED
    assert world.names[-2:] == [contracts.LEAVE.name, contracts.ARCHIVE.name]
    assert world.view["holds"] == []


async def test_a_ledger_that_is_down_holds_and_does_not_expire_the_ticket(world: World) -> None:
    await waiting(world)

    world.ledger_is_down = True
    await world.wake()
    await world.pass_time(hours=2)
    view = await world.state()
    world.ledger_is_down, world.answers["schedule"] = False, GRANTED

    assert {hold.code.value for hold in view.holds} == {"lane", "ledger_down"}
    assert await world.ends() is Phase.SUCCEEDED


async def test_a_failed_precheck_fails_the_ticket_and_names_the_check(world: World) -> None:
    checks = [
        Check(name="health", passed=True, message="ready"),
        Check(name="drift", passed=False, message="edited by hand", attempts=3),
        Check(name="open_incidents", passed=False, unknown=True, message="Nobody knows."),
    ]
    world.answers["precheck"] = CheckReport(passed=False, checks=checks)

    await world.submit()

    assert await world.ends() is Phase.FAILED
    assert world.view["reason"] == {"code": "precheck_failed", "message": "drift: edited by hand"}
    assert world.bodies("precheck.finished")[0]["checks"][1]["attempts"] == 3
    assert contracts.BEGIN.name not in world.names
    assert contracts.LEAVE.name in world.names


async def test_a_pause_during_the_prechecks_takes_the_ticket_back_to_scheduled(world: World) -> None:
    async def paused_meanwhile(call: PrecheckCall) -> CheckReport:
        if len(world.calls_of(contracts.PRECHECK)) == 1:
            await world.tell(contracts.PAUSE, a_control("pause"))
        return CheckReport(passed=True, checks=[])

    world.answers["precheck"] = paused_meanwhile
    await world.submit()
    await world.asked(contracts.LEAVE)
    await world.pass_time(minutes=1)

    assert world.phases[-1] == "Scheduled"
    await world.tell(contracts.RESUME, a_control("resume"))
    assert await world.ends() is Phase.SUCCEEDED
    assert world.phases.count("Prechecking") == 2


async def test_a_broken_precheck_ends_in_errored(world: World) -> None:
    world.answers["precheck"] = broken("not_found", "The cluster is not known.")

    await world.submit()

    assert await world.ends() is Phase.ERRORED
    assert world.view["reason"]["code"] == "not_found"


async def test_a_cluster_that_stays_away_during_the_prechecks_fails_the_ticket(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(obligations={"hold_bound": 600})
    world.answers["precheck"] = down("The cluster")

    await world.submit()

    assert await world.ends() is Phase.FAILED
    assert world.view["reason"]["code"] == "hold_expired"


async def test_an_emergency_opens_a_review_when_it_begins(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(obligations={"review_within": 86400})

    await world.submit(type="emergency")

    assert await world.ends() is Phase.SUCCEEDED
    opened = next(entry for entry in world.entries.values() if entry.kind == "review.opened")
    assert world.view["review"]["state"] == "open"
    due = (opened.at + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert world.view["review"]["due_at"] == due
    assert world.calls_of(contracts.SCHEDULE)[0].priority == contracts.EMERGENCY


async def test_what_never_will_be_granted_ends_the_ticket_with_its_reason(world: World) -> None:
    waits = Scheduled(granted=False, holds=[a_hold(HoldCode.DEPENDENCY, ref="chg-0")])
    await waiting(world, waits)

    reason = Reason(code="dependency_failed", message="chg-0 ended Failed.")
    world.answers["schedule"] = Scheduled(granted=False, ended=reason)
    await world.wake()

    assert await world.ends() is Phase.ABORTED
    assert world.view["reason"] == reason.model_dump()
    assert world.view["holds"] == []
    assert world.phases[-2:] == ["Scheduled", "Aborted"]


async def test_the_ledgers_word_ends_a_ticket_that_still_waits_for_approval(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(approvals=1)
    await world.submit()
    await world.enters(Phase.AWAITING_APPROVAL)

    word = a_control("abort", by="chg-0", reason="chg-0 ended Failed.", code="dependency_failed")
    await world.tell(contracts.ABORT, word)

    assert await world.ends() is Phase.ABORTED
    assert world.view["reason"] == {"code": "dependency_failed", "message": "chg-0 ended Failed."}


async def test_the_ledgers_word_stops_no_rollout_that_has_begun(world: World) -> None:
    world.answers["judge"] = world.hang
    await world.submit()
    await world.asked(contracts.JUDGE)

    word = a_control("abort", by="chg-0", reason="chg-0 was rolled back.", code="dependency_failed")
    with pytest.raises(WorkflowUpdateFailedError):
        await world.tell(contracts.ABORT, word)
    world.release()

    assert await world.ends() is Phase.SUCCEEDED
    assert [body["verb"] for body in world.bodies("attempt.denied")] == ["abort"]


async def test_the_schedule_is_told_whether_policy_lets_it_replace_older_ones(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(obligations={"supersede": True})
    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert [call.supersede for call in world.calls_of(contracts.SCHEDULE)] == [True]


async def soaking(world: World, minutes: int = 2) -> None:
    """Bring a ticket to where its artifact has yet to run elsewhere for so many minutes."""
    world.answers["evaluate"] = an_evaluation(obligations={"soak": SOAK})
    ends = await world.env.get_current_time() + timedelta(minutes=minutes)
    hold = a_hold(HoldCode.SOAK, until=ends, ref="staging")
    await waiting(world, Scheduled(granted=False, holds=[hold], look_again=ends))


async def test_a_soak_is_waited_for_until_its_moment(world: World) -> None:
    await soaking(world)
    world.answers["schedule"] = GRANTED

    await world.pass_time(seconds=110)
    early = world.names.count(contracts.SCHEDULE.name)
    await world.pass_time(seconds=20)
    await world.asked(contracts.PRECHECK)

    assert early == 1
    assert [call.soak for call in world.calls_of(contracts.SCHEDULE)] == [SOAK, SOAK]
    assert await world.ends() is Phase.SUCCEEDED


async def test_a_breach_during_the_soak_denies(world: World) -> None:
    await soaking(world, minutes=600)

    said = "Its artifact was rolled back in staging (chg-0, analysis_failed)."
    world.answers["schedule"] = GRANTED
    world.answers["evaluate"] = an_evaluation(deny=[said])
    await world.wake()

    assert await world.ends() is Phase.REJECTED
    assert world.view["reason"] == {"code": "denied", "message": said}
    assert contracts.PRECHECK.name not in world.names
    assert contracts.BEGIN.name not in world.names


async def test_a_soak_that_only_the_second_evaluation_asks_for_is_waited_for_too(world: World) -> None:
    later = an_evaluation(obligations={"soak": SOAK})
    world.answers["evaluate"] = [an_evaluation(), later]
    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    assert [call.soak for call in world.calls_of(contracts.SCHEDULE)] == [None, SOAK]
