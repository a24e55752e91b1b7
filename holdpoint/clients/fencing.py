"""Fence what is in doubt: after it, no late request of ours can change the object (design decision 2).

A fence is a metadata write by the undo identity, under an intent of its own. It moves the object's
resourceVersion, so that a request which still waits somewhere gets 409. Only then is the attempt in doubt
closed as `fenced`. Where there is no object, an apply could still create it: where an admission policy is
installed, it is told to deny that (`admission.py`); elsewhere it is over when the API server has given up,
which is told by the ledger's clock. So is what goes to no cluster at all.

A freeze (in the API process) and an undo, a change of holder and the end of a rollout (in the worker) all
fence here. They differ in the door, which may defer, in the cause, and in how long they wait for a create.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from holdpoint.clients.admission import Undoing, denials, in_force, parameter_of
from holdpoint.clients.cluster import Cluster, Receipt
from holdpoint.ledger.doors import MARGIN, Door
from holdpoint.models.errors import NotFound, PermanentError, UpstreamUnavailable
from holdpoint.models.record import ELSEWHERE, AlreadyClosed, Intent, IntentRequest, LeftOpen, Opened
from holdpoint.models.redact import redact

LOOK_EVERY = 0.2
"""Seconds between two looks at a create that is in doubt."""

ATTEMPTS = 5
"""Attempts of one intent that are fenced in a row.

More than two are not expected: who fences has shut the ledger's door on new ones before.
"""

OUTWAIT = 60.0
"""Seconds for which a create is waited out: its budget and the margin are a third of that."""


class StillInDoubt(UpstreamUnavailable):
    """A create may still land; `detail["until"]` is when it surely will not any more."""


class _Send(Protocol):
    """One write by the undo identity, under its own intent and within `budget` seconds."""

    async def __call__(self, cluster: Cluster, own: Intent, budget: float) -> Receipt:
        """Send it once."""


@dataclass(frozen=True)
class Fencing:
    """Fences for one `cause`, a freeze or a run; `budget` is in seconds, for one fence."""

    door: Door
    clusters: Undoing
    cause: str
    budget: float = 15.0

    async def close(self, intent: Intent, *, patience: float) -> Intent:
        """Fence an open forward intent, close what was fenced, and return it as it is then.

        Safe to repeat. Raises StillInDoubt for a create that could still land after `patience` seconds, and
        what the cluster or the ledger raises.
        """
        seen = await self.door.look(intent)
        for _ in range(ATTEMPTS):
            if seen.status != "open":
                return seen
            by = await self._stopped(seen, patience)
            seen = await (self.door.look(seen) if by is None else self.door.fenced(seen, by))
        raise UpstreamUnavailable(f"{intent.request.object} is written again and again while it is fenced.")

    async def close_now(self, intents: Iterable[Intent]) -> list[Intent]:
        """Fence and close intents; return the creates that may still land."""
        waiting = []
        for intent in intents:
            try:
                await self.close(intent, patience=0)
            except StillInDoubt:
                waiting.append(intent)
        return waiting

    async def outwait(self, creates: Iterable[Intent]) -> None:
        """Wait until these creates can no longer land, and close them. What did come is fenced."""
        for create in creates:
            await self.close(create, patience=OUTWAIT)

    async def move(self, request: IntentRequest) -> str:
        """Move an object's version under an intent, and return that intent's ID.

        What was moved for the same key before is not moved again. Raises NotFound when there is no object.
        """

        async def touch(cluster: Cluster, own: Intent, budget: float) -> Receipt:
            return await cluster.fence(request.object, intent=own, budget=budget)

        return await self._carry_out(request, touch)

    async def _carry_out(self, request: IntentRequest, send: _Send) -> str:
        """Send one write under an intent of its own, unless that is done; return the intent's ID."""
        started = time.monotonic()
        outcome = await self.door.open(request)
        if isinstance(outcome, LeftOpen):
            outcome = await self.door.retry(outcome.intent, request)
        if isinstance(outcome, AlreadyClosed):
            return outcome.intent.id
        if not isinstance(outcome, Opened):
            raise UpstreamUnavailable(f"The ledger did not let {request.object} be fenced; asking again.")
        own, left = outcome.intent, request.budget - (time.monotonic() - started)
        cluster = self.clusters.undo(request.object.cluster)
        try:
            receipt = await send(cluster, own, left)
        except PermanentError as refusal:
            answer = {"code": refusal.code, "message": redact(refusal.message)}
            await asyncio.shield(self.door.close(own, "refused", answer))
            raise
        result = receipt.model_dump(mode="json", exclude={"object"})
        await asyncio.shield(self.door.close(own, "done", result))
        return own.id

    async def _stopped(self, intent: Intent, patience: float) -> str | None:
        """Return what stopped the attempt: the fence's own intent, or the cause where time did.

        None means that it was answered meanwhile.
        """
        ends = time.monotonic() + patience
        absent = intent.request.resource_version is None
        while True:
            over = await self.door.over(intent)
            by = await self._moved(intent, look=absent)
            if by is not None or over:
                return by or self.cause
            absent = True
            if time.monotonic() >= ends:
                raise _still(intent)
            await asyncio.sleep(LOOK_EVERY)
            seen = await self.door.look(intent)
            if seen.status != "open" or seen.attempt != intent.attempt:
                return None

    async def _moved(self, intent: Intent, *, look: bool) -> str | None:
        """Fence the object, looking first where it may be absent; None when an apply could still create it.

        A create carries a version that no object has, so that what exists is safe from it, too, once moved.
        """
        request = intent.request
        if request.verb in ELSEWHERE:
            return None  # no cluster sees it: it is over when its time is
        if look and await self.clusters.undo(request.object.cluster).read(request.object) is None:
            by = await self._denied(intent)
            if by is None or await self.clusters.undo(request.object.cluster).read(request.object) is None:
                return by
        try:
            return await self.move(self._fence_of(intent))
        except NotFound:
            # Nothing is there to be deleted or patched. But an apply creates what is not there.
            return self.cause if request.verb != "apply" else await self._denied(intent)

    async def _denied(self, intent: Intent) -> str | None:
        """Have the API server deny the create, where it has the policy for that; None where it does not."""
        name = intent.request.object.cluster
        if intent.request.verb != "apply" or not self.clusters.denies_creates(name):
            return None
        entries = await denials(self.clusters.undo(name), intent)

        async def deny(cluster: Cluster, own: Intent, budget: float) -> Receipt:
            return await cluster.set_data(parameter_of(name), entries, intent=own, budget=budget)

        request = self._fence_of(intent)
        changes = {"key": f"{request.key}/create", "object": parameter_of(name), "resource_version": None}
        by = await self._carry_out(request.model_copy(update=changes), deny)
        return by if await in_force(self.clusters.forward(name), intent) else None

    def _fence_of(self, intent: Intent) -> IntentRequest:
        # Each attempt of the intent has its own fence: an earlier one does not stop a later attempt.
        changes = {
            "key": f"fence/{intent.audit_id}/{self.cause}",
            "direction": "undo",
            "verb": "fence",
            "body": None,
            "budget": self.budget,
        }
        return intent.request.model_copy(update=changes)


def _still(intent: Intent) -> StillInDoubt:
    until = intent.deadline + MARGIN
    if intent.request.verb in ELSEWHERE:
        return StillInDoubt(
            f"{intent.request.object} lies in no cluster, so a {intent.request.verb} to it cannot be fenced. "
            f"It is in doubt until {until.isoformat(timespec='seconds')}, when it has been given up.",
            until=until,
        )
    return StillInDoubt(
        f"{intent.request.object} does not exist, and a create cannot be fenced. "
        f"It is in doubt until {until.isoformat(timespec='seconds')}, when the API server has given up.",
        until=until,
    )
