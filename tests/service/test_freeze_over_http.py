"""The freeze's promise against a cluster over real HTTP: a write held past the acknowledgement gets 409."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import freezes, intents
from holdpoint.models.errors import Conflict
from holdpoint.models.record import Intent
from holdpoint.models.settings import ClusterSettings
from holdpoint.service.freeze import finish_acknowledging
from tests.sandbox.process import Sandbox, a_deployment, path_of, wait_for
from tests.service.freezing import an_open_intent, frozen
from tests.service.world import World, a_world

HELD = 2.0
"""Seconds that the sandbox holds a forward write between its receipt and its commit."""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    running = Sandbox(tmp_path)
    assert running.apply(a_deployment("podinfo", image="podinfo:1")).status_code == 201
    running.deployed(path_of(a_deployment("podinfo")))
    yield running
    running.stop()


@pytest.fixture
async def world(tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[World]:
    tokens = tmp_path / "sandbox" / "tokens"
    settings = ClusterSettings(
        server=f"http://127.0.0.1:{sandbox.port}",
        prometheus=f"http://127.0.0.1:{sandbox.port}/prometheus",
        forward_token_file=tokens / "forward.token",
        undo_token_file=tokens / "undo.token",
    )
    async with a_world(tmp_path) as made:
        made.clusters = Clusters({"sandbox": settings})
        yield made
        await made.clusters.close()


async def an_intent_to_write(world: World, sandbox: Sandbox) -> Intent:
    """Return an open intent on the Deployment as it is now."""
    live = sandbox.get(path_of(a_deployment("podinfo")))
    version = live["metadata"]["resourceVersion"]
    return await an_open_intent(world, namespace="default", name="podinfo", version=version)


def writes(sandbox: Sandbox, user: str) -> list[dict[str, Any]]:
    """Return the mutating requests of a user in the cluster's own log."""
    return [
        line
        for line in sandbox.audit()
        if line["verb"] in ("patch", "create", "update", "delete") and line["user"]["username"] == user
    ]


async def test_a_write_held_past_the_acknowledgement_is_answered_409(world: World, sandbox: Sandbox) -> None:
    intent = await an_intent_to_write(world, sandbox)
    sandbox.steer("fail", part="kubernetes", mode="slow", lasts=30, delay=HELD, user="holdpoint-forward")
    forward = world.clusters.forward("sandbox")
    manifest = a_deployment("podinfo", image="podinfo:2")
    late = asyncio.create_task(forward.apply(manifest, intent=intent, budget=10.0))
    await asyncio.sleep(0.3)  # until it lies in the sandbox, which tells nobody

    acknowledged = await frozen(world)

    assert not late.done()
    assert acknowledged.in_doubt == []
    assert acknowledged.ack_ms < HELD * 1000
    with pytest.raises(Conflict):
        await late
    assert (await world.ledger.read(intents.get_intent, intent.id)).status == "fenced"
    live = sandbox.get(path_of(manifest))
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "podinfo:1"
    [refused] = [line for line in writes(sandbox, "holdpoint-forward") if line["auditID"] == intent.audit_id]
    assert refused["responseStatus"]["code"] == 409


async def test_every_fence_in_the_clusters_log_names_an_intent(world: World, sandbox: Sandbox) -> None:
    intent = await an_intent_to_write(world, sandbox)

    await frozen(world)

    known = {one.audit_id for one in await world.ledger.read(intents.intents_of, intent.request.ticket)}
    fences = writes(sandbox, "holdpoint-undo")
    assert len(fences) == 1
    assert {line["auditID"] for line in fences} <= known


async def test_a_freeze_while_the_cluster_is_away_is_completed_when_it_answers(
    world: World, sandbox: Sandbox
) -> None:
    intent = await an_intent_to_write(world, sandbox)
    sandbox.kill()

    acknowledged = await frozen(world)
    assert [doubt["intent"] for doubt in acknowledged.in_doubt] == [intent.id]

    await asyncio.to_thread(sandbox.start)
    kept = await world.ledger.read(freezes.get_freeze, acknowledged.id)
    await finish_acknowledging(kept, ledger=world.ledger, clusters=world.clusters)

    assert (await world.ledger.read(intents.get_intent, intent.id)).status == "fenced"
    assert (await world.ledger.read(freezes.get_freeze, acknowledged.id)).acknowledged_at is not None


async def test_a_rolling_update_under_way_is_named_as_settling(world: World, sandbox: Sandbox) -> None:
    intent = await an_intent_to_write(world, sandbox)
    sandbox.steer("behave", image="podinfo:3", never_ready=True)
    manifest = a_deployment("podinfo", image="podinfo:3")
    await world.clusters.forward("sandbox").apply(manifest, intent=intent, budget=10.0, force=True)
    await world.ledger.write(intents.close_intent, intent.id, status="done", result={}, attempt=1)
    await asyncio.to_thread(wait_for, lambda: sandbox.get(path_of(manifest))["status"].get("updatedReplicas"))

    acknowledged = await frozen(world)

    [item] = acknowledged.settling
    assert item["object"] == "sandbox/default/Deployment/podinfo"
