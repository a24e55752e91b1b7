"""Fence what is in doubt: move the object's version, so that a late request gets 409; then close its intent.

A create has no object to be fenced. It is over when its server-side timeout is, which is the intent's
deadline by the ledger's clock; then the object is either there, and can be fenced, or will never be.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from activities.doors import Door
from holdpoint.clients.cluster import Cluster
from holdpoint.ledger import intents
from holdpoint.models.activity_calls import RolloutCall
from holdpoint.models.errors import NotFound, PermanentError, UpstreamUnavailable
from holdpoint.models.record import AlreadyClosed, Intent, IntentRequest, LeftOpen, ObjectRef, Refused
from holdpoint.models.redact import redact

LOOKS = 120
"""Half seconds for which a create that is in doubt is waited for; its budget is a quarter of that."""

MARGIN = 6
"""Half seconds past the deadline after which the API server surely has given up."""


@dataclass(frozen=True)
class Fence:
    """Fences for one run, under the identity that undoes."""

    door: Door
    ledger: Any
    cluster: Cluster
    call: RolloutCall

    async def close(self, left: Iterable[Intent]) -> list[Intent]:
        """Fence intents and close them; return the creates that may still land."""
        waiting = []
        for intent in left:
            try:
                await self.move(intent.request.object, key=f"fence/{intent.audit_id}")
            except NotFound:
                # An apply creates what is not there, also when it names a version.
                if intent.request.verb == "apply":
                    waiting.append(intent)
                    continue
            await self.ledger.write(intents.fence_intent, intent.id, by=self.call.run)
        return waiting

    async def outwait(self, creates: Iterable[Intent]) -> list[ObjectRef]:
        """Wait until these creates can no longer land, close them, and return the objects that did come."""
        came = []
        for create in creates:
            over = 0
            for _ in range(LOOKS):
                if await self.cluster.read(create.request.object) is not None:
                    came.append(create.request.object)
                    await self.close([create])
                    break
                now = await self.ledger.read(intents.get_intent, create.id)
                if now.status != "open":
                    break
                if now.in_doubt and (over := over + 1) > MARGIN:
                    await self.ledger.write(
                        intents.fence_intent, create.id, by="the API server's request timeout"
                    )
                    break
                await asyncio.sleep(0.5)
            else:
                raise UpstreamUnavailable(f"The create of {create.request.object} is still in doubt.")
        return came

    async def move(self, ref: ObjectRef, *, key: str) -> None:
        """Write an annotation, which moves the version. Raises NotFound when there is no object."""
        live = await self.cluster.read(ref)
        if live is None:
            raise NotFound(f"Cluster object {ref} does not exist, so it cannot be fenced.")
        request = self._request(ref, key, live["metadata"].get("resourceVersion"))
        outcome = await self.door.open(request)
        if isinstance(outcome, LeftOpen):
            outcome = await self.door.retry(outcome.intent, request)
        if isinstance(outcome, AlreadyClosed):
            return
        if isinstance(outcome, LeftOpen | Refused):
            raise UpstreamUnavailable(f"The ledger did not let {ref} be fenced; asking again.")
        try:
            receipt = await self.cluster.fence(ref, intent=outcome.intent)
        except PermanentError as refusal:
            answer = {"code": refusal.code, "message": redact(refusal.message)}
            await asyncio.shield(self.door.close(outcome.intent, "refused", answer))
            raise
        result = receipt.model_dump(mode="json", exclude={"object"})
        await asyncio.shield(self.door.close(outcome.intent, "done", result))

    def _request(self, ref: ObjectRef, key: str, version: str | None) -> IntentRequest:
        call = self.call
        return IntentRequest(
            ticket=call.ticket,
            target=call.target,
            run=call.run,
            key=key,
            direction="undo",
            verb="fence",
            object=ref,
            resource_version=version,
            service=call.service,
            environment=call.environment,
            change_type=call.type,
        )
