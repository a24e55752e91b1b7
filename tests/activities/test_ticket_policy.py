"""What a ticket meets of the packaged policies, from facts in ledger, Git and catalog to OPA's word."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from activities.ticket import TicketActivities
from holdpoint.clients.policy import OpaEngine
from holdpoint.models.change import Change
from holdpoint.models.phases import Phase
from holdpoint.models.policy import ServiceFacts, Window
from tests.activities.ticket_world import NIGHT, TicketWorld
from tests.activities.world import BETTER, Sandbox, deployment, service
from tests.policies import real_opa
from tests.policies.real_opa import Served

pytestmark = pytest.mark.timeout(900)  # the first run on a machine builds OPA


@pytest.fixture(scope="module")
def opa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with real_opa.served(tmp_path_factory.mktemp("opa")) as made:
        yield made


@pytest.fixture
async def shop(sandbox: Sandbox, opa: Served, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    made = TicketWorld(sandbox, tmp_path)
    made.catalog.known = ServiceFacts(
        known=True, owner="team-shop", backup_owner="team-base", windows=[Window()]
    )
    engine = OpaEngine(opa.url, opa.bundle.token_file)
    made.activities = TicketActivities(
        ledger=made.ledger,
        blobs=made.blobs,
        policy=engine,
        catalog=made.catalog,
        repositories=made.repositories,
        clusters=made.clusters,
        now=made.now,
    )
    made.commit()
    yield made
    await engine.close()
    await made.close()


async def test_standard_change_in_production_needs_nobody_once_its_plan_has_succeeded(
    shop: TicketWorld,
) -> None:
    shop.submit("chg-1")
    first = await shop.evaluate("chg-1")
    shop.enters("chg-1", Phase.SUCCEEDED)
    shop.commit(deployment(image=BETTER), service())
    shop.submit("chg-2")

    second = await shop.evaluate("chg-2")

    assert (first.decision.approvals.count, second.decision.approvals.count) == (1, 0)
    assert second.decision.risk.level == "low"
    assert "The error budget is unknown." in second.decision.risk.reasons


async def test_success_in_staging_proves_nothing_for_production(shop: TicketWorld) -> None:
    shop.submit("chg-1", change=shop.a_change(environment="staging"))
    await shop.evaluate("chg-1")
    shop.enters("chg-1", Phase.SUCCEEDED)
    shop.submit("chg-2")

    assert (await shop.evaluate("chg-2")).decision.approvals.count == 1


async def test_standard_change_in_staging_needs_nobody(shop: TicketWorld) -> None:
    shop.submit("chg-1", change=shop.a_change(environment="staging"))

    assert (await shop.evaluate("chg-1")).decision.approvals.count == 0


async def test_normal_change_needs_two_after_failures(shop: TicketWorld) -> None:
    for ticket in ("chg-1", "chg-2"):
        shop.submit(ticket)
        shop.enters(ticket, Phase.ROLLED_BACK)
    shop.submit("chg-3", change=shop.a_change(type="normal"))

    decision = (await shop.evaluate("chg-3")).decision

    assert decision.risk.level == "high"
    assert decision.approvals.count == 2


async def test_floating_tag_is_denied_in_production_and_not_in_staging(shop: TicketWorld) -> None:
    shop.commit(deployment(image="registry.example/shop:latest"), service())
    shop.submit("chg-1")
    shop.submit("chg-2", change=shop.a_change(environment="staging"))

    assert "floats" in (await shop.evaluate("chg-1")).decision.deny[0]
    assert (await shop.evaluate("chg-2")).decision.deny == []


async def test_unknown_service_is_denied_in_production(shop: TicketWorld) -> None:
    shop.catalog.known = ServiceFacts(known=False)
    shop.submit("chg-1")

    assert "not in the catalog" in (await shop.evaluate("chg-1")).decision.deny[0]


async def test_change_submitted_at_night_waits_and_keeps_its_approvals_in_the_morning(
    shop: TicketWorld,
) -> None:
    shop.time = NIGHT
    shop.submit("chg-1", change=shop.a_change(type="normal"))
    night = await shop.evaluate("chg-1")
    shop.approve("chg-1", night.digest, "approver")

    held = await shop.schedule("chg-1", window=night.decision.obligations.window)
    assert held.look_again is not None
    shop.time = held.look_again
    morning = await shop.evaluate("chg-1", purpose="release")

    assert [hold.code.value for hold in held.holds] == ["window"]
    assert morning.quorum.met
    assert (await shop.schedule("chg-1", window=morning.decision.obligations.window)).granted


async def test_emergency_waits_for_no_window_and_is_reviewed(shop: TicketWorld) -> None:
    shop.time = NIGHT
    shop.submit("chg-1", change=shop.a_change(type="emergency"))

    decision = (await shop.evaluate("chg-1")).decision

    assert not decision.obligations.window
    assert decision.obligations.review_within == 72 * 3600
    assert decision.approvals.count == 1


@pytest.mark.parametrize(("type", "denied"), [("normal", True), ("emergency", False)])
async def test_risky_change_in_production_may_not_begin_with_a_large_canary(
    shop: TicketWorld, type: str, *, denied: bool
) -> None:
    for ticket in ("chg-1", "chg-2"):
        shop.submit(ticket)
        shop.enters(ticket, Phase.ROLLED_BACK)
    change = shop.a_change(type=type).model_dump(mode="json", exclude_none=True)
    change["spec"]["plan"]["steps"][0]["canary"]["weights"] = [26, 50]
    shop.submit("chg-3", change=Change.model_validate(change))

    evaluation = await shop.evaluate("chg-3")

    assert evaluation.decision.risk.level == "high"
    assert [
        ("steps[0]" in one and "26 %" in one and "at most 25 %" in one) for one in evaluation.decision.deny
    ] == ([True] if denied else [])


@pytest.mark.parametrize("type", ["standard", "normal", "emergency"])
async def test_a_rollback_after_success_needs_one_approver_at_once_whatever_its_type(
    shop: TicketWorld, type: str
) -> None:
    shop.time = NIGHT
    for ticket in ("chg-1", "chg-2"):
        shop.submit(ticket)
        shop.enters(ticket, Phase.SUCCEEDED)
    for ticket in ("chg-3", "chg-4"):
        shop.submit(ticket)
        shop.enters(ticket, Phase.ROLLED_BACK)
    shop.submit("chg-5", change=shop.a_change(type=type), back=("chg-2", "chg-1"))

    decision = (await shop.evaluate("chg-5")).decision

    assert decision.deny == []
    assert (decision.approvals.count, decision.approvals.groups) == (1, ["approver"])
    assert (decision.obligations.window, decision.obligations.smallest_canary) == (False, None)
