"""A freeze holds when it is acknowledged: with Temporal down, a cluster down, and writes under way."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from holdpoint.ledger import freezes, intents, schema
from holdpoint.ledger.clock import now
from holdpoint.models.errors import AccessDenied, Conflict, InvalidRequest, NotFound
from holdpoint.models.phases import Phase
from holdpoint.models.record import ROLLBACK_TYPE, Intent, LeftOpen, Refused, Scope
from holdpoint.models.ticket import StepStatus, StepView
from holdpoint.service import freeze
from holdpoint.service.background import end_freezes
from holdpoint.service.freeze import FreezeOrder, finish_acknowledging
from holdpoint.service.scopes import parse_scope
from tests.service.freezing import ALL, frozen
from tests.service.world import World, actor

EXECUTING = {"steps": [StepView(name="canary podinfo", kind="canary", status=StepStatus.RUNNING, weight=10)]}


async def status(world: World, intent: Intent) -> str:
    return (await world.ledger.read(intents.get_intent, intent.id)).status


async def test_what_is_under_way_is_fenced_and_cannot_be_tried_again(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    intent = await world.an_open_intent(ticket.id)

    acknowledged = await frozen(world)

    assert acknowledged.in_doubt == []
    assert await status(world, intent) == "fenced"
    [audit_id] = world.clusters.cluster.fences
    again = await world.ledger.write(intents.retry_intent, intent.id, "8", 15.0)
    assert isinstance(again, Refused)
    recorded = await world.ledger.read(intents.intents_of, ticket.id)
    assert audit_id in {one.audit_id for one in recorded if one.request.direction == "undo"}


async def test_the_acknowledgement_is_recorded_with_what_was_in_flight(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING, **_json(EXECUTING))

    acknowledged = await frozen(world)

    [moving] = acknowledged.in_flight
    assert (moving.ticket, moving.phase, moving.weight) == (ticket.id, Phase.EXECUTING, 10)
    kept = await world.ledger.read(freezes.get_freeze, acknowledged.id)
    assert kept.acknowledged_at is not None
    assert kept.facts is not None
    assert kept.facts["ack_ms"] == acknowledged.ack_ms


async def test_what_is_in_flight_is_named_however_many_newer_tickets_wait(world: World) -> None:
    moving = await world.a_ticket(phase=Phase.EXECUTING, **_json(EXECUTING))
    waiting = moving.model_copy(update={"phase": Phase.SCHEDULED}).model_dump_json()

    def multiply(db: Connection) -> None:
        row = db.execute(select(schema.tickets).where(schema.tickets.c.id == moving.id)).one()
        later = {**row._mapping, "phase": "Scheduled", "view": waiting, "created_at": row.created_at + 1}
        db.execute(insert(schema.tickets), [{**later, "id": f"chg-{number}"} for number in range(1000)])

    await world.ledger.write(multiply)

    assert [ticket.ticket for ticket in (await frozen(world)).in_flight] == [moving.id]


async def test_a_freeze_needs_no_temporal_and_wakes_tickets_later(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.SCHEDULED)
    world.temporal.down = True
    await frozen(world)
    await world.delivery.deliver_due()

    world.temporal.down = False
    async with asyncio.timeout(5):
        while not world.temporal.signals:
            await world.delivery.deliver_due()

    assert world.temporal.signals[0][:2] == (f"change/{ticket.id}", "wake")


async def test_a_cluster_that_is_down_is_in_doubt_until_it_answers(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    intent = await world.an_open_intent(ticket.id)
    world.clusters.cluster.down = True

    acknowledged = await frozen(world)
    assert [doubt["intent"] for doubt in acknowledged.in_doubt] == [intent.id]
    [listed] = await freeze.list_freezes(world.ledger)
    assert (listed.acknowledged_at, len(listed.in_doubt)) == (None, 1)

    world.clusters.cluster.down = False
    kept = await world.ledger.read(freezes.get_freeze, acknowledged.id)
    await finish_acknowledging(kept, ledger=world.ledger, clusters=world.clusters)

    assert await status(world, intent) == "fenced"
    [listed] = await freeze.list_freezes(world.ledger)
    assert listed.acknowledged_at is not None
    assert listed.in_doubt == []


async def test_a_create_cannot_be_fenced_and_is_in_doubt(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    intent = await world.an_open_intent(ticket.id, exists=False)

    acknowledged = await frozen(world)

    assert [doubt["intent"] for doubt in acknowledged.in_doubt] == [intent.id]
    assert world.clusters.cluster.fences == []
    assert await status(world, intent) == "open"


async def test_a_create_that_is_answered_in_the_same_moment_is_not_in_doubt(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    intent = await world.an_open_intent(ticket.id, exists=False)

    freezing = asyncio.create_task(frozen(world))
    await world.ledger.write(intents.close_intent, intent.id, status="done", result={}, attempt=1)

    assert (await freezing).in_doubt == []


async def test_an_excepted_type_goes_on(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    intent = await world.an_open_intent(ticket.id, type="emergency")

    await frozen(world, except_types=["emergency"])

    assert await status(world, intent) == "open"
    assert world.clusters.cluster.fences == []


@pytest.mark.parametrize(("included", "left"), [(False, "open"), (True, "fenced")])
async def test_a_rollback_after_success_goes_on_unless_the_freeze_says_otherwise(
    world: World, *, included: bool, left: str
) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING, rolls_back="chg-aaaaaaaaaa")
    intent = await world.an_open_intent(ticket.id, type=ROLLBACK_TYPE)

    acknowledged = await frozen(world, include_rollbacks=included)

    assert await status(world, intent) == left
    assert [moving.ticket for moving in acknowledged.in_flight] == ([ticket.id] if included else [])


async def test_another_scope_goes_on(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    intent = await world.an_open_intent(ticket.id)

    acknowledged = await frozen(world, scope=Scope(service="shop"))

    assert await status(world, intent) == "open"
    assert acknowledged.in_flight == []


async def test_fencing_again_does_not_write_again(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    await world.an_open_intent(ticket.id)
    acknowledged = await frozen(world)

    kept = await world.ledger.read(freezes.get_freeze, acknowledged.id)
    await finish_acknowledging(kept, ledger=world.ledger, clusters=world.clusters)

    assert len(world.clusters.cluster.fences) == 1


async def test_a_fence_without_an_answer_is_sent_again_as_a_new_attempt(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    await world.an_open_intent(ticket.id)
    world.clusters.cluster.down = True
    acknowledged = await frozen(world)
    world.clusters.cluster.down = False

    kept = await world.ledger.read(freezes.get_freeze, acknowledged.id)
    await finish_acknowledging(kept, ledger=world.ledger, clusters=world.clusters)

    [audit_id] = world.clusters.cluster.fences
    assert audit_id.endswith(".2")


async def test_a_freeze_whose_process_died_is_acknowledged_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze, "STILL_ANSWERING", timedelta(0))
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    intent = await world.an_open_intent(ticket.id)
    declared = await world.ledger.write(
        freezes.create_freeze, scope=ALL, reason="INC-7", by="commander", until=None, except_types=[]
    )

    await finish_acknowledging(declared, ledger=world.ledger, clusters=world.clusters)

    assert await status(world, intent) == "fenced"
    assert (await world.ledger.read(freezes.get_freeze, declared.id)).acknowledged_at is not None


async def test_a_rolling_update_that_goes_on_is_named(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    intent = await world.an_open_intent(ticket.id)
    live = world.clusters.cluster.objects[str(intent.request.object)]
    live |= {"spec": {"replicas": 10}, "status": {"replicas": 10, "updatedReplicas": 3, "readyReplicas": 9}}

    acknowledged = await frozen(world)

    [item] = acknowledged.settling
    assert "3 of 10" in item["message"]


async def test_only_a_commander_freezes_and_lifts(world: World) -> None:
    held = await frozen(world)

    for account in ("ci", "approver", "approver2", "sre", "auditor"):
        with pytest.raises(AccessDenied):
            await freeze.lift(held.id, "", actor(account), ledger=world.ledger, delivery=world.delivery)


async def test_lifting_ends_it_once(world: World) -> None:
    held = await frozen(world)
    commander = actor("commander")

    lifted = await freeze.lift(held.id, "over", commander, ledger=world.ledger, delivery=world.delivery)

    assert lifted.lifted_by == "commander"
    assert await freeze.list_freezes(world.ledger) == []
    with pytest.raises(Conflict):
        await freeze.lift(held.id, "", commander, ledger=world.ledger, delivery=world.delivery)
    with pytest.raises(NotFound):
        await freeze.lift("frz-none", "", commander, ledger=world.ledger, delivery=world.delivery)


async def test_a_freeze_that_would_hold_nothing_is_refused(world: World) -> None:
    past = await world.ledger.read(now) - timedelta(seconds=1)

    with pytest.raises(InvalidRequest, match="staging, production"):
        await frozen(world, scope=Scope(environment="prod"))
    with pytest.raises(InvalidRequest, match="future"):
        await frozen(world, until=past)

    assert await freeze.list_freezes(world.ledger, active_only=False) == []


async def test_a_freeze_ends_by_itself_and_that_is_recorded(world: World) -> None:
    held = await frozen(world, until=await world.ledger.read(now) + timedelta(milliseconds=300))

    ended = asyncio.Event()
    world.delivery.nudge = ended.set  # type: ignore[method-assign]  # tells when there is news
    task = asyncio.create_task(end_freezes(ledger=world.ledger, delivery=world.delivery))
    await asyncio.wait_for(ended.wait(), 5)
    task.cancel()

    assert (await world.ledger.read(freezes.get_freeze, held.id)).lifted_at is not None
    assert await freeze.list_freezes(world.ledger) == []


async def test_no_intent_opens_after_the_freeze(world: World) -> None:
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    first = await world.an_open_intent(ticket.id)
    await frozen(world)

    request = first.request.model_copy(update={"key": "0/weight/1/Deployment/podinfo"})

    assert isinstance(await world.ledger.write(intents.open_intent, request), Refused)
    assert isinstance(await world.ledger.write(intents.open_intent, first.request), LeftOpen)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("all", ALL),
        ("service=shop", Scope(service="shop")),
        ("environment=staging , service=shop", Scope(service="shop", environment="staging")),
    ],
)
def test_a_scope_is_read(text: str, scope: Scope) -> None:
    assert parse_scope(text) == scope


@pytest.mark.parametrize(
    "text",
    [
        "",
        "everything",
        "service",
        "service=",
        "service=a,service=b",
        "team=a",
        "service=a b",
        "all,service=a",
        7,
    ],
)
def test_what_is_no_scope_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_scope(text)


def _json(patch: dict[str, list[StepView]]) -> dict[str, Any]:
    return {name: [one.model_dump(mode="json") for one in values] for name, values in patch.items()}


async def test_an_order_whose_answer_was_never_given_is_acknowledged_when_it_comes_again(
    world: World,
) -> None:
    order = FreezeOrder(scope=ALL, reason="INC-7", key="inc-7")
    ticket = await world.a_ticket(phase=Phase.EXECUTING)
    intent = await world.an_open_intent(ticket.id)
    told: dict[str, Any] = {"scope": ALL, "reason": "INC-7", "by": "commander", "until": None}
    asked = {**told, "except_types": [], "key": "inc-7", "content": order.content}
    made, _ = await world.ledger.write(freezes.create_freeze_once, **asked)

    again = await freeze.create(
        order,
        actor("commander"),
        ledger=world.ledger,
        clusters=world.clusters,
        settings=world.settings,
        delivery=world.delivery,
    )

    assert (again.created, again.freeze.id, again.freeze.in_doubt) == (False, made.id, [])
    assert await status(world, intent) == "fenced"


async def test_a_repeated_order_is_answered_when_its_end_has_passed(world: World) -> None:
    end = await world.ledger.read(now) + timedelta(seconds=30)
    first = await frozen(world, until=end, key="k")
    ended = update(schema.freezes).values(until=schema.freezes.c.created_at - 1)
    await world.ledger.write(lambda db: db.execute(ended))
    await world.ledger.write(freezes.expire_freezes)

    again = await frozen(world, until=end, key="k")

    assert (again.id, first.lifted_at) == (first.id, None)
    assert again.lifted_at is not None
