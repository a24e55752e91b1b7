"""A person takes the target of a failed rollback in hand: recorded, fenced, theirs, and given back."""

from typing import Any

import pytest

from holdpoint.ledger import entries, intents, takeovers, targets, tickets
from holdpoint.ledger.statistics import standing
from holdpoint.models.activity_calls import Compared
from holdpoint.models.errors import AccessDenied, Conflict
from holdpoint.models.phases import Phase
from holdpoint.models.record import Intent, Refused, TargetRow
from holdpoint.models.ticket import RollbackResult, TicketView
from holdpoint.service import takeover
from holdpoint.service.control import control
from holdpoint.service.explain import explain
from holdpoint.service.linked import retry
from tests.service.world import RUN, TARGET, World, a_deployment, actor


async def left(world: World, *, open_intent: bool = False, exists: bool = True) -> tuple[str, Intent]:
    """Return a ticket whose undo has left its target dirty, with what it has sent."""
    ticket = (await world.a_ticket(phase=Phase.ROLLING_BACK)).id
    intent = await world.an_open_intent(ticket, exists=exists)
    if not open_intent:
        await world.ledger.write(intents.close_intent, intent.id, status="done", result={}, attempt=1)
    await world.ledger.write(targets.release_target, target=TARGET, run=RUN, clean=False)
    await world.record(ticket, phase=Phase.ROLLBACK_FAILED)
    return ticket, intent


async def takes(world: World, ticket: str, by: str = "sre", reason: str = "INC-7") -> TicketView:
    return await takeover.take_over(
        ticket, reason, actor(by), ledger=world.ledger, clusters=world.clusters, turns=world.turns
    )


async def gives_back(world: World, ticket: str, by: str = "sre") -> TicketView:
    return await takeover.give_back(
        ticket, "mended", actor(by), ledger=world.ledger, delivery=world.delivery, turns=world.turns
    )


async def ends(world: World, ticket: str, result: str = "restored") -> TicketView:
    """Do what the closing does once the comparison is there."""
    differences = [] if result == "restored" else ["Deployment/podinfo: spec.replicas: 1 -> 2"]
    compared = Compared(result=RollbackResult(result), differences=differences)
    await world.ledger.read(takeovers.given_back, ticket)
    return await world.ledger.write(takeovers.end, ticket, compared)


async def target(world: World) -> TargetRow:
    row = await world.ledger.read(targets.get_target, TARGET)
    assert row is not None
    return row


async def bodies(world: World, ticket: str, kind: str) -> list[dict[str, Any]]:
    found = await world.ledger.read(entries.entries_of, ticket)
    return [entry.body for entry in found if entry.kind == kind]


async def test_who_and_why_are_recorded_and_the_target_is_theirs(world: World) -> None:
    ticket, _ = await left(world)

    view = await takes(world, ticket)

    assert view.takeover is not None
    assert (view.takeover.by, view.takeover.reason, view.takeover.in_doubt) == ("sre", "INC-7", [])
    assert view.takeover.fenced_at is not None
    row = await target(world)
    assert (row.in_hand_of, row.dirty, row.holder_ticket) == ("sre", True, ticket)
    said = {"by": "sre", "roles": ["sre"], "reason": "INC-7", "target": TARGET, "from": None}
    assert await bodies(world, ticket, "takeover.begun") == [said]


async def test_nothing_of_ours_opens_there_any_more_nor_takes_it_back(world: World) -> None:
    ticket, intent = await left(world)
    await takes(world, ticket)

    for direction in ("forward", "undo"):
        request = intent.request.model_copy(update={"key": direction, "direction": direction})
        refused = await world.ledger.write(intents.open_intent, request)
        assert isinstance(refused, Refused)
    undo = {"mode": "undo"}
    with pytest.raises(Conflict, match="in sre's hands"):
        await world.ledger.write(targets.take_target, target=TARGET, ticket=ticket, run="run-2", rollout=undo)


async def test_what_is_on_its_way_is_fenced(world: World) -> None:
    ticket, intent = await left(world, open_intent=True)

    view = await takes(world, ticket)

    assert (await world.ledger.read(intents.get_intent, intent.id)).status == "fenced"
    assert len(world.clusters.cluster.fences) == 1
    assert view.takeover is not None
    assert view.takeover.in_doubt == []


async def test_what_cannot_be_fenced_yet_is_in_doubt_until_it_is(world: World) -> None:
    ticket, _ = await left(world, open_intent=True)
    world.clusters.cluster.down = True

    first = await takes(world, ticket)
    world.clusters.cluster.down = False
    await takeover.fence_what_was_taken_over(ledger=world.ledger, clusters=world.clusters)
    await takeover.fence_what_was_taken_over(ledger=world.ledger, clusters=world.clusters)

    assert first.takeover is not None
    assert first.takeover.in_doubt == [str(a_deployment(name="podinfo"))]
    now = await world.ledger.read(tickets.get_ticket, ticket)
    assert now.takeover is not None
    assert now.takeover.in_doubt == []
    assert len(await bodies(world, ticket, "takeover.fenced")) == 2


async def test_an_undo_that_is_on_its_way_is_fenced_too(world: World) -> None:
    ticket, _ = await left(world)
    await world.ledger.write(
        targets.take_target, target=TARGET, ticket=ticket, run="run-2", rollout={"mode": "undo"}
    )
    ref = a_deployment(name="podinfo")
    undo = await world.open_intent(ticket, ref, run="run-2", direction="undo", resource_version="7")

    await takes(world, ticket)

    assert (await world.ledger.read(intents.get_intent, undo.id)).status == "fenced"


async def test_the_same_person_again_is_the_same_and_another_has_it_from_then_on(world: World) -> None:
    ticket, _ = await left(world)
    await takes(world, ticket)
    await takes(world, ticket)

    view = await takes(world, ticket, by="commander", reason="my shift")

    said = await bodies(world, ticket, "takeover.begun")
    assert [(one["by"], one["from"]) for one in said] == [("sre", None), ("commander", "sre")]
    assert view.takeover is not None
    assert view.takeover.by == (await target(world)).in_hand_of == "commander"


@pytest.mark.parametrize("by", ["ci", "approver", "auditor"])
@pytest.mark.parametrize("done", [False, True], ids=["take", "give back"])
async def test_who_may_not_is_denied_and_recorded(world: World, by: str, done: bool) -> None:
    ticket, _ = await left(world)

    with pytest.raises(AccessDenied, match="may not take a target in hand"):
        await (gives_back if done else takes)(world, ticket, by)

    assert "takeover.denied" in await world.kinds(ticket)
    assert (await target(world)).in_hand_of is None


@pytest.mark.parametrize("phase", [Phase.EXECUTING, Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.SUCCEEDED])
async def test_only_what_a_failed_rollback_left_is_taken(world: World, phase: Phase) -> None:
    ticket = (await world.a_ticket(phase=phase)).id

    with pytest.raises(Conflict, match=f"is {phase}: only what a failed rollback left"):
        await takes(world, ticket)


async def test_what_was_settled_is_not_taken(world: World) -> None:
    ticket = (await world.a_ticket(phase=Phase.ROLLBACK_FAILED)).id

    with pytest.raises(Conflict, match="nothing left to take over"):
        await takes(world, ticket)


async def test_ours_is_not_tried_again_while_it_is_in_hand(world: World) -> None:
    ticket, _ = await left(world)
    await takes(world, ticket)
    parts: dict[str, Any] = {"ledger": world.ledger, "delivery": world.delivery}
    more: dict[str, Any] = {"temporal": world.temporal, "turns": world.turns}

    with pytest.raises(Conflict, match=f"in sre's hands.*holdpoint takeover {ticket} --done"):
        await control(ticket, "rollback", "again", actor("sre"), **parts, **more)
    with pytest.raises(Conflict, match="in sre's hands"):
        await retry(ticket, "again", actor("ci"), **parts)

    assert world.temporal.closings == []


async def test_to_give_back_is_recorded_and_orders_the_closing_also_while_temporal_is_down(
    world: World,
) -> None:
    ticket, _ = await left(world)
    await takes(world, ticket)
    world.temporal.down = True
    await gives_back(world, ticket, by="commander")
    await gives_back(world, ticket, by="commander")

    world.temporal.down = False
    await world.delivery.deliver_due()

    [start] = world.temporal.closings
    assert (start.ticket, start.by, start.handed_back) == (ticket, "commander", True)
    assert [one["by"] for one in await bodies(world, ticket, "takeover.done")] == ["commander"]
    assert (await target(world)).in_hand_of == "sre"


async def test_a_closing_that_still_runs_does_not_lose_the_order(world: World) -> None:
    ticket, _ = await left(world)
    await takes(world, ticket)
    world.temporal.running.add(f"close/{ticket}")
    await gives_back(world, ticket)
    await world.delivery.deliver_due()

    assert world.temporal.closings == []
    assert (await world.ledger.read(standing)).outbox_pending == 1


async def test_what_is_restored_ends_rolled_back_and_frees_the_target(world: World) -> None:
    ticket, _ = await left(world)
    await takes(world, ticket)
    await gives_back(world, ticket)

    view = await ends(world, ticket)

    assert (view.phase, view.rollback.result) == (Phase.ROLLED_BACK, RollbackResult.RESTORED)
    assert view.reason is not None
    assert view.reason.code == "taken_over"
    assert view.reason.message == "sre took the target over (INC-7); sre gave it back (mended): `restored`."
    row = await target(world)
    assert (row.dirty, row.holder_ticket, row.holder_run) == (False, None, None)
    assert await world.kinds(ticket) == [*(await world.kinds(ticket))[:-2], "takeover.ended", "phase.entered"]


@pytest.mark.parametrize("result", ["partial", "diverged"])
async def test_what_is_not_as_it_was_is_told_and_free_all_the_same(world: World, result: str) -> None:
    ticket, _ = await left(world)
    await takes(world, ticket)
    await gives_back(world, ticket)

    view = await ends(world, ticket, result)

    assert view.phase is Phase.ROLLBACK_FAILED
    assert view.takeover is not None
    assert (view.takeover.result, len(view.takeover.differences)) == (result, 1)
    assert not (await target(world)).dirty
    assert (await explain(world.ledger, ticket)).causes == []
    again = await retry(ticket, "now", actor("ci"), ledger=world.ledger, delivery=world.delivery)
    assert again.created
    with pytest.raises(Conflict, match="nothing left to take over"):
        await takes(world, ticket)


async def test_without_a_persons_word_nothing_is_given_back(world: World) -> None:
    ticket, _ = await left(world)
    await takes(world, ticket)

    with pytest.raises(Conflict, match="Nobody has said"):
        await ends(world, ticket)


async def test_what_nobody_has_in_hand_is_not_given_back(world: World) -> None:
    ticket, _ = await left(world)

    with pytest.raises(
        Conflict, match=f"Nobody has .* in hand. To take it over: holdpoint takeover {ticket}"
    ):
        await gives_back(world, ticket)


async def test_a_word_of_the_person_before_does_not_count_for_the_next(world: World) -> None:
    ticket, _ = await left(world)
    await takes(world, ticket)
    await gives_back(world, ticket)

    await takes(world, ticket, by="commander")

    with pytest.raises(Conflict, match="Nobody has said"):
        await ends(world, ticket)


async def test_explain_says_who_has_it_and_how_it_goes_on(world: World) -> None:
    ticket, _ = await left(world)
    [before] = (await explain(world.ledger, ticket)).causes
    await takes(world, ticket)

    [cause] = (await explain(world.ledger, ticket)).causes

    assert f"holdpoint takeover {ticket} --reason TEXT" in before.message
    assert (cause.code, cause.command) == ("taken_over", f"holdpoint takeover {ticket} --done --reason TEXT")
    assert cause.message == f"sre has {TARGET} in hand: INC-7"
