"""Time from an approval to the rollout's first mutation, over a bare Update's round trip."""

import asyncio
import secrets
import sys
import time
from pathlib import Path

from temporalio.client import Client

from bench.bare import QUEUE, Waiting, bare_worker
from bench.breakdown import breakdown
from bench.cases import Case, compared
from bench.installation import Installation, installed
from bench.request_log import writes

ROUNDS = 7
SERVICES = ["payments"]


async def measure() -> list[Case]:
    """Approve changes one after the other, a bare update after each, and return both times."""
    async with installed(SERVICES) as stack:
        address, namespace = stack.addresses["temporal"], stack.addresses["temporal_namespace"]
        async with bare_worker(address, namespace) as client:
            await stack.until(await stack.submit("payments", key=secrets.token_hex(4)), "Succeeded")
            ours, bare = [], []
            for round_ in range(ROUNDS):
                ours.append(await _approval(stack, client, ("next", "first")[round_ % 2]) * 1000)
                bare.append(await _update(client) * 1000)
    return [
        compared(
            "approval to the first mutation, over a bare update",
            ours,
            bare,
            better="lower",
            floor=1.3,
            unit="ms",
        )
    ]


async def _approval(stack: Installation, client: Client, revision: str) -> float:
    """Return the seconds from sending an approval until the cluster has received the first write.

    What they went into is said on stderr.
    """
    ticket = await stack.submit(
        "payments",
        key=secrets.token_hex(4),
        environment="production",
        type="normal",
        revision=revision,
    )
    view = await stack.until(ticket, "AwaitingApproval")
    sent = time.time()
    body = {"digest": view["digest"], "reason": "measured"}
    await stack.call("POST", f"/v1/changes/{ticket}/approve", by="approver", json=body)
    await stack.until(ticket, "Succeeded")
    first = await asyncio.to_thread(_first_write, stack.data / "sandbox" / "audit.jsonl", sent)
    lines = [str(one) for one in await breakdown(client, ticket, view["target"], sent, first)]
    sys.stderr.write("\n".join([*lines, f"{(first - sent) * 1000:6.0f} ms  first write", ""]))
    return first - sent


def _first_write(log: Path, since: float) -> float:
    return min(write.received for write in writes(log, since=since))


async def _update(client: Client) -> float:
    """Return the seconds of an update's round trip to a workflow that is there."""
    waiting = await client.start_workflow(Waiting.run, id=f"bare/{secrets.token_hex(4)}", task_queue=QUEUE)
    await waiting.execute_update(Waiting.poke)  # the first one waits for the workflow's first task
    began = time.monotonic()
    await waiting.execute_update(Waiting.poke)
    spent = time.monotonic() - began
    await waiting.terminate()
    return spent
