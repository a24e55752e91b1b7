"""What a freeze finds on its way: open intents to fence, tickets in flight, rolling updates."""

import asyncio
from typing import Any

from holdpoint.clients.fencing import Fencing
from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import intents, tickets
from holdpoint.ledger.doors import LedgerDoor
from holdpoint.ledger.store import Ledger
from holdpoint.models.base import Model
from holdpoint.models.errors import HoldpointError
from holdpoint.models.phases import Phase
from holdpoint.models.record import Freeze, Intent, ObjectRef
from holdpoint.models.ticket import StepStatus, TicketView

FENCES_AT_ONCE = 16
BUDGET = 5.0
"""Seconds for one fence. A healthy API server takes milliseconds; a freeze must not wait for one that is
down."""
A_MOMENT = 0.5
"""Seconds in which a create that is under way may be answered before it counts as in doubt."""
LONGEST = 8.0
"""Seconds until a freeze is acknowledged whatever the clusters do; what is not fenced by then is in doubt."""
LOOK = 2.0
"""Seconds for looking at what still settles: it is information, the freeze holds already."""
MOVING = (Phase.EXECUTING, Phase.VERIFYING, Phase.ROLLING_BACK)
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds whose controllers go on by themselves after the write that changed them."""


class InFlight(Model):
    """A ticket that has begun to change its target."""

    ticket: str
    title: str
    service: str
    environment: str
    phase: Phase
    step: str | None
    weight: float | None


class InDoubt(Model):
    """An intent whose late request could still land, for the reason in `message`."""

    intent: str
    ticket: str
    object: str
    message: str


async def stand_still(freeze: Freeze, *, ledger: Ledger, clusters: Clusters) -> list[InDoubt]:
    """Fence every open forward intent that the freeze stops; return those that are still in doubt."""
    found = stopped_by(freeze, await ledger.read(intents.open_intents))
    return await fence_all(found, cause=freeze.id, ledger=ledger, clusters=clusters)


async def fence_all(found: list[Intent], *, cause: str, ledger: Ledger, clusters: Clusters) -> list[InDoubt]:
    """Fence these open intents; return those that are still in doubt after a few seconds."""
    fencing = Fencing(LedgerDoor(ledger), clusters, cause=cause, budget=BUDGET)
    gate = asyncio.Semaphore(FENCES_AT_ONCE)

    async def one(intent: Intent) -> InDoubt | None:
        async with gate:
            try:
                await fencing.close(intent, patience=A_MOMENT)
            except HoldpointError as error:
                return _in_doubt(intent, error.message)
            return None

    tasks = {asyncio.create_task(one(intent)): intent for intent in found}
    if not tasks:
        return []
    done, late = await asyncio.wait(tasks, timeout=LONGEST)
    for task in late:
        task.cancel()
    too_late = f"It could not be fenced within {LONGEST:g} s; it is tried again until it is."
    left = [task.result() for task in done] + [_in_doubt(tasks[task], too_late) for task in late]
    return sorted((one for one in left if one is not None), key=lambda one: one.intent)


def stopped_by(freeze: Freeze, found: list[Intent]) -> list[Intent]:
    """Return those of the open forward intents that the freeze stops. None can open after it."""
    return [
        intent
        for intent in found
        if freeze.stops(
            service=intent.request.service,
            environment=intent.request.environment,
            change_type=intent.request.change_type,
        )
    ]


async def in_flight(freeze: Freeze, *, ledger: Ledger) -> list[InFlight]:
    """Return the tickets in scope that have begun to change something and are not closed."""
    views = await ledger.read(tickets.in_phases, MOVING)
    return [
        _moving(view)
        for view in views
        if freeze.stops(service=view.service, environment=view.environment, change_type=view.freeze_type)
    ]


async def settling(moving: list[InFlight], *, ledger: Ledger, clusters: Clusters) -> list[dict[str, Any]]:
    """Return the rolling updates of these tickets that their controllers still carry on."""
    objects = await ledger.read(intents.objects_of, [ticket.ticket for ticket in moving])
    ordered = sorted((ref for ref in objects if ref.kind in WORKLOADS), key=str)
    try:
        async with asyncio.timeout(LOOK):
            seen = await asyncio.gather(*(_look(ref, clusters=clusters) for ref in ordered))
    except TimeoutError:
        return [{"object": str(ref), "message": "its cluster does not answer"} for ref in ordered]
    return [{"object": str(ref), "message": text} for ref, text in zip(ordered, seen, strict=True) if text]


async def _look(ref: ObjectRef, *, clusters: Clusters) -> str:
    """Return what the object's controller still does, empty if it is done."""
    try:
        found = await clusters.undo(ref.cluster).read(ref)
    except HoldpointError as error:
        return error.message
    if found is None:
        return ""
    spec, status = found.get("spec", {}), found.get("status", {})
    wanted = spec.get("replicas", status.get("desiredNumberScheduled", 1))
    updated = status.get("updatedReplicas", status.get("updatedNumberScheduled", 0))
    ready = status.get("readyReplicas", status.get("numberReady", 0))
    observed = status.get("observedGeneration", 0) >= found.get("metadata", {}).get("generation", 0)
    if observed and updated >= wanted and ready >= wanted and status.get("replicas", wanted) <= wanted:
        return ""
    return f"{updated} of {wanted} replicas updated, {ready} ready"


def _moving(view: TicketView) -> InFlight:
    active = (StepStatus.RUNNING, StepStatus.HELD)
    steps = [step for one in view.targets for step in one.steps] or view.steps
    step = next((step for step in steps if step.status in active), None)
    return InFlight(
        ticket=view.id,
        title=view.title,
        service=view.service,
        environment=view.environment,
        phase=view.phase,
        step=step.name if step else None,
        weight=step.weight if step else None,
    )


def _in_doubt(intent: Intent, message: str) -> InDoubt:
    request = intent.request
    return InDoubt(intent=intent.id, ticket=request.ticket, object=str(request.object), message=message)
