"""A rollback after success, and a retry, before they run: what others did meanwhile counts."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from holdpoint.ledger import intents, targets
from holdpoint.models.contracts import FRONT, STANDARD
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.phases import Phase
from holdpoint.models.policy import DiffFacts
from holdpoint.models.record import IntentRequest, ObjectRef
from tests.activities.ticket_world import TicketWorld
from tests.activities.world import BETTER, GOOD, Sandbox, deployment, service

EXTRA = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new-limits"}, "data": {"a": "1"}}


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    """Two releases that succeeded one after the other; the second one brought a ConfigMap."""
    made = TicketWorld(sandbox, tmp_path)
    made.commit(deployment(image=GOOD), service())
    made.submit("chg-1")
    made.enters("chg-1", Phase.SUCCEEDED)
    made.commit(deployment(image=BETTER), service(), EXTRA)
    made.submit("chg-2")
    made.enters("chg-2", Phase.SUCCEEDED)
    yield made
    await made.close()


def made_by_chg_2(shop: TicketWorld, *objects: dict[str, Any]) -> None:
    """Have the second release have created objects, as its intents tell; they are in the cluster, too."""
    shop.deploy(*objects)
    shop.takes_target("chg-2")
    for item in objects:
        ref = ObjectRef(
            cluster="sandbox",
            api_version=item["apiVersion"],
            kind=item["kind"],
            namespace=shop.namespace,
            name=item["metadata"]["name"],
        )
        request = IntentRequest(
            ticket="chg-2", target=shop.target, run="run-1", key=str(ref), direction="forward", verb="apply",
            object=ref, resource_version=None, service="shop", environment="production",
            change_type="standard",
        )  # fmt: skip
        shop.ledger.write_now(intents.open_intent, request)
        shop.ledger.write_now(intents.close_intent, request.id, status="done", result={})
    shop.ledger.write_now(targets.release_target, target=shop.target, run="run-1", clean=True)


def rolls_back(shop: TicketWorld, ticket: str = "chg-3") -> None:
    first = shop.git("rev-parse", "HEAD~1")
    shop.submit(ticket, commit=first, back=("chg-2", "chg-1"))


async def test_the_policy_is_told_what_is_rolled_back_and_to_what(shop: TicketWorld) -> None:
    rolls_back(shop)

    await shop.evaluate("chg-3")

    asked = shop.policy.asked[-1]
    assert asked.rolls_back is not None
    assert (asked.rolls_back.ticket, asked.rolls_back.to) == ("chg-2", "chg-1")
    assert isinstance(asked.diff, DiffFacts)
    assert (asked.diff.base, asked.images) == (shop.git("rev-parse", "HEAD"), [GOOD])


async def test_an_ordinary_change_is_no_rollback(shop: TicketWorld) -> None:
    shop.submit("chg-3")

    await shop.evaluate("chg-3")

    assert (shop.policy.asked[-1].rolls_back, shop.policy.asked[-1].retries) == (None, None)


async def test_objects_that_only_the_undone_change_has_are_named(shop: TicketWorld) -> None:
    rolls_back(shop)

    evaluation = await shop.evaluate("chg-3")

    assert evaluation.warnings[0] == "Only chg-2 has these objects, and they stay: ConfigMap new-limits."


async def test_objects_that_the_undone_change_made_are_removed_at_the_end(shop: TicketWorld) -> None:
    made_by_chg_2(shop, EXTRA, deployment(image=BETTER))
    rolls_back(shop)

    evaluation = await shop.evaluate("chg-3")

    step = evaluation.plan[-1]
    assert (step.kind, step.name, step.index) == ("delete", "remove what chg-2 made", 1)
    assert [(item["kind"], item["name"]) for item in step.config["objects"]] == [("ConfigMap", "new-limits")]
    assert not any("they stay" in said for said in evaluation.warnings)


async def test_what_must_not_be_removed_stays_and_is_named_with_the_reason(shop: TicketWorld) -> None:
    marked = {"name": "of-git", "annotations": {"argocd.argoproj.io/tracking-id": "x"}}
    made_by_chg_2(shop, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": marked})
    rolls_back(shop)

    evaluation = await shop.evaluate("chg-3")

    assert [step.kind for step in evaluation.plan] == ["canary"]
    assert any("ConfigMap of-git stays. Object of Argo CD" in said for said in evaluation.warnings)


async def test_a_success_since_then_denies_the_rollback_whatever_the_policy_says(shop: TicketWorld) -> None:
    rolls_back(shop)
    assert (await shop.evaluate("chg-3")).decision.deny == []
    shop.submit("chg-4")
    shop.enters("chg-4", Phase.SUCCEEDED)

    evaluation = await shop.evaluate("chg-3", purpose="release")

    assert evaluation.decision.deny == [
        f"chg-4 has succeeded on {shop.target} since chg-2: going back would undo that as well."
    ]


async def test_a_rollback_waits_until_the_end_of_who_held_the_target_is_recorded(shop: TicketWorld) -> None:
    rolls_back(shop)
    shop.submit("chg-4")
    shop.enters("chg-4", Phase.VERIFYING)

    await shop.evaluate("chg-3")  # at submit it may well run
    with pytest.raises(UpstreamUnavailable, match="chg-4"):
        await shop.evaluate("chg-3", purpose="release")
    shop.enters("chg-4", Phase.ROLLED_BACK)

    assert (await shop.evaluate("chg-3", purpose="release")).decision.deny == []


async def test_a_retry_behind_a_later_success_is_warned_of(shop: TicketWorld) -> None:
    shop.submit("chg-3")
    shop.enters("chg-3", Phase.FAILED)
    shop.submit("chg-4", retries="chg-3")
    assert not any("chg-3 ended" in said for said in (await shop.evaluate("chg-4")).warnings)
    shop.submit("chg-5")
    shop.enters("chg-5", Phase.SUCCEEDED)

    evaluation = await shop.evaluate("chg-4", purpose="release")

    assert evaluation.warnings[0].startswith("chg-5 has succeeded")
    assert shop.policy.asked[-1].retries == "chg-3"


async def test_a_freeze_holds_a_rollback_only_if_it_says_so(shop: TicketWorld) -> None:
    rolls_back(shop)
    shop.freeze("emergency", "rollback")

    assert not (await shop.schedule("chg-1")).granted
    assert (await shop.schedule("chg-3", priority=FRONT)).granted
    await shop.leave("chg-3")
    shop.freeze("emergency")

    assert not (await shop.schedule("chg-3", priority=FRONT)).granted


async def test_a_rollback_goes_before_those_who_came_earlier(shop: TicketWorld) -> None:
    for ticket in ("chg-4", "chg-5"):
        shop.submit(ticket)
        await shop.schedule(ticket, priority=STANDARD)
    rolls_back(shop)
    assert not (await shop.schedule("chg-3", priority=FRONT)).granted

    await shop.leave("chg-4")

    assert not (await shop.schedule("chg-5", priority=STANDARD)).granted
    assert (await shop.schedule("chg-3", priority=FRONT)).granted
