"""Back from a success, and once more after anything else: new tickets that name the old."""

import asyncio

import pytest

from holdpoint.ledger import entries, tickets
from holdpoint.ledger.tickets import StoredChange
from holdpoint.models.errors import AccessDenied, Conflict, NotFound
from holdpoint.models.phases import TERMINAL, Phase
from holdpoint.models.ticket import TicketView
from holdpoint.service.control import control
from holdpoint.service.linked import retry
from tests.service.world import World, a_change, actor

AGAIN = sorted(TERMINAL - {Phase.SUCCEEDED, Phase.ROLLBACK_FAILED})
"""Phases whose tickets may be run again."""


async def roll_back(world: World, ticket: str, *, by: str = "sre") -> TicketView:
    return await control(
        ticket,
        "rollback",
        "INC-7",
        actor(by),
        ledger=world.ledger,
        temporal=world.temporal,
        delivery=world.delivery,
        turns=world.turns,
    )


async def run_again(world: World, ticket: str, *, by: str = "ci") -> TicketView:
    done = await retry(ticket, "flaky", actor(by), ledger=world.ledger, delivery=world.delivery)
    return done.view


async def succeeded(world: World, number: int, **change: str) -> str:
    """Return a ticket that has brought its own commit to the target."""
    world.repositories.commit = str(number) * 40
    view = (await world.submit(a_change(title=f"podinfo {number}", **change), key=f"build-{number}")).view
    await world.record(view.id, phase=Phase.SUCCEEDED)
    return view.id


async def shown(world: World, ticket: str) -> TicketView:
    return await world.ledger.read(tickets.get_ticket, ticket)


async def kept(world: World, ticket: str) -> StoredChange:
    return await world.ledger.read(tickets.change_of, ticket)


async def test_a_rollback_is_a_ticket_to_the_commit_that_succeeded_before(world: World) -> None:
    first, second = await succeeded(world, 1), await succeeded(world, 2, type="normal")

    view = await roll_back(world, second)

    assert (view.rolls_back, view.restores, view.phase) == (second, first, Phase.EVALUATING)
    assert (view.commit, view.type, view.requester) == ("1" * 40, "normal", "sre")
    assert [(step.kind, step.name) for step in view.steps] == [("apply", "apply whole")]
    stored = await kept(world, view.id)
    assert stored.change.verify_seconds == 5.0
    assert stored.change.spec.analysis is not None


async def test_the_workflow_of_a_rollback_is_started_and_knows_what_it_is(world: World) -> None:
    await succeeded(world, 1)
    second = await succeeded(world, 2)

    view = await roll_back(world, second)
    await world.delivery.deliver_due()

    [start] = [start for start in world.temporal.started if start.ticket == view.id]
    assert start.rolls_back == second


async def test_old_and_new_ticket_name_each_other_in_view_and_record(world: World) -> None:
    first, second = await succeeded(world, 1), await succeeded(world, 2)

    view = await roll_back(world, second)

    undone = await shown(world, second)
    assert (undone.phase, undone.rolled_back_by) == (Phase.SUCCEEDED, view.id)
    said = (await world.ledger.read(entries.entries_of, second))[-1]
    assert (said.kind, said.actor) == ("rollback.opened", "sre")
    assert said.body == {"ticket": view.id, "to": first, "reason": "INC-7"}
    begun = (await world.ledger.read(entries.entries_of, view.id))[0]
    assert (begun.body["rolls_back"], begun.body["restores"]) == (second, first)


async def test_a_rollback_asked_for_many_times_is_one_ticket_while_it_is_open(world: World) -> None:
    await succeeded(world, 1)
    second = await succeeded(world, 2)

    views = await asyncio.gather(*(roll_back(world, second) for _ in range(10)))

    assert len({view.id for view in views}) == 1
    assert (await world.kinds(second)).count("rollback.opened") == 1


async def test_after_a_rollback_that_did_not_go_through_the_next_is_a_new_ticket(world: World) -> None:
    await succeeded(world, 1)
    second = await succeeded(world, 2)
    one = await roll_back(world, second)
    await world.record(one.id, phase=Phase.REJECTED)
    assert (await shown(world, second)).rolled_back_by is None

    another = await roll_back(world, second)

    assert another.id != one.id
    assert another.previous == one.id


async def test_the_first_rollout_has_nothing_to_go_back_to(world: World) -> None:
    first = await succeeded(world, 1)

    with pytest.raises(Conflict, match=r"first rollout.*Submit a change"):
        await roll_back(world, first)


async def test_what_succeeded_since_is_named_and_comes_first(world: World) -> None:
    await succeeded(world, 1)
    second, third = await succeeded(world, 2), await succeeded(world, 3)

    with pytest.raises(Conflict, match=f"holdpoint rollback {third}"):
        await roll_back(world, second)


async def test_step_by_step_back_reaches_the_first(world: World) -> None:
    first, second, third = [await succeeded(world, number) for number in (1, 2, 3)]
    back = await roll_back(world, third)
    await world.record(back.id, phase=Phase.SUCCEEDED)

    view = await roll_back(world, second)

    assert (view.restores, view.commit) == (first, "1" * 40)


async def test_what_was_rolled_back_already_says_by_which_ticket(world: World) -> None:
    await succeeded(world, 1)
    second = await succeeded(world, 2)
    back = await roll_back(world, second)
    await world.record(back.id, phase=Phase.SUCCEEDED)

    with pytest.raises(Conflict, match=f"rolled back already: {back.id}"):
        await roll_back(world, second)


async def test_a_rollback_is_not_rolled_back_but_told_how_to_go_further(world: World) -> None:
    first, second = await succeeded(world, 1), await succeeded(world, 2)
    back = await roll_back(world, second)
    await world.record(back.id, phase=Phase.SUCCEEDED)

    with pytest.raises(Conflict, match=f"holdpoint rollback {first}"):
        await roll_back(world, back.id)


async def test_who_may_not_roll_back_opens_nothing_and_is_recorded(world: World) -> None:
    await succeeded(world, 1)
    second = await succeeded(world, 2)

    with pytest.raises(AccessDenied):
        await roll_back(world, second, by="approver")

    assert len(await world.ledger.read(tickets.list_tickets)) == 2
    assert (await world.kinds(second))[-1] == "control.denied"


async def test_a_rollback_needs_no_temporal_to_be_ordered(world: World) -> None:
    await succeeded(world, 1)
    second = await succeeded(world, 2)
    world.temporal.down = True

    assert (await roll_back(world, second)).rolls_back == second


@pytest.mark.parametrize("phase", AGAIN)
async def test_what_is_finished_runs_again_at_the_commit_that_it_had(world: World, phase: Phase) -> None:
    old = await world.a_ticket(phase=phase)
    world.repositories.commit = "f" * 40

    view = await run_again(world, old.id)

    assert (view.previous, view.commit, view.phase) == (old.id, old.commit, Phase.EVALUATING)
    before, now = await kept(world, old.id), await kept(world, view.id)
    assert (now.change, now.digest, now.retries) == (before.change, before.digest, old.id)
    assert (await shown(world, old.id)).retried_by == view.id
    assert (await world.kinds(old.id))[-1] == "ticket.retried"


async def test_a_retry_asked_for_twice_is_one_ticket_while_it_is_open(world: World) -> None:
    old = await world.a_ticket(phase=Phase.FAILED)

    one, two = await run_again(world, old.id), await run_again(world, old.id)
    await world.record(one.id, phase=Phase.FAILED)
    three = await run_again(world, old.id)

    assert (two.id, three.id == one.id) == (one.id, False)


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        (Phase.EXECUTING, "still open"),
        (Phase.SUCCEEDED, "succeeded"),
        (Phase.ROLLBACK_FAILED, "holdpoint rollback"),
    ],
)
async def test_what_cannot_run_again_says_why(world: World, phase: Phase, said: str) -> None:
    old = await world.a_ticket(phase=phase)

    with pytest.raises(Conflict, match=said):
        await run_again(world, old.id)


async def test_what_a_retry_has_brought_already_is_not_run_again(world: World) -> None:
    old = await world.a_ticket(phase=Phase.FAILED)
    one = await run_again(world, old.id)
    await world.record(one.id, phase=Phase.SUCCEEDED)

    with pytest.raises(Conflict, match=f"{one.id}, which has succeeded"):
        await run_again(world, old.id)


async def test_a_rollback_is_tried_again_by_its_own_word(world: World) -> None:
    await succeeded(world, 1)
    second = await succeeded(world, 2)
    back = await roll_back(world, second)
    await world.record(back.id, phase=Phase.FAILED)

    with pytest.raises(Conflict, match=f"holdpoint rollback {second}"):
        await run_again(world, back.id)


async def test_who_may_not_submit_runs_nothing_again(world: World) -> None:
    old = await world.a_ticket(phase=Phase.FAILED)

    with pytest.raises(AccessDenied):
        await run_again(world, old.id, by="auditor")
    with pytest.raises(NotFound):
        await run_again(world, "chg-aaaaaaaaaa")
