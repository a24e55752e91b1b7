"""Evaluating: what the policy says, and what happens while it says nothing."""

import pytest
from temporalio.exceptions import ApplicationError

from holdpoint.models import contracts
from holdpoint.models.phases import Phase
from tests.workflows.builders import a_control, an_evaluation, broken, down
from tests.workflows.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_denied_change_is_rejected_with_every_sentence_of_the_policy(world: World) -> None:
    world.answers["evaluate"] = an_evaluation(deny=["The tag floats.", "Nobody owns it."])

    await world.submit()

    assert await world.ends() is Phase.REJECTED
    assert world.view["reason"] == {"code": "denied", "message": "The tag floats. Nobody owns it."}
    assert world.names == ["evaluate", "archive"]


async def test_a_policy_engine_that_is_down_holds_the_ticket_and_never_allows(world: World) -> None:
    world.answers["evaluate"] = [down("OPA"), down("OPA"), down("OPA"), down("OPA"), an_evaluation()]

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    placed = world.bodies("hold.placed")
    assert [hold["code"] for hold in placed] == ["policy_down"]
    assert [hold["code"] for hold in world.bodies("hold.lifted")] == ["policy_down"]


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("The ledger", "ledger_down"),
        ("Git", "git_down"),
        ("Kubernetes", "cluster_down"),
        ("It", "policy_down"),
    ],
)
async def test_the_hold_names_what_does_not_answer(world: World, what: str, code: str) -> None:
    world.answers["evaluate"] = [*[down(what)] * 4, an_evaluation(deny=["no"])]

    await world.submit()
    await world.ends()

    assert [hold["code"] for hold in world.bodies("hold.placed")] == [code]


async def test_another_revision_of_the_policies_holds_the_ticket_until_they_agree(world: World) -> None:
    other = ApplicationError(
        "OPA decides by revision r0 of the policies; expected is r1.",
        {"upstream": "policy_revision"},
        type="upstream_unavailable",
    )
    world.answers["evaluate"] = [*[other] * 4, an_evaluation()]

    await world.submit()

    assert await world.ends() is Phase.SUCCEEDED
    [placed], [lifted] = world.bodies("hold.placed"), world.bodies("hold.lifted")
    assert (placed["code"], lifted["code"]) == ("policy_revision", "policy_revision")
    assert "expected is r1" in placed["message"]


async def test_an_error_that_no_retry_can_heal_ends_in_errored_with_its_code(world: World) -> None:
    world.answers["evaluate"] = broken("policy_bundle", "The policies do not compile.")

    await world.submit()

    assert await world.ends() is Phase.ERRORED
    assert world.view["reason"] == {"code": "policy_bundle", "message": "The policies do not compile."}
    assert world.names == ["evaluate", "archive"]


async def test_while_the_ledger_is_down_the_query_shows_the_hold(world: World) -> None:
    world.ledger_is_down = True
    await world.submit()
    await world.pass_time(seconds=5)

    view = await world.state()
    world.ledger_is_down = False

    assert view.hold is not None
    assert view.hold.code.value == "ledger_down"
    assert await world.ends() is Phase.SUCCEEDED


async def test_abort_while_the_policy_is_away_ends_in_aborted(world: World) -> None:
    world.answers["evaluate"] = down("OPA")
    await world.submit()
    await world.pass_time(seconds=10)

    answer = await world.tell(contracts.ABORT, a_control("abort"))

    assert answer.phase is Phase.EVALUATING
    assert await world.ends() is Phase.ABORTED
    assert world.view["reason"] == {"code": "aborted", "message": "Aborted by sre: INC-7."}
