"""A ticket waits for freezes, its window and the lane; every reason is shown."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from holdpoint.ledger import intents, takeovers, targets
from holdpoint.models.contracts import EMERGENCY, STANDARD
from holdpoint.models.phases import Phase
from holdpoint.models.record import IntentRequest, ObjectRef
from holdpoint.models.ticket import HoldCode
from tests.activities.ticket_world import MONDAY, NIGHT, TicketWorld
from tests.activities.world import Sandbox, deployment, service

NEEDED = "chg-aaaaaaaaaa"


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    made = TicketWorld(sandbox, tmp_path)
    made.commit()
    made.submit()
    yield made
    await made.close()


def dirty(shop: TicketWorld, ticket: str) -> None:
    """Have a rollout of the ticket write something, and end without success."""
    shop.takes_target(ticket)
    ref = ObjectRef(cluster="sandbox", api_version="v1", kind="Service", namespace="x", name="shop")
    request = IntentRequest(
        ticket=ticket, target=shop.target, run="run-1", key="k", direction="forward", verb="apply",
        object=ref, resource_version="1", service="shop", environment="production", change_type="standard",
    )  # fmt: skip
    shop.ledger.write_now(intents.open_intent, request)
    shop.ledger.write_now(intents.close_intent, request.id, status="done", result={})
    shop.ledger.write_now(targets.release_target, target=shop.target, run="run-1", clean=False)


async def test_free_target_is_granted(shop: TicketWorld) -> None:
    assert (await shop.schedule()).granted
    assert (await shop.schedule()).granted


async def test_freeze_is_a_hold_that_says_who_why_and_how_it_is_lifted(shop: TicketWorld) -> None:
    freeze = shop.freeze()

    (hold,) = (await shop.schedule()).holds

    assert (hold.code, hold.by, hold.ref) == (HoldCode.FROZEN, "commander", freeze.id)
    assert "INC-7" in hold.message
    assert hold.lift == f"holdpoint freeze lift {freeze.id}"


async def test_freeze_that_excepts_the_type_does_not_hold(shop: TicketWorld) -> None:
    shop.freeze("emergency")
    shop.submit("chg-2", change=shop.a_change(type="emergency"))

    assert not (await shop.schedule("chg-1")).granted
    assert (await shop.schedule("chg-2", priority=EMERGENCY)).granted


async def test_closed_window_is_a_hold_until_its_next_opening(shop: TicketWorld) -> None:
    shop.time = NIGHT

    answer = await shop.schedule(window=True)

    (hold,) = answer.holds
    opening = NIGHT.replace(day=3, hour=9)
    assert (hold.code, hold.until, answer.look_again) == (HoldCode.WINDOW, opening, opening)
    assert "Tue 2026-03-03 09:00 UTC" in hold.message


async def test_window_is_only_waited_for_where_the_policy_asks_for_it(shop: TicketWorld) -> None:
    shop.time = NIGHT

    assert (await shop.schedule(window=False)).granted


async def test_open_window_does_not_hold(shop: TicketWorld) -> None:
    assert (await shop.schedule(window=True)).granted


async def test_every_hold_is_shown_at_once(shop: TicketWorld) -> None:
    shop.time = NIGHT
    shop.freeze()

    answer = await shop.schedule(window=True)

    assert {hold.code for hold in answer.holds} == {HoldCode.FROZEN, HoldCode.WINDOW}


async def test_ticket_that_is_held_keeps_no_target(shop: TicketWorld) -> None:
    await shop.schedule()
    shop.submit("chg-2")
    shop.freeze()

    await shop.schedule("chg-1")

    row = shop.ledger.read_now(targets.get_target, shop.target)
    assert row is not None
    assert row.holder_ticket is None


async def test_second_ticket_waits_in_the_lane_and_names_whom_for(shop: TicketWorld) -> None:
    shop.submit("chg-2")
    await shop.schedule("chg-1")

    (hold,) = (await shop.schedule("chg-2")).holds

    assert (hold.code, hold.ref) == (HoldCode.LANE, "chg-1")
    assert "chg-1" in hold.message


async def test_leaving_lets_the_next_one_in_and_wakes_it(shop: TicketWorld) -> None:
    shop.submit("chg-2")
    await shop.schedule("chg-1")
    await shop.schedule("chg-2")

    await shop.leave("chg-1")

    assert [row.ticket for row in shop.posted("wake")] == ["chg-2"]
    assert (await shop.schedule("chg-2")).granted


async def test_leaving_twice_is_harmless(shop: TicketWorld) -> None:
    await shop.schedule()

    await shop.leave()
    await shop.leave()

    assert (await shop.schedule()).granted


async def test_target_left_half_changed_is_said_with_the_command_that_mends_it(shop: TicketWorld) -> None:
    dirty(shop, "chg-1")
    shop.enters("chg-1", Phase.ROLLBACK_FAILED)
    shop.submit("chg-2")

    (hold,) = (await shop.schedule("chg-2")).holds

    assert hold.code is HoldCode.TARGET_DIRTY
    assert hold.lift == "holdpoint rollback chg-1"


async def test_target_in_a_persons_hands_is_said_with_who_why_and_the_command_that_ends_it(
    shop: TicketWorld,
) -> None:
    dirty(shop, "chg-1")
    shop.enters("chg-1", Phase.ROLLBACK_FAILED)
    shop.ledger.write_now(takeovers.begin, "chg-1", by="anna", roles=["sre"], reason="INC-7")
    shop.submit("chg-2", change=shop.a_change(type="emergency"))

    (hold,) = (await shop.schedule("chg-2", priority=EMERGENCY)).holds

    assert (hold.code, hold.by) == (HoldCode.TARGET_DIRTY, "anna")
    assert f"{shop.target} is in anna's hands since" in hold.message
    assert "after the rollback of chg-1 failed: INC-7" in hold.message
    assert hold.lift == "holdpoint takeover chg-1 --done --reason TEXT"


async def test_running_rollout_is_a_lane_and_not_a_dirty_target(shop: TicketWorld) -> None:
    dirty(shop, "chg-1")
    shop.enters("chg-1", Phase.EXECUTING)
    shop.submit("chg-2")

    (hold,) = (await shop.schedule("chg-2")).holds

    assert hold.code is HoldCode.LANE


async def test_emergency_makes_a_holder_on_hold_roll_back_once(shop: TicketWorld) -> None:
    shop.takes_target("chg-1")
    shop.enters("chg-1", Phase.EXECUTING, HoldCode.NO_DATA)
    shop.submit("chg-2", change=shop.a_change(type="emergency"))

    await shop.schedule("chg-2", priority=EMERGENCY)
    await shop.schedule("chg-2", priority=EMERGENCY)

    (row,) = shop.posted("update")
    assert (row.ticket, row.body["update"]) == ("chg-1", "rollback")
    assert row.body["argument"]["by"] == "chg-2"


async def test_emergency_stops_a_holder_on_hold_that_has_not_begun(shop: TicketWorld) -> None:
    await shop.schedule("chg-1")
    shop.enters("chg-1", Phase.PRECHECKING, HoldCode.CLUSTER_DOWN)
    shop.submit("chg-2", change=shop.a_change(type="emergency"))

    await shop.schedule("chg-2", priority=EMERGENCY)

    (row,) = shop.posted("update")
    assert row.body["update"] == "abort"


@pytest.mark.parametrize(
    ("priority", "hold"),
    [
        pytest.param(EMERGENCY, None, id="holder moves"),
        pytest.param(STANDARD, HoldCode.NO_DATA, id="no emergency"),
    ],
)
async def test_holder_is_left_alone(shop: TicketWorld, priority: int, hold: HoldCode | None) -> None:
    shop.takes_target("chg-1")
    shop.enters("chg-1", Phase.EXECUTING, hold)
    shop.submit("chg-2", change=shop.a_change(type="emergency"))

    await shop.schedule("chg-2", priority=priority)

    assert shop.posted("update") == []


async def test_emergency_goes_before_those_who_came_earlier(shop: TicketWorld) -> None:
    shop.submit("chg-2")
    shop.submit("chg-3", change=shop.a_change(type="emergency"))
    await shop.schedule("chg-1")
    await shop.schedule("chg-2")
    await shop.schedule("chg-3", priority=EMERGENCY)

    await shop.leave("chg-1")

    assert not (await shop.schedule("chg-2")).granted
    assert (await shop.schedule("chg-3", priority=EMERGENCY)).granted


async def test_freeze_with_an_end_is_looked_at_again_when_it_ends(shop: TicketWorld) -> None:
    freeze = shop.freeze(until=timedelta(hours=1))

    assert (await shop.schedule()).look_again == freeze.until


def depending(shop: TicketWorld, *needs: str) -> None:
    """Open the tickets that are needed, and chg-2, which depends on them."""
    for ticket in needs:
        shop.submit(ticket)
    change = shop.a_change()
    spec = change.spec.model_copy(update={"dependsOn": list(needs)})
    shop.submit("chg-2", change=change.model_copy(update={"spec": spec}))


async def test_dependency_is_a_hold_that_names_the_ticket(shop: TicketWorld) -> None:
    depending(shop, NEEDED)

    (hold,) = (await shop.schedule("chg-2")).holds

    assert (hold.code, hold.ref, hold.lift) == (HoldCode.DEPENDENCY, NEEDED, f"the success of {NEEDED}")
    assert f"{NEEDED} (shop 2) is Evaluating" in hold.message


async def test_what_waits_for_a_dependency_keeps_no_target_from_it(shop: TicketWorld) -> None:
    depending(shop, NEEDED)
    await shop.schedule("chg-2")

    assert (await shop.schedule(NEEDED)).granted
    assert not (await shop.schedule("chg-2")).granted


async def test_success_of_the_dependency_lets_it_go(shop: TicketWorld) -> None:
    depending(shop, NEEDED)
    await shop.schedule("chg-2")

    shop.enters(NEEDED, Phase.SUCCEEDED)

    assert [row.ticket for row in shop.posted("wake")] == ["chg-2"]
    assert (await shop.schedule("chg-2")).granted


async def test_dependency_that_failed_ends_it_and_is_named(shop: TicketWorld) -> None:
    depending(shop, NEEDED)
    await shop.schedule("chg-2")

    shop.enters(NEEDED, Phase.ROLLED_BACK)
    answer = await shop.schedule("chg-2")

    assert not answer.granted
    assert answer.ended is not None
    assert answer.ended.code == "dependency_failed"
    assert f"{NEEDED} (shop 2) ended RolledBack" in answer.ended.message


async def test_two_that_cross_in_one_lane_both_run(shop: TicketWorld) -> None:
    """What chg-2 needs came after chg-1, and asks for the same target after chg-2 did."""
    depending(shop, NEEDED)
    assert (await shop.schedule("chg-1")).granted
    await shop.schedule("chg-2")
    await shop.schedule(NEEDED)

    shop.enters("chg-1", Phase.SUCCEEDED)
    assert not (await shop.schedule("chg-2")).granted
    assert (await shop.schedule(NEEDED)).granted
    shop.enters(NEEDED, Phase.SUCCEEDED)

    assert (await shop.schedule("chg-2")).granted


async def test_policy_is_told_of_dependencies(shop: TicketWorld) -> None:
    shop.deploy(deployment(), service())
    depending(shop, NEEDED)

    await shop.evaluate("chg-2")

    [known] = shop.policy.asked[-1].depends_on
    assert (known.ticket, known.phase, known.outcome) == (NEEDED, Phase.EVALUATING, "pending")


async def test_newer_ticket_takes_the_place_of_one_in_the_lane(shop: TicketWorld) -> None:
    shop.submit("chg-0", at=MONDAY - timedelta(minutes=1))
    shop.takes_target("chg-0")
    shop.submit("chg-2", at=MONDAY + timedelta(minutes=1))
    await shop.schedule("chg-1")

    await shop.schedule("chg-2", supersede=True)

    answer = await shop.schedule("chg-1")
    assert answer.ended is not None
    assert answer.ended.code == "superseded"
    assert "chg-2" in answer.ended.message
    assert [row.ticket for row in shop.posted("update")] == ["chg-1"]


async def test_nothing_is_replaced_unless_the_policy_says_so(shop: TicketWorld) -> None:
    shop.submit("chg-0", at=MONDAY - timedelta(minutes=1))
    shop.takes_target("chg-0")
    shop.submit("chg-2", at=MONDAY + timedelta(minutes=1))
    await shop.schedule("chg-1")

    await shop.schedule("chg-2")

    assert (await shop.schedule("chg-1")).ended is None


async def test_what_has_its_target_is_not_replaced(shop: TicketWorld) -> None:
    shop.submit("chg-2", at=MONDAY + timedelta(minutes=1))
    assert (await shop.schedule("chg-1")).granted

    (hold,) = (await shop.schedule("chg-2", supersede=True)).holds

    assert hold.code is HoldCode.LANE
    assert (await shop.schedule("chg-1")).granted


async def test_two_that_cross_end_with_one_granted_and_the_other_replaced_or_behind_it(
    shop: TicketWorld,
) -> None:
    """Whoever asks first: the older is granted and goes on, or it is replaced and never granted."""
    shop.submit("chg-2", at=MONDAY + timedelta(minutes=1))

    older, newer = await asyncio.gather(
        shop.schedule("chg-1", supersede=True), shop.schedule("chg-2", supersede=True)
    )

    assert older.granted != newer.granted
    assert newer.granted == (older.ended is not None)
    assert newer.ended is None


async def test_one_that_waits_for_a_dependency_replaces_nothing_yet(shop: TicketWorld) -> None:
    shop.submit("chg-3", at=MONDAY - timedelta(minutes=1))
    depending(shop, NEEDED)

    await shop.schedule("chg-2", supersede=True)

    assert (await shop.schedule("chg-3")).ended is None


async def test_approvals_of_what_was_replaced_do_not_count_for_the_newer(shop: TicketWorld) -> None:
    shop.deploy(deployment(), service())
    shop.submit("chg-2", at=MONDAY + timedelta(minutes=1))
    before = await shop.evaluate("chg-1")
    shop.approve("chg-1", before.digest, "alice")
    await shop.schedule("chg-2", supersede=True)

    after = await shop.evaluate("chg-2", purpose="release")

    assert (await shop.evaluate("chg-1", purpose="release")).quorum.met
    assert not after.quorum.met
