"""A word on a hold without a verdict is an entry of the ledger: by whom may, on what was shown, and once."""

from typing import Any

import pytest

from holdpoint.ledger import entries, promotions
from holdpoint.models.activity_calls import Promotion
from holdpoint.models.errors import AccessDenied, Conflict, InvalidRequest
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import StepStatus, StepView, TicketView
from holdpoint.models.workflow_messages import PromotionGiven
from holdpoint.service.promote import Word, promote
from tests.service.world import DIGEST, World, actor

SINCE = "2026-11-21T12:00:00.123456Z"
OTHER = "sha256:" + "a" * 64


def a_step(**changes: Any) -> dict[str, Any]:
    planned = [{"asked": float(w), "reached": float(w), "canary": 1.0, "stable": 9.0} for w in (10, 25, 50)]
    step = StepView(name="1-canary", kind="canary", status=StepStatus.HELD, weight=25.0, planned=planned)
    return step.model_copy(update=changes).model_dump(mode="json")


def a_hold(code: str, since: str = SINCE) -> dict[str, Any]:
    return {"code": code, "message": "x", "by": "holdpoint", "since": since, "lift": "data"}


async def undecided(world: World, code: str = "no_data", **patch: Any) -> str:
    """Return a ticket whose canary stands at 25 % of [10, 25, 50], and is held."""
    shown: dict[str, Any] = {
        "phase": Phase.EXECUTING,
        "holds": [a_hold(code)],
        "digest": DIGEST,
        "steps": [a_step()],
    }
    shown |= patch
    ticket = (await world.a_ticket(**shown)).id
    for weight in (10, 25):
        await reaches(world, ticket, weight)
    return ticket


async def reaches(world: World, ticket: str, weight: int) -> None:
    body = {"step": "1-canary", "asked": weight, "reached": float(weight)}
    at = (await world.ledger.read(entries.entries_of, ticket))[-1].at
    draft = EntryDraft(key=f"w{weight}", kind="weight.reached", actor="holdpoint", at=at, body=body)
    await world.ledger.write(entries.append, Record(ticket=ticket, entries=[draft]))


async def say(
    world: World, ticket: str, *, by: str = "sre", digest: str = DIGEST, weight: int | None = None
) -> TicketView:
    word = Word(digest=digest, reason="because", weight=weight)
    return await promote(
        ticket, word, actor(by), ledger=world.ledger, delivery=world.delivery, turns=world.turns
    )


async def said(world: World, ticket: str) -> Promotion:
    word = await world.ledger.read(promotions.last_word, ticket)
    assert word is not None
    return word


async def nothing_said(world: World, ticket: str) -> bool:
    return await world.ledger.read(promotions.last_word, ticket) is None


@pytest.mark.parametrize("code", ["no_data", "low_sample", "inconclusive", "provider_down"])
async def test_the_word_is_recorded_with_what_it_is_on_and_told_to_the_ticket(
    world: World, code: str
) -> None:
    ticket = await undecided(world, code)

    await say(world, ticket, weight=50)

    entry = (await world.ledger.read(entries.entries_of, ticket))[-1]
    assert (entry.kind, entry.actor) == ("promote.given", "sre")
    assert entry.body == {
        "by": "sre",
        "roles": ["sre"],
        "reason": "because",
        "digest": DIGEST,
        "weight": 50,
        "over": [code],
        "since": [SINCE],
    }
    [(workflow, name, argument)] = world.temporal.updates.values()
    assert (workflow, name) == (f"change/{ticket}", "promotion")
    assert isinstance(argument, PromotionGiven)
    assert (argument.by, argument.digest, argument.weight) == ("sre", DIGEST, 50)
    word = await said(world, ticket)
    assert (word.by, word.weight, word.entry) == ("sre", 50, argument.entry)


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ({"holds": []}, "it is Executing, held by nothing"),
        ({"phase": Phase.SCHEDULED}, "it is Scheduled, held by no_data"),
        ({"phase": Phase.ROLLED_BACK}, "closed: it is RolledBack"),
    ],
    ids=["not held", "before its rollout", "closed"],
)
async def test_nothing_else_is_promoted(world: World, patch: dict[str, Any], says: str) -> None:
    held = await undecided(world, **patch)

    with pytest.raises(Conflict, match=says):
        await say(world, held)

    assert world.temporal.updates == {}
    assert await nothing_said(world, held)


async def test_another_hold_is_not_promoted(world: World) -> None:
    with pytest.raises(Conflict, match="held by frozen"):
        await say(world, await undecided(world, "frozen"))


async def test_what_has_changed_since_it_was_read_is_not_promoted(world: World) -> None:
    with pytest.raises(Conflict, match="has changed since it was read"):
        await say(world, await undecided(world), digest=OTHER)


@pytest.mark.parametrize("by", ["ci", "approver", "auditor"])
async def test_who_may_not_is_denied_and_recorded_its_own_ticket_too(world: World, by: str) -> None:
    ticket = await undecided(world)

    with pytest.raises(AccessDenied, match=f"{by} may not decide a hold without a verdict"):
        await say(world, ticket, by=by)

    assert "control.denied" in await world.kinds(ticket)
    assert await nothing_said(world, ticket)


async def test_the_first_word_on_a_hold_stands_and_the_same_again_is_answered_alike(world: World) -> None:
    ticket = await undecided(world)
    await say(world, ticket)

    await say(world, ticket, by="commander")
    with pytest.raises(Conflict, match="sre has promoted it to the next weight already"):
        await say(world, ticket, by="commander", weight=50)

    assert (await world.kinds(ticket)).count("promote.given") == 1
    assert len(world.temporal.updates) == 1


async def test_a_later_hold_takes_a_word_of_its_own(world: World) -> None:
    ticket = await undecided(world)
    await say(world, ticket)
    await world.record(ticket, phase=Phase.VERIFYING, holds=[a_hold("no_data", "2026-11-21T13:00:00Z")])

    await say(world, ticket, by="commander")

    assert len(world.temporal.updates) == 2
    assert (await said(world, ticket)).by == "commander"


@pytest.mark.parametrize("weight", [25, 50, 100], ids=["it stands at", "later", "whole"])
async def test_a_weight_of_the_plan_that_is_not_behind_is_taken(world: World, weight: int) -> None:
    ticket = await undecided(world)

    await say(world, ticket, weight=weight)

    assert (await said(world, ticket)).weight == weight


async def test_a_weight_that_is_none_of_the_plans_is_refused_by_its_field(world: World) -> None:
    ticket = await undecided(world)

    with pytest.raises(InvalidRequest) as caught:
        await say(world, ticket, weight=33)

    [mistake] = caught.value.detail["mistakes"]
    assert (mistake["field"], mistake["found"], mistake["allowed"]) == ("weight", "33", "10, 25, 50, 100")
    assert await nothing_said(world, ticket)


async def test_a_weight_that_lies_behind_is_a_conflict(world: World) -> None:
    with pytest.raises(Conflict, match=r"weight is 10, but .* stands at 25 % by now"):
        await say(world, await undecided(world), weight=10)


async def test_a_step_without_weights_takes_none(world: World) -> None:
    ticket = await undecided(world, steps=[a_step(kind="analysis", planned=[], weight=None)])

    with pytest.raises(Conflict, match="no weights"):
        await say(world, ticket, weight=50)


async def test_a_word_given_while_temporal_is_down_reaches_the_ticket_later(world: World) -> None:
    ticket = await undecided(world)
    world.temporal.down = True
    await say(world, ticket)

    world.temporal.down = False
    await world.delivery.deliver_due()

    assert [name for _, name, _ in world.temporal.updates.values()] == ["promotion"]
