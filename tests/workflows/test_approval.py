"""AwaitingApproval: the ladder, the digest, and who comes first."""

from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from holdpoint.models import contracts
from holdpoint.models.base import Model
from holdpoint.models.phases import Phase
from tests.workflows.builders import a_control, a_digest, an_approval, an_evaluation
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

LADDER = {"remind_after": 60, "escalate_after": 120, "expire_after": 300}


async def awaiting(world: World, approvals: int = 1) -> None:
    """Bring a ticket to where it waits for approvals."""
    world.answers["evaluate"] = an_evaluation(approvals=approvals, need=LADDER)
    await world.submit()
    await world.enters(Phase.AWAITING_APPROVAL)


async def refused(world: World, named: contracts.Named[Any, Any], argument: Model) -> str:
    """Return what an update is refused with."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await world.tell(named, argument)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.non_retryable) == ("conflict", True)
    return cause.message


async def test_an_approval_lets_the_ticket_go_on(world: World) -> None:
    await awaiting(world)

    answer = await world.tell(contracts.APPROVE, an_approval())

    assert "1 of 1" in answer.message
    assert await world.ends() is Phase.SUCCEEDED
    given = world.view["approvals"]["given"]
    assert [(one["by"], one["decision"], one["void"]) for one in given] == [("approver", "approved", False)]


async def test_one_person_counts_once(world: World) -> None:
    await awaiting(world, approvals=2)

    await world.tell(contracts.APPROVE, an_approval("anna"))
    again = await world.tell(contracts.APPROVE, an_approval("anna"))
    await world.pass_time(seconds=1)

    assert again.message == "It was counted already."
    assert world.view["phase"] == "AwaitingApproval"
    await world.tell(contracts.APPROVE, an_approval("bert"))
    assert await world.ends() is Phase.SUCCEEDED


async def test_an_approval_of_another_digest_is_a_conflict(world: World) -> None:
    await awaiting(world)

    message = await refused(world, contracts.APPROVE, an_approval(digest=a_digest("b")))

    assert a_digest("b") in message
    await world.until(lambda: "attempt.denied" in world.kinds)


async def test_one_rejection_is_enough(world: World) -> None:
    await awaiting(world, approvals=2)
    await world.tell(contracts.APPROVE, an_approval("anna"))

    await world.tell(contracts.REJECT, an_approval("bert").model_copy(update={"reason": "too late"}))

    assert await world.ends() is Phase.REJECTED
    assert world.view["reason"] == {"code": "rejected", "message": "Rejected by bert: too late."}


async def test_the_ladder_reminds_escalates_and_expires(world: World) -> None:
    await awaiting(world)

    assert await world.ends() is Phase.EXPIRED
    ladder = [kind for kind in world.kinds if kind.startswith("approval.")]
    at = {entry.kind: entry.at for entry in world.entries.values()}
    asked = at["approval.requested"]
    assert ladder == ["approval.requested", "approval.reminded", "approval.escalated", "approval.expired"]
    assert (at["approval.reminded"] - asked).total_seconds() == pytest.approx(60, abs=5)
    assert (at["approval.escalated"] - asked).total_seconds() == pytest.approx(120, abs=5)
    assert (at["approval.expired"] - asked).total_seconds() == pytest.approx(300, abs=5)
    assert world.view["reason"]["code"] == "approval_expired"
    assert world.view["approvals"]["escalated"] is True


async def test_the_ladder_is_recorded_while_the_ticket_waits(world: World) -> None:
    await awaiting(world)

    await world.pass_time(seconds=130)

    await world.until(lambda: world.view["approvals"]["escalated"])
    assert "approval.reminded" in world.kinds


async def test_an_approval_after_the_escalation_counts(world: World) -> None:
    await awaiting(world)
    await world.pass_time(seconds=200)

    await world.tell(contracts.APPROVE, an_approval())

    assert await world.ends() is Phase.SUCCEEDED


async def test_a_pause_does_not_stop_the_approval_clocks(world: World) -> None:
    await awaiting(world)

    await world.tell(contracts.PAUSE, a_control("pause"))
    await world.is_held("paused")

    assert await world.ends() is Phase.EXPIRED
    assert "approval.expired" in world.kinds
    assert world.view["holds"] == []


async def test_a_paused_ticket_takes_approvals_and_goes_no_further_than_scheduled(world: World) -> None:
    await awaiting(world)
    await world.tell(contracts.PAUSE, a_control("pause"))

    await world.tell(contracts.APPROVE, an_approval())
    await world.enters(Phase.SCHEDULED)
    await world.pass_time(seconds=30)

    assert world.calls_of(contracts.SCHEDULE) == []
    await world.tell(contracts.RESUME, a_control("resume"))
    assert await world.ends() is Phase.SUCCEEDED
    assert [body["code"] for body in world.bodies("hold.lifted")] == ["paused"]


async def test_approvals_are_void_when_what_they_bind_has_changed(world: World) -> None:
    before = an_evaluation(approvals=1, need=LADDER)
    after = an_evaluation(approvals=1, need=LADDER, digest=a_digest("b"), met=False, risk="high")
    world.answers["evaluate"] = [before, after, after.model_copy(update={"quorum": before.quorum})]
    await world.submit()
    await world.enters(Phase.AWAITING_APPROVAL)

    await world.tell(contracts.APPROVE, an_approval())
    await world.until(lambda: world.kinds.count("approval.requested") == 2)

    assert world.bodies("approval.voided")[0]["changed"] == ["risk"]
    assert world.view["approvals"]["given"][0]["void"] is True
    assert contracts.LEAVE.name in world.names
    assert "is not what is asked for now" in await refused(world, contracts.APPROVE, an_approval())
    await world.tell(contracts.APPROVE, an_approval(digest=a_digest("b")))
    assert await world.ends() is Phase.SUCCEEDED


async def test_what_moved_on_the_cluster_voids_and_is_told_to_who_is_asked_again(world: World) -> None:
    before = an_evaluation(approvals=1, need=LADDER, plan_diff=a_digest("e"))
    after = an_evaluation(
        approvals=1,
        need=LADDER,
        digest=a_digest("b"),
        met=False,
        plan_diff=a_digest("f"),
        moved=["Deployment shop (spec.replicas)"],
    )
    world.answers["evaluate"] = [before, after]
    await world.submit()
    await world.enters(Phase.AWAITING_APPROVAL)
    first = world.view["plan_diff"]["digest"]

    await world.tell(contracts.APPROVE, an_approval())
    await world.until(lambda: world.kinds.count("approval.requested") == 2)

    (voided,) = world.bodies("approval.voided")
    assert (voided["changed"], voided["moved"]) == (["plan diff"], ["Deployment shop (spec.replicas)"])
    assert "Moved on the cluster: Deployment shop (spec.replicas)." in world.view["approvals"]["voided"]
    assert (first, world.view["plan_diff"]["digest"]) == (a_digest("e"), a_digest("f"))
    assert [call.plan_diff for call in world.calls_of(contracts.EVALUATE)] == [None, a_digest("e")]
    assert await world.ends() is Phase.EXPIRED


async def test_a_wake_up_without_an_approval_in_the_ledger_releases_nothing(world: World) -> None:
    wanting = an_evaluation(approvals=1, need=LADDER)
    unmet = an_evaluation(approvals=1, need=LADDER, met=False)
    world.answers["evaluate"] = [wanting, unmet]
    await world.submit()
    await world.enters(Phase.AWAITING_APPROVAL)

    await world.tell(contracts.APPROVE, an_approval("somebody"))
    await world.until(lambda: "approval.voided" in world.kinds)

    assert await world.ends() is Phase.EXPIRED
    assert world.bodies("approval.voided")[0]["message"] == "0 of 1 in the ledger."
    assert contracts.PRECHECK.name not in world.names


async def test_a_policy_that_denies_the_second_time_rejects(world: World) -> None:
    world.answers["evaluate"] = [
        an_evaluation(approvals=1, need=LADDER),
        an_evaluation(deny=["Frozen by law."]),
    ]
    await world.submit()
    await world.enters(Phase.AWAITING_APPROVAL)

    await world.tell(contracts.APPROVE, an_approval())

    assert await world.ends() is Phase.REJECTED
    assert contracts.LEAVE.name in world.names


async def test_a_second_evaluation_that_asks_no_approvals_any_more_goes_on(world: World) -> None:
    world.answers["evaluate"] = [
        an_evaluation(approvals=1, need=LADDER),
        an_evaluation(digest=a_digest("b")),
    ]
    await world.submit()
    await world.enters(Phase.AWAITING_APPROVAL)

    await world.tell(contracts.APPROVE, an_approval())

    assert await world.ends() is Phase.SUCCEEDED
    assert world.view["digest"] == a_digest("b")


async def test_a_second_evaluation_that_asks_approvals_for_the_first_time_gets_them(world: World) -> None:
    asking = an_evaluation(approvals=1, need=LADDER, digest=a_digest("b"), met=False)
    world.answers["evaluate"] = [
        an_evaluation(),
        asking,
        an_evaluation(approvals=1, need=LADDER, digest=a_digest("b")),
    ]
    await world.submit()
    await world.enters(Phase.AWAITING_APPROVAL)

    await world.tell(contracts.APPROVE, an_approval(digest=a_digest("b")))

    assert await world.ends() is Phase.SUCCEEDED


async def test_abort_while_approvals_are_asked_ends_in_aborted(world: World) -> None:
    await awaiting(world)

    await world.tell(contracts.ABORT, a_control("abort"))

    assert await world.ends() is Phase.ABORTED
    assert contracts.SCHEDULE.name not in world.names
