"""Tickets per second, whole life, over bare workflows with as many activities and timers."""

import asyncio
import secrets
import time
from collections import Counter
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench.bare import QUEUE, Bare, bare_worker
from bench.cases import Case, bounded, compared
from bench.installation import Installation, installed
from bench.progress import say
from holdpoint.models.contracts import rollout_workflow, ticket_workflow

AT_ONCE, ROUNDS = 40, 3
SERVICES = [f"svc-{number:03}" for number in range(AT_ONCE)]
MOST_EVENTS = 90
"""Events of ticket and rollout together: what issue 4 allows a change of one step."""


@dataclass(frozen=True)
class Shape:
    """What one ticket costs in Temporal: its events, and what of them a bare workflow is given."""

    events: int
    activities: int
    timers: int


async def measure() -> list[Case]:
    """Take lives and bare workflows in turns on one stack, and return both measures."""
    async with installed(SERVICES) as stack:
        address, namespace = stack.addresses["temporal"], stack.addresses["temporal_namespace"]
        async with bare_worker(address, namespace) as client:
            first = await _lives(stack, revision="first")
            shape = await _shape(client, stack, first.tickets[0])
            ours, bare = [], []
            for round_ in range(ROUNDS):
                ours.append((await _lives(stack, revision=("next", "first")[round_ % 2])).rate)
                bare.append(await _bares(client, shape))
                say(f"round {round_ + 1} of {ROUNDS}: {ours[-1]:.2f} tickets a second, {bare[-1]:.2f} bare")
    name = f"tickets, {AT_ONCE} at once, {shape.activities} activities and {shape.timers} timers each"
    return [
        compared(name, ours, bare, better="higher", floor=0.8, unit="1/s"),
        bounded("events of a one-step ticket and its rollout", shape.events, MOST_EVENTS, unit="events"),
    ]


@dataclass(frozen=True)
class Lives:
    """A round of whole lives."""

    tickets: list[str]
    rate: float


async def _lives(stack: Installation, *, revision: str) -> Lives:
    """Return the tickets of one round and how many a second came to their end."""
    began, run = time.monotonic(), secrets.token_hex(4)
    submits = [stack.submit(name, key=f"{run}/{name}", revision=revision) for name in SERVICES]
    tickets = list(await asyncio.gather(*submits))
    await stack.all_until(tickets, "Succeeded")
    return Lives(tickets, len(tickets) / (time.monotonic() - began))


async def _bares(client: Client, shape: Shape) -> float:
    """Return how many bare workflows of this shape a second came to their end."""
    began, run = time.monotonic(), secrets.token_hex(4)
    runs = [
        client.execute_workflow(
            Bare.run, args=[shape.activities, shape.timers], id=f"bare/{run}/{number}", task_queue=QUEUE
        )
        for number in range(AT_ONCE)
    ]
    await asyncio.gather(*runs)
    return AT_ONCE / (time.monotonic() - began)


async def _shape(client: Client, stack: Installation, ticket: str) -> Shape:
    """Return what one ticket and its rollout wrote into their histories."""
    view = await stack.show(ticket)
    count: Counter[int] = Counter()
    for workflow in (ticket_workflow(ticket), rollout_workflow(view["target"])):
        history = await client.get_workflow_handle(workflow).fetch_history()
        count.update(event.event_type for event in history.events)
    return Shape(
        events=sum(count.values()),
        activities=count[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED],
        timers=count[EventType.EVENT_TYPE_TIMER_STARTED],
    )
