"""An undo returns exactly to the snapshot, leaves strangers' work alone, and needs no ledger."""

import asyncio
import dataclasses
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities import beat
from activities import intents as room
from activities import undo as undoing
from activities.beat import beating
from holdpoint.ledger import entries
from holdpoint.models.record import Record
from tests.activities.world import BETTER, GOOD, World, deployment, secret, service, until

PROBE = {"httpGet": {"path": "/healthz", "port": 8080}, "initialDelaySeconds": 5}


async def test_undo_restores_changed_added_and_removed_fields(world: World) -> None:
    old = deployment(replicas=1, COLOUR="blue", GONE="1")
    new = deployment(replicas=2, image=BETTER, COLOUR="red", EXTRA="1")
    new["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = PROBE
    new["spec"]["template"]["metadata"]["annotations"] = {"added": "yes"}
    new["spec"]["minReadySeconds"] = 1
    await world.deploy("chg-1", old, service())
    before = await world.live(), await world.live(kind="Service")
    await world.submit("chg-2", new, service(port=81), steps=[{"apply": {}}])
    await world.begin()
    assert (await world.finish_step()).status == "done"

    undone = await world.undo()
    compared = await world.compare()

    assert (undone.complete, undone.message) == (True, "")
    assert (compared.result, compared.differences) == ("restored", [])
    after = await world.live(), await world.live(kind="Service")
    assert [body["spec"] for body in after] == [body["spec"] for body in before]
    assert after[0]["spec"]["template"]["spec"]["containers"][0]["image"] == GOOD


async def test_undo_restores_a_secret_that_was_stated_as_string_data(world: World) -> None:
    await world.deploy("chg-1", secret(password="old", gone="1"))
    before = await world.live(kind="Secret")
    await world.submit("chg-2", secret(password="new", extra="1"), steps=[{"apply": {}}])
    await world.begin()
    assert (await world.finish_step()).status == "done"

    await world.undo()
    compared = await world.compare()

    assert (compared.result, compared.differences) == ("restored", [])
    assert (await world.live(kind="Secret"))["data"] == before["data"]


async def test_undo_in_mid_canary_restores_replicas_and_removes_the_canary(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=4))
    await world.submit("chg-2", deployment(replicas=4, image=BETTER))
    await world.begin()
    await world.weight(0)
    assert (await world.live())["spec"]["replicas"] == 3

    await world.undo()
    compared = await world.compare()

    assert compared.result == "restored"
    assert (await world.live())["status"]["readyReplicas"] == 4
    assert await world.read("shop-canary") is None


async def test_undo_is_repeated_without_writing_again(world: World) -> None:
    await world.deploy("chg-1", service())
    await world.submit("chg-2", service(port=81), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()
    await world.undo()

    assert await world.undone_again() == (True, [])


async def test_freeze_does_not_stop_an_undo(world: World) -> None:
    await world.submit("chg-1", service(), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()
    world.freeze()

    await world.undo()

    assert await world.read(kind="Service") is None


async def test_foreign_edit_is_left_alone_and_reported_as_diverged(world: World) -> None:
    await world.deploy("chg-1", deployment(replicas=1), service())
    await world.submit("chg-2", deployment(replicas=1, image=BETTER), service(port=81), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()
    world.sandbox.edit(world.path(), {"spec": {"replicas": 2}, "metadata": {"labels": {"hand": "made"}}})

    await world.undo()
    compared = await world.compare()

    assert compared.result == "diverged"
    assert sorted(compared.differences) == [
        'Deployment/shop: metadata.labels: (none) -> {"hand":"made"}',
        "Deployment/shop: spec.replicas: 1 -> 2",
    ]
    assert (await world.live())["spec"]["template"]["spec"]["containers"][0]["image"] == GOOD
    assert (await world.live(kind="Service"))["spec"]["ports"][0]["port"] == 80


async def test_object_that_a_stranger_deleted_or_made_is_reported(world: World) -> None:
    await world.deploy("chg-1", service())
    await world.submit("chg-2", service(port=81), service("extra"), steps=[{"apply": {}}])
    await world.begin()
    world.create(service("extra"), manager="stranger")
    world.sandbox.ask("DELETE", world.path(kind="Service"))

    await world.undo()
    compared = await world.compare()

    assert compared.result == "diverged"
    assert compared.differences == [
        "Service/shop: (object): present -> (none)",
        "Service/extra: (object): (none) -> present",
    ]


async def test_comparison_before_the_undo_is_partial(world: World) -> None:
    await world.deploy("chg-1", service())
    await world.submit("chg-2", service(port=81), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()

    compared = await world.compare()

    assert compared.result == "partial"
    assert any("spec.ports" in line and "81" in line for line in compared.differences)


async def test_undo_while_the_ledger_is_down_is_recorded_later(world: World) -> None:
    await world.deploy("chg-1", service())
    await world.submit("chg-2", service(port=81), service("extra"), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()

    async with world.without_ledger():
        undone = await world.undo()
    world.ledger.write_now(entries.append, Record(ticket=world.ticket, entries=undone.deferred))
    compared = await world.compare()

    assert undone.complete, undone.message
    assert compared.result == "restored"
    assert {intent.deferred for intent in world.intents("undo")} == {True}
    assert {intent.status for intent in world.intents("undo")} == {"done"}
    ours = {i.audit_id for d in ("forward", "undo") for i in world.intents(d)}
    mine = {line["auditID"] for line in world.writes()[-len(world.intents("undo")) :]}
    assert mine <= ours


async def test_write_in_doubt_is_fenced_before_the_undo(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "BUDGET", 4.0)
    await world.deploy("chg-1", service())
    await world.submit("chg-2", service(port=81), service("extra"), steps=[{"apply": {}}])
    await world.begin()
    world.sandbox.steer(
        "fail", part="kubernetes", mode="slow", user="holdpoint-forward", delay=1.5, **{"for": 6}
    )
    writing = asyncio.create_task(world.finish_step())
    await until(lambda: world.open_forward())
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    undone = await world.undo()
    compared = await world.compare()
    world.sandbox.slow(0, seconds=0)

    assert undone.complete
    assert compared.result == "restored"
    assert [i.status for i in world.intents()] == ["fenced"]
    assert (await world.live(kind="Service"))["spec"]["ports"][0]["port"] == 80


async def test_deferred_intents_of_an_attempt_that_died_are_not_lost(world: World) -> None:
    await world.deploy("chg-1", service())
    await world.submit("chg-2", service(port=81), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()
    beats: list[tuple[object, ...]] = []
    first = ActivityEnvironment()
    first.on_heartbeat = lambda *details: beats.append(details)
    async with world.without_ledger():
        await first.run(world.undo)
    second = ActivityEnvironment()
    second.info = dataclasses.replace(second.info, heartbeat_details=beats[-1], attempt=2)

    undone = await second.run(world.undo)

    recorded = {draft.body["id"]: draft.body["status"] for draft in undone.deferred}
    assert undone.complete
    assert set(recorded.values()) == {"done"}
    sent = {line["auditID"].partition(".")[0] for line in world.writes()[-len(recorded) :]}
    assert sent <= set(recorded)


async def test_what_an_attempt_left_goes_on_with_the_beats_of_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beat, "EVERY", 0.0)
    heard: asyncio.Queue[tuple[object, ...]] = asyncio.Queue()
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, heartbeat_details=[["unrecorded"]], attempt=2)
    environment.on_heartbeat = lambda *details: heard.put_nowait(details)

    async def until_heard() -> tuple[object, ...]:
        async with beating():
            return await heard.get()

    assert await environment.run(until_heard) == (["unrecorded"],)


async def test_create_that_lands_after_an_undo_without_ledger_is_found_by_the_comparison(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "BUDGET", 4.0)
    await world.submit("chg-1", service(), steps=[{"apply": {}}])
    await world.begin()
    world.sandbox.slow(2, seconds=2)
    writing = asyncio.create_task(world.finish_step())
    await until(lambda: world.open_forward())
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    async with world.without_ledger():
        await world.undo()

    first = await world.compare()
    await world.undo()
    second = await world.compare()

    assert first.result == "partial"
    assert second.result == "restored"
    assert await world.read(kind="Service") is None


async def test_under_a_full_quota_the_canary_makes_room_for_what_is_restored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing, "REFUSED_PATIENCE", 1.0)
    await world.deploy("chg-1", deployment(replicas=4))
    await world.submit("chg-2", deployment(replicas=4, image=BETTER))
    await world.begin()
    await world.weight(0)
    place = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
    few = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "4"}}}
    world.sandbox.ask("POST", place, token="forward", json=few).raise_for_status()

    undone = await asyncio.wait_for(world.undo(), 30)
    compared = await world.compare()

    assert undone.complete
    assert "exceeded quota: few" in undone.message
    assert (compared.result, compared.differences) == ("restored", [])
    assert await world.read("shop-canary") is None


async def test_everything_is_sent_back_before_any_of_it_is_waited_for(world: World) -> None:
    names, old = ("shop", "cart", "mail"), "registry.example/slow:1"
    await world.deploy("chg-1", *(deployment(name, replicas=1, image=old) for name in names))
    await world.submit(
        "chg-2", *(deployment(name, replicas=1, image=BETTER) for name in names), steps=[{"apply": {}}]
    )
    await world.begin()
    assert (await world.finish_step()).status == "done"
    world.sandbox.steer("behave", image=old, never_ready=True)

    undo = asyncio.create_task(world.undo())
    async with asyncio.timeout(20):
        for name in names:
            while image_of(await world.live(name)) != old:  # noqa: ASYNC110  # as said below
                # The activity tells nobody how far it is.
                await asyncio.sleep(0.1)
    world.sandbox.steer("behave", image=old)

    assert (await undo).complete


def image_of(body: dict[str, Any]) -> str:
    return str(body["spec"]["template"]["spec"]["containers"][0]["image"])
