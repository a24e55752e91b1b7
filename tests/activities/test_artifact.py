"""What a change brings: by its images, the same in every environment; and what the policy is told of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdpoint.models.artifact import ArtifactFacts, Soak
from holdpoint.models.change import Change, Plan
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import HoldCode
from tests.activities.ticket_world import MONDAY, NIGHT, TicketWorld
from tests.activities.world import BETTER, GOOD, Sandbox, deployment, service

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "limits"}, "data": {"a": "1"}}
FAILED = {"code": "analysis_failed", "message": "5 of 40 requests failed."}
SOAK = Soak(environment="staging", seconds=1800)


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    made = TicketWorld(sandbox, tmp_path)
    yield made
    await made.close()


async def brings(
    shop: TicketWorld, ticket: str, *objects: dict[str, Any], environment: str = "staging"
) -> ArtifactFacts:
    """Commit these objects, submit them, and return what the policy is told that they are."""
    shop.commit(*objects)
    shop.submit(ticket, change=shop.a_change(environment=environment))
    await shop.evaluate(ticket)
    facts = shop.policy.asked[-1].artifact
    assert isinstance(facts, ArtifactFacts)
    return facts


def planned(shop: TicketWorld, step: dict[str, Any]) -> Change:
    """Return a change with this one step."""
    change = shop.a_change()
    plan = Plan.model_validate({"steps": [step]})
    return change.model_copy(update={"spec": change.spec.model_copy(update={"plan": plan})})


async def succeeds(shop: TicketWorld, ticket: str, image: str, *, minutes_ago: float) -> None:
    await brings(shop, ticket, deployment(image=image), service())
    closed = MONDAY - timedelta(minutes=minutes_ago)
    shop.enters(ticket, Phase.SUCCEEDED, closed_at=closed.isoformat())


async def test_the_same_images_are_the_same_artifact_whatever_else_differs(shop: TicketWorld) -> None:
    plain = await brings(shop, "chg-1", deployment(image=GOOD), service())
    more = await brings(shop, "chg-2", deployment(image=GOOD), CONFIG, environment="production")
    other = await brings(shop, "chg-3", deployment(image=BETTER), service())

    assert plain.images == [GOOD]
    assert plain.digest == more.digest != other.digest
    assert plain.content != more.content


async def test_the_same_objects_have_the_same_content_at_another_commit(shop: TicketWorld) -> None:
    first = await brings(shop, "chg-1", deployment(image=GOOD), service())
    (shop.repository / "README").write_text("more words")

    assert (await brings(shop, "chg-2", deployment(image=GOOD), service())).content == first.content


async def test_objects_without_an_image_are_known_by_their_commit(shop: TicketWorld) -> None:
    first = await brings(shop, "chg-1", deployment(), CONFIG)
    digests = set[str]()
    for ticket in ("chg-2", "chg-3"):
        shop.commit(CONFIG)
        shop.submit(ticket, change=planned(shop, {"apply": {}}))
        await shop.evaluate(ticket)
        facts = shop.policy.asked[-1].artifact
        assert isinstance(facts, ArtifactFacts)
        digests.add(facts.digest)

    assert len(digests - {first.digest}) == 2


async def test_the_ticket_shows_what_it_brings(shop: TicketWorld) -> None:
    facts = await brings(shop, "chg-1", deployment(image=GOOD), service())

    view = shop.view("chg-1")

    assert view.artifact is not None
    assert (view.artifact.digest, view.artifact.images) == (facts.digest, [GOOD])


async def test_what_writes_nothing_brings_nothing(shop: TicketWorld) -> None:
    shop.commit()
    change = shop.a_change()
    plan = Plan.model_validate({"steps": [{"wait": {"for": "1m"}}]})
    shop.submit(
        "chg-1", change=change.model_copy(update={"spec": change.spec.model_copy(update={"plan": plan})})
    )
    await shop.evaluate("chg-1")

    facts = shop.policy.asked[-1].artifact

    assert isinstance(facts, ArtifactFacts)
    assert not facts.written
    assert shop.view("chg-1").artifact is None


async def test_the_policy_is_told_where_it_has_run_and_the_record_has_it(shop: TicketWorld) -> None:
    await succeeds(shop, "chg-1", GOOD, minutes_ago=20)

    facts = await brings(shop, "chg-2", deployment(image=GOOD), environment="production")

    (rung,) = facts.ladder
    assert (rung.environment, rung.ticket, rung.running, rung.soak) == ("staging", "chg-1", True, 1200.0)
    (entry,) = shop.recorded("chg-2", "ticket.evaluated")
    assert entry.body["input"]["artifact"]["ladder"][0]["ticket"] == "chg-1"


async def test_what_was_rolled_back_is_told_in_every_environment_of_the_service(shop: TicketWorld) -> None:
    await brings(shop, "chg-1", deployment(image=BETTER), service())
    shop.enters("chg-1", Phase.ROLLED_BACK, reason=FAILED)

    facts = await brings(shop, "chg-2", deployment(image=BETTER), environment="production")

    assert [(ban.ticket, ban.environment, ban.covers) for ban in facts.bans] == [
        ("chg-1", "staging", "artifact")
    ]


async def test_the_clock_does_not_move_what_approvals_bind(shop: TicketWorld) -> None:
    await succeeds(shop, "chg-1", GOOD, minutes_ago=20)
    await brings(shop, "chg-2", deployment(image=GOOD), environment="production")
    before = await shop.evaluate("chg-2")

    shop.time = MONDAY + timedelta(hours=1)

    assert (await shop.evaluate("chg-2", purpose="release")).digest == before.digest


async def test_a_soak_is_a_hold_until_its_moment(shop: TicketWorld) -> None:
    await succeeds(shop, "chg-1", GOOD, minutes_ago=20)
    await brings(shop, "chg-2", deployment(image=GOOD), environment="production")
    over = MONDAY + timedelta(minutes=10)

    answer = await shop.schedule("chg-2", soak=SOAK)

    (hold,) = answer.holds
    assert (answer.granted, hold.code, hold.until, answer.look_again) == (False, HoldCode.SOAK, over, over)
    assert "staging for 30m without a breach" in hold.message
    assert "2026-03-02 10:10:00 UTC" in hold.message
    shop.time = over
    assert (await shop.schedule("chg-2", soak=SOAK)).granted


async def test_a_soak_and_a_closed_window_are_shown_together(shop: TicketWorld) -> None:
    await succeeds(shop, "chg-1", GOOD, minutes_ago=0)
    await brings(shop, "chg-2", deployment(image=GOOD), environment="production")
    shop.time = NIGHT

    answer = await shop.schedule("chg-2", window=True, soak=Soak(environment="staging", seconds=86400))

    assert {hold.code for hold in answer.holds} == {HoldCode.WINDOW, HoldCode.SOAK}


async def test_a_soak_that_a_breach_has_ended_is_for_the_policy_to_deny(shop: TicketWorld) -> None:
    await succeeds(shop, "chg-1", GOOD, minutes_ago=20)
    await succeeds(shop, "chg-2", BETTER, minutes_ago=10)
    await brings(shop, "chg-3", deployment(image=GOOD), environment="production")

    assert (await shop.schedule("chg-3", soak=SOAK)).granted
    await shop.evaluate("chg-3", purpose="release")

    facts = shop.policy.asked[-1].artifact
    assert isinstance(facts, ArtifactFacts)
    assert [(rung.running, rung.soak, rung.ended_by) for rung in facts.ladder] == [(False, 600.0, "chg-2")]
