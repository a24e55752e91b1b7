"""Where intents are opened and closed: by a rollout, and by whoever fences what a rollout left in doubt."""

from datetime import timedelta
from typing import Any, Literal, Protocol

from holdpoint.ledger import intents
from holdpoint.ledger.clock import now
from holdpoint.ledger.store import Ledger
from holdpoint.models.record import Intent, IntentRequest, OpenOutcome

Answer = Literal["done", "refused"]

MARGIN = timedelta(seconds=5)
"""Every write asks the API server to give up by the intent's deadline; this much later it surely has."""


class Door(Protocol):
    """Where intents are opened and closed: the ledger, or its stand-in for an undo while it is down."""

    async def open(self, request: IntentRequest) -> OpenOutcome:
        """Open an intent."""

    async def retry(self, intent: Intent, request: IntentRequest) -> OpenOutcome:
        """Open a new attempt of an intent that is not done."""

    async def close(self, intent: Intent, status: Answer, result: dict[str, Any]) -> None:
        """Record the answer to one attempt."""

    async def observed(self, request: IntentRequest, result: dict[str, Any]) -> None:
        """Record that the world is as wanted, if an attempt is open."""

    async def in_doubt(self, target: str) -> list[Intent]:
        """Return the open forward intents of a target, as far as they can be known."""

    async def look(self, intent: Intent) -> Intent:
        """Return the intent as it is now."""

    async def over(self, intent: Intent) -> bool:
        """Tell whether the request of the last attempt can be under way no longer, by the ledger's clock."""

    async def fenced(self, intent: Intent, by: str) -> Intent:
        """Close this attempt as fenced, if it is still the last and open; return the intent as it is then."""


class LedgerDoor:
    """Opens and closes intents in the ledger. Raises UpstreamUnavailable while it is down."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def open(self, request: IntentRequest) -> OpenOutcome:
        """Open an intent."""
        return await self._ledger.write(intents.open_intent, request)

    async def retry(self, intent: Intent, request: IntentRequest) -> OpenOutcome:
        """Open a new attempt of an intent that is not done."""
        version, budget = request.resource_version, request.budget
        return await self._ledger.write(intents.retry_intent, intent.id, version, budget)

    async def close(self, intent: Intent, status: Answer, result: dict[str, Any]) -> None:
        """Record the answer to one attempt."""
        await self._ledger.write(
            intents.close_intent, intent.id, status=status, result=result, attempt=intent.attempt
        )

    async def observed(self, request: IntentRequest, result: dict[str, Any]) -> None:
        """Record that the world is as wanted, if an attempt is open."""
        left = await self._ledger.read(
            intents.open_intents, target=request.target, direction=request.direction
        )
        for intent in left:
            if intent.request.run == request.run and _base(intent.request.key) == _base(request.key):
                await self._ledger.write(intents.close_intent, intent.id, status="done", result=result)

    async def in_doubt(self, target: str) -> list[Intent]:
        """Return the open forward intents of a target."""
        return await self._ledger.read(intents.open_intents, target=target)

    async def look(self, intent: Intent) -> Intent:
        """Return the intent as it is now."""
        return await self._ledger.read(intents.get_intent, intent.id)

    async def over(self, intent: Intent) -> bool:
        """Tell whether the intent's deadline has passed, with a margin."""
        return await self._ledger.read(now) >= intent.deadline + MARGIN

    async def fenced(self, intent: Intent, by: str) -> Intent:
        """Close this attempt as fenced, if it is still the last and open."""
        return await self._ledger.write(intents.fence_intent, intent.id, by=by, attempt=intent.attempt)


def _base(key: str) -> str:
    """Return a key without the number of its repetition."""
    return key.partition("#")[0]
