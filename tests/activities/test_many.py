"""A change of many targets is evaluated, checked and granted on all of them as one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdpoint.ledger import targets
from holdpoint.models.activity_calls import PrecheckCall, ScheduleCall
from holdpoint.models.change import Change
from holdpoint.models.contracts import STANDARD
from holdpoint.models.plan_diff import PlanDiff
from tests.activities.ticket_world import TicketWorld
from tests.activities.world import Sandbox, deployment, service


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    """Both clusters are the one sandbox, by two names."""
    made = TicketWorld(sandbox, tmp_path)
    made.commit(deployment(), service())
    made.submit(change=going_to(made, "sandbox", "other"), many=keys(made))
    yield made
    await made.close()


def keys(shop: TicketWorld) -> tuple[str, str]:
    return shop.target, f"other/{shop.namespace}/shop"


def going_to(shop: TicketWorld, *clusters: str) -> Change:
    change = shop.a_change()
    document = change.model_dump(mode="json", by_alias=True, exclude_none=True)
    del document["spec"]["target"]
    document["spec"]["targets"] = {"clusters": list(clusters), "namespace": shop.namespace}
    return Change.model_validate(document)


async def test_the_decision_is_taken_once_over_every_target(shop: TicketWorld) -> None:
    evaluation = await shop.evaluate()

    (asked,) = shop.policy.asked
    assert asked.targets == list(keys(shop))
    assert list(evaluation.plans) == list(keys(shop))
    assert evaluation.plan == evaluation.plans[shop.target]
    assert asked.plan_diff.created == 4  # type: ignore[union-attr]  # it is known here


async def test_the_diff_names_the_cluster_of_each_object_and_is_bound(shop: TicketWorld) -> None:
    evaluation = await shop.evaluate()

    assert evaluation.plan_diff is not None
    named = [one.object for one in evaluation.plan_diff.objects]
    assert named == [
        f"{kind} shop on {at}" for at in ("sandbox", "other") for kind in ("Deployment", "Service")
    ]
    whole = PlanDiff.model_validate_json(shop.blobs.get(str(evaluation.plan_diff.digest)))
    assert whole.cluster == "sandbox, other"


async def test_other_targets_make_another_digest(shop: TicketWorld) -> None:
    shop.submit("chg-2", change=going_to(shop, "sandbox", "other"), many=keys(shop)[:1])

    assert (await shop.evaluate()).digest != (await shop.evaluate("chg-2")).digest


async def test_every_target_is_checked_and_each_check_names_its_cluster(shop: TicketWorld) -> None:
    plans = (await shop.evaluate()).plans

    report = await shop.activities.precheck(PrecheckCall(ticket="chg-1", target="", plan=[], plans=plans))

    assert report.passed
    drift = [check.message for check in report.checks if check.name == "drift"]
    assert [message.partition(":")[0] for message in drift] == ["sandbox", "other"]


async def test_a_hold_in_the_lane_names_the_target_that_is_not_free(shop: TicketWorld) -> None:
    other = keys(shop)[1]
    shop.ledger.write_now(targets.enter_lane, ticket="chg-0", target=other, priority=4)
    call = ScheduleCall(
        ticket="chg-1", target=shop.target, targets=list(keys(shop)), priority=STANDARD, window=False
    )
    shop.submit("chg-0")

    (hold,) = (await shop.activities.schedule(call)).holds

    assert hold.message.startswith(f"Waits in the lane of {other} at place 1")
    assert shop.ledger.read_now(targets.waiting, shop.target) == ["chg-1"]
    shop.ledger.write_now(targets.leave_all, ticket="chg-0")
    assert (await shop.activities.schedule(call)).granted
