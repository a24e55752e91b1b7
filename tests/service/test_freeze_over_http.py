"""The freeze's promise against a cluster over real HTTP: a write held past the acknowledgement gets 409."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import freezes, intents, targets
from holdpoint.models.errors import Conflict
from holdpoint.models.phases import Phase
from holdpoint.models.record import Intent, IntentRequest, ObjectRef, Opened, Scope
from holdpoint.models.settings import ClusterSettings
from holdpoint.service import freeze
from holdpoint.service.freeze import Acknowledgement, FreezeOrder, finish_acknowledging
from tests.sandbox.process import Sandbox, a_deployment, path_of, wait_for
from tests.service.world import RUN, TARGET, World, a_world, actor

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
    ticket = (await world.a_ticket(phase=Phase.EXECUTING)).id
    await world.ledger.write(targets.take_target, target=TARGET, ticket=ticket, run=RUN, rollout={})
    live = sandbox.get(path_of(a_deployment("podinfo")))
    ref = ObjectRef(
        cluster="sandbox", api_version="apps/v1", kind="Deployment", namespace="default", name="podinfo"
    )
    request = IntentRequest(
        ticket=ticket,
        target=TARGET,
        run=RUN,
        key="0/weight/0/Deployment/podinfo",
        direction="forward",
        verb="apply",
        object=ref,
        resource_version=live["metadata"]["resourceVersion"],
        service="podinfo",
        environment="staging",
        change_type="standard",
    )
    outcome = await world.ledger.write(intents.open_intent, request)
    assert isinstance(outcome, Opened)
    return outcome.intent


async def frozen(world: World) -> Acknowledgement:
    return await freeze.create(
        FreezeOrder(scope=Scope(service="podinfo"), reason="INC-7"),
        actor("commander"),
        ledger=world.ledger,
        clusters=world.clusters,
        settings=world.settings,
        delivery=world.delivery,
    )


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
