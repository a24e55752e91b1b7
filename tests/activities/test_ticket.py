"""Evaluate gathers every fact, binds what was read, counts approvals from the ledger, records it all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdpoint.ledger import tickets
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.phases import Phase
from holdpoint.models.policy import DiffFacts, ServiceFacts
from tests.activities.ticket_world import DIGEST, NIGHT, TicketWorld
from tests.activities.world import BETTER, Sandbox, deployment, service


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    made = TicketWorld(sandbox, tmp_path)
    made.commit()
    made.submit()
    yield made
    await made.close()


async def test_policy_is_asked_with_everything_that_is_known(shop: TicketWorld) -> None:
    await shop.evaluate()

    (asked,) = shop.policy.asked
    assert (asked.service, asked.environment, asked.requester) == ("shop", "production", "ci")
    assert asked.images == ["registry.example/shop:1.0"]
    assert asked.catalog.owner == "team-shop"
    assert asked.authors is not None
    assert asked.authors.summary == "Sell more"
    assert (asked.weekday, asked.hour, asked.in_window) == ("mon", 10, True)
    assert (asked.recent_failures, asked.shape_succeeded, asked.freezes) == (0, False, [])


async def test_what_nobody_knows_is_unknown(shop: TicketWorld) -> None:
    shop.catalog.known = ServiceFacts(known=True, owner="a")

    await shop.evaluate()

    (asked,) = shop.policy.asked
    assert (asked.error_budget, asked.open_incidents, asked.in_window) == ("unknown", "unknown", "unknown")


async def test_decision_is_recorded_whole_with_input_revision_and_digest(shop: TicketWorld) -> None:
    evaluation = await shop.evaluate()

    (entry,) = shop.recorded("chg-1", "ticket.evaluated")
    assert entry.body["decision"]["approvals"]["count"] == 1
    assert entry.body["input"]["images"] == ["registry.example/shop:1.0"]
    assert entry.body["revision"] == "r1"
    assert entry.body["digest"] == evaluation.digest


async def test_first_rollout_is_compared_with_nothing(shop: TicketWorld) -> None:
    await shop.evaluate()

    diff = shop.policy.asked[0].diff
    assert isinstance(diff, DiffFacts)
    assert (diff.base, diff.files, diff.kinds) == (None, 1, ["Deployment", "Service"])


async def test_later_rollout_is_compared_with_what_last_succeeded(shop: TicketWorld) -> None:
    await shop.evaluate()
    base = shop.git("rev-parse", "HEAD")
    shop.enters("chg-1", Phase.SUCCEEDED)
    shop.commit(deployment(image=BETTER), service())
    shop.submit("chg-2")

    await shop.evaluate("chg-2")

    asked = shop.policy.asked[-1]
    assert isinstance(asked.diff, DiffFacts)
    assert (asked.diff.base, asked.diff.added, asked.diff.removed) == (base, 1, 1)
    assert asked.diff.kinds == ["Deployment"]
    assert asked.shape_succeeded


async def test_other_plan_has_another_shape(shop: TicketWorld) -> None:
    await shop.evaluate()
    shop.enters("chg-1", Phase.SUCCEEDED)
    change = shop.a_change().model_dump(mode="json", exclude_none=True)
    change["spec"]["plan"]["steps"][0]["canary"]["weights"] = [90]
    shop.submit("chg-2", change=type(shop.a_change()).model_validate(change))

    await shop.evaluate("chg-2")

    assert not shop.policy.asked[-1].shape_succeeded


async def test_diff_is_unknown_when_what_ran_before_is_gone_from_the_repository(shop: TicketWorld) -> None:
    shop.submit("chg-0", commit="9" * 40)
    shop.enters("chg-0", Phase.SUCCEEDED)

    await shop.evaluate()

    assert shop.policy.asked[0].diff == "unknown"


async def test_failed_change_counts_as_recent_failure(shop: TicketWorld) -> None:
    shop.submit("chg-2")
    shop.enters("chg-1", Phase.ROLLED_BACK)

    await shop.evaluate("chg-2")

    assert shop.policy.asked[0].recent_failures == 1


async def test_freeze_is_named_to_the_policy(shop: TicketWorld) -> None:
    freeze = shop.freeze()

    await shop.evaluate()

    assert shop.policy.asked[0].freezes == [freeze.id]


async def test_clock_is_that_of_the_services_window(shop: TicketWorld) -> None:
    shop.time = NIGHT

    await shop.evaluate()

    assert (shop.policy.asked[0].hour, shop.policy.asked[0].in_window) == (22, False)


async def test_plan_tells_the_weights_that_are_really_reached(shop: TicketWorld) -> None:
    shop.deploy(deployment(replicas=4))

    evaluation = await shop.evaluate()

    assert [(w.asked, w.reached) for w in evaluation.plan[0].weights] == [(25, 25.0), (50, 50.0)]


async def test_digest_stays_while_nothing_that_binds_changes(shop: TicketWorld) -> None:
    first = await shop.evaluate()
    shop.policy.decision = shop.policy.decision.model_copy(update={"revision": "r2", "warn": ["new words"]})

    assert (await shop.evaluate(purpose="release")).digest == first.digest


async def test_digest_changes_with_the_decision(shop: TicketWorld) -> None:
    first = await shop.evaluate()
    shop.policy.decision = shop.policy.decision.model_copy(update={"digest": DIGEST.replace("0", "1")})

    assert (await shop.evaluate(purpose="release")).digest != first.digest


async def test_digest_changes_when_something_else_succeeded_meanwhile(shop: TicketWorld) -> None:
    first = await shop.evaluate()
    shop.submit("chg-2")
    shop.enters("chg-2", Phase.SUCCEEDED)

    assert (await shop.evaluate(purpose="release")).digest != first.digest


async def test_digest_does_not_follow_an_autoscaler(shop: TicketWorld) -> None:
    shop.commit(deployment(replicas=None), service())
    shop.submit("chg-2")
    shop.deploy(deployment(replicas=4))
    first = await shop.evaluate("chg-2")

    shop.deploy(deployment(replicas=7))
    again = await shop.evaluate("chg-2", purpose="release")

    assert first.plan != again.plan
    assert first.digest == again.digest


async def test_quorum_is_met_by_one_approver_who_read_this(shop: TicketWorld) -> None:
    digest = (await shop.evaluate()).digest
    shop.approve("chg-1", digest, "approver")

    assert (await shop.evaluate(purpose="release")).quorum.met


@pytest.mark.parametrize(
    ("by", "roles", "other"),
    [
        pytest.param("ci", ("approver",), False, id="requester"),
        pytest.param("sre", ("sre", "commander"), False, id="not an approver"),
        pytest.param("approver", ("approver",), True, id="another digest"),
    ],
)
async def test_approval_that_does_not_count(
    shop: TicketWorld, by: str, roles: tuple[str, ...], other: bool
) -> None:
    digest = (await shop.evaluate()).digest
    shop.approve("chg-1", DIGEST if other else digest, by, *roles)

    quorum = (await shop.evaluate(purpose="release")).quorum

    assert (quorum.met, quorum.counted) == (False, 0)


async def test_two_approvals_are_two_people(shop: TicketWorld) -> None:
    need = shop.policy.decision.approvals.model_copy(update={"count": 2})
    shop.policy.decision = shop.policy.decision.model_copy(update={"approvals": need})
    digest = (await shop.evaluate()).digest
    shop.approve("chg-1", digest, "approver")
    shop.approve("chg-1", digest, "approver")
    assert not (await shop.evaluate(purpose="release")).quorum.met

    shop.approve("chg-1", digest, "approver2", "approver", "approver2")

    assert (await shop.evaluate(purpose="release")).quorum.met


async def test_engine_that_does_not_answer_decides_nothing(shop: TicketWorld) -> None:
    shop.policy.error = UpstreamUnavailable("OPA did not answer.")

    with pytest.raises(UpstreamUnavailable):
        await shop.evaluate()

    assert shop.recorded("chg-1", "ticket.evaluated") == []


async def test_plan_that_cannot_run_is_a_denial_that_says_why(shop: TicketWorld) -> None:
    shop.commit(service())
    shop.submit("chg-2")

    evaluation = await shop.evaluate("chg-2")

    assert "Unknown Deployment" in evaluation.decision.deny[0]
    assert shop.policy.asked == []
    assert len(shop.recorded("chg-2", "ticket.evaluated")) == 1


async def test_path_that_is_gone_is_a_denial_that_names_it(shop: TicketWorld) -> None:
    shop.git("mv", "shop.yaml", "other.yaml")
    shop.git("commit", "-q", "-m", "moved")
    shop.submit("chg-2")

    evaluation = await shop.evaluate("chg-2")

    assert "shop.yaml" in evaluation.decision.deny[0]


async def test_success_is_remembered_by_the_plans_shape(shop: TicketWorld) -> None:
    await shop.evaluate()
    shape = shop.policy.asked[0].plan_shape
    shop.enters("chg-1", Phase.SUCCEEDED)

    assert await shop.ledger.read(
        tickets.shape_succeeded, service="shop", environment="production", shape=shape
    )
