"""A change's checks from plan, catalog and policy to one attempt: what evaluates them, and what runs them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.checks.activity import CheckActivities
from activities.checks.kind import Means
from holdpoint.models.activity_calls import CheckCall
from holdpoint.models.checks import CheckAttempt, CheckSpec, PlannedCheck
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.policy import Obligations
from tests.activities.ticket_world import TicketWorld
from tests.activities.world import Sandbox


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    made = TicketWorld(sandbox, tmp_path)
    made.commit()
    yield made
    await made.close()


def a_query(name: str, most: float = 1, promql: str = "up") -> CheckSpec:
    return CheckSpec.model_validate({"name": name, "query": {"promql": promql, "max": most}})


async def evaluated(
    shop: TicketWorld, *plans: CheckSpec, catalog: list[CheckSpec], policy: list[CheckSpec]
) -> Any:
    change = shop.a_change()
    plan = change.spec.plan.model_copy(update={"prechecks": list(plans)})
    shop.catalog.known = shop.catalog.known.model_copy(update={"prechecks": catalog})
    obligations = Obligations(window=True, prechecks=policy)
    shop.policy.decision = shop.policy.decision.model_copy(update={"obligations": obligations})
    spec = change.spec.model_copy(update={"plan": plan})
    shop.submit("chg-1", change=change.model_copy(update={"spec": spec}))
    return await shop.evaluate("chg-1")


async def test_catalog_and_policy_add_to_the_plan_which_cannot_replace_theirs(shop: TicketWorld) -> None:
    found = await evaluated(
        shop,
        a_query("own"),
        a_query("errors", most=99),
        catalog=[a_query("errors", most=2)],
        policy=[a_query("latency")],
    )

    asked = [(check.name, check.by, check.config["max"]) for check in found.prechecks]
    assert asked == [("own", "plan", 1.0), ("errors", "catalog", 2.0), ("latency", "policy", 1.0)]
    assert [check.name for check in shop.policy.asked[-1].prechecks] == ["own", "errors"]
    assert shop.policy.asked[-1].recent_flakes == 0
    assert found.decision.deny == []


async def test_check_that_can_never_run_denies_the_change_and_says_whose_it_is(
    shop: TicketWorld,
) -> None:
    signed = CheckSpec.model_validate({"name": "signed", "signature": {"key": "release"}})

    found = await evaluated(shop, catalog=[], policy=[signed])

    assert found.decision.deny == [
        "The check signed of prechecks of the policy cannot run: the settings have no check_keys."
    ]


async def attempt(shop: TicketWorld, kind: str, config: dict[str, Any], when: Any = "before") -> CheckAttempt:
    """Look once, as the worker's activity does."""
    shop.submit("chg-1")
    activities = CheckActivities(
        ledger=shop.ledger, repositories=shop.repositories, clusters=shop.clusters, means=Means()
    )
    check = PlannedCheck(name="it", kind=kind, config=config, attempts=1, timeout=10.0, by="plan")
    call = CheckCall(ticket="chg-1", check=check, when=when)
    found: CheckAttempt = await ActivityEnvironment().run(activities.check, call)
    return found


async def test_query_is_asked_of_the_targets_metrics(shop: TicketWorld) -> None:
    found = await attempt(shop, "query", {"promql": "3", "max": 2})

    assert (found.passed, found.message) == (False, "The value is 3; allowed is at most 2.")
    assert found.answer["samples"][0]["value"] == "3.0"


async def test_no_data_is_a_no_before_the_first_write_and_a_hold_after_the_last(shop: TicketWorld) -> None:
    nothing = {"promql": 'http_requests_total{app="nobody"}', "max": 2}

    before = await attempt(shop, "query", nothing)
    assert (before.passed, before.message) == (False, "The query has no data.")

    with pytest.raises(UpstreamUnavailable) as caught:
        await attempt(shop, "query", nothing, "after")
    assert caught.value.detail["upstream"] == "no_data"
