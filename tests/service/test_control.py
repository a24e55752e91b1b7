"""Pause, resume, abort, roll back: who may, what the ticket hears, and an abort that cannot be locked out."""

import asyncio
from typing import get_args

import pytest

from holdpoint.models.contracts import SIGNAL_ABORT
from holdpoint.models.errors import AccessDenied, Conflict, UpstreamUnavailable
from holdpoint.models.phases import TERMINAL, Phase
from holdpoint.models.ticket import TicketView
from holdpoint.service import read
from holdpoint.service.control import Verb, control
from tests.service.world import World, actor

CONTROLS = list(get_args(Verb))


async def say(world: World, ticket: str, verb: Verb, *, by: str = "sre") -> TicketView:
    return await control(
        ticket,
        verb,
        "because",
        actor(by),
        ledger=world.ledger,
        temporal=world.temporal,
        delivery=world.delivery,
        turns=world.turns,
    )


@pytest.mark.parametrize("verb", CONTROLS)
async def test_a_verb_is_an_update_of_its_name(world: World, verb: Verb) -> None:
    ticket = (await world.a_ticket(phase=Phase.EXECUTING)).id

    await say(world, ticket, verb)

    [(workflow, name, argument)] = world.temporal.updates.values()
    assert (workflow, name) == (f"change/{ticket}", verb)
    assert argument.model_dump() == {
        "verb": verb,
        "by": "sre",
        "reason": "because",
        "digest": None,
        "code": None,
    }


@pytest.mark.parametrize("by", ["approver", "approver2", "auditor"])
async def test_who_may_not_is_denied_and_recorded(world: World, by: str) -> None:
    ticket = (await world.a_ticket(phase=Phase.EXECUTING)).id

    with pytest.raises(AccessDenied):
        await say(world, ticket, "abort", by=by)

    assert "control.denied" in await world.kinds(ticket)
    assert world.temporal.updates == {}


async def test_ci_controls_its_own_tickets_only(world: World) -> None:
    own = (await world.a_ticket(phase=Phase.EXECUTING, by="ci")).id
    await say(world, own, "abort", by="ci")
    await world.record(own, phase=Phase.ROLLED_BACK)
    other = (await world.a_ticket(phase=Phase.EXECUTING, by="sre")).id

    with pytest.raises(AccessDenied, match="sre's"):
        await say(world, other, "abort", by="ci")


async def test_abort_is_a_signal_where_its_update_cannot_be_had(world: World) -> None:
    ticket = (await world.a_ticket(phase=Phase.EXECUTING)).id
    world.temporal.updates_used_up = True

    await say(world, ticket, "abort")

    assert [(name, argument.model_dump()["verb"]) for _, name, argument in world.temporal.signals] == [
        (SIGNAL_ABORT, "abort")
    ]


async def test_nothing_can_be_said_while_temporal_is_down(world: World) -> None:
    ticket = (await world.a_ticket(phase=Phase.EXECUTING)).id
    world.temporal.down = True

    for verb in CONTROLS:
        with pytest.raises(UpstreamUnavailable):
            await say(world, ticket, verb)


async def test_a_refusal_of_the_ticket_is_a_conflict(world: World) -> None:
    ticket = (await world.a_ticket(phase=Phase.ROLLING_BACK)).id
    world.temporal.refusal = "It is rolling back already."

    with pytest.raises(Conflict, match="rolling back"):
        await say(world, ticket, "abort")


@pytest.mark.parametrize("phase", sorted(TERMINAL - {Phase.ROLLBACK_FAILED, Phase.SUCCEEDED}))
async def test_a_closed_ticket_is_a_conflict(world: World, phase: Phase) -> None:
    ticket = (await world.a_ticket(phase=phase)).id

    with pytest.raises(Conflict, match=f"closed.*holdpoint retry {ticket}"):
        await say(world, ticket, "rollback")


async def test_a_success_is_told_to_be_undone_by_rollback(world: World) -> None:
    ticket = (await world.a_ticket(phase=Phase.SUCCEEDED)).id

    with pytest.raises(Conflict, match=f"holdpoint rollback {ticket}"):
        await say(world, ticket, "abort")


async def test_a_failed_rollback_is_tried_again_once_at_a_time(world: World) -> None:
    ticket = (await world.a_ticket(phase=Phase.ROLLBACK_FAILED)).id

    await say(world, ticket, "rollback")
    with pytest.raises(Conflict):
        await say(world, ticket, "rollback")

    assert [(start.ticket, start.by) for start in world.temporal.closings] == [(ticket, "sre")]


async def test_a_ticket_that_is_not_started_yet_is_unavailable_not_unknown(world: World) -> None:
    ticket = (await world.a_ticket(phase=Phase.EVALUATING)).id
    world.temporal.running.clear()

    with pytest.raises(UpstreamUnavailable, match="not running"):
        await say(world, ticket, "pause")


async def test_the_answer_is_the_ticket_after_it_recorded_the_word(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = (await world.a_ticket(phase=Phase.EXECUTING)).id
    monkeypatch.setattr(read, "HEARD_WITHIN", 30.0)

    async with asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(say(world, ticket, "abort"))
        await world.temporal.has_heard.wait()
        await world.record(ticket, phase=Phase.ROLLING_BACK, by="sre")

    assert answer.result().phase is Phase.ROLLING_BACK
