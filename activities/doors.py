"""Where a rollout's intents are opened and closed."""

from typing import Any, Literal, Protocol

from holdpoint.ledger import intents
from holdpoint.ledger.store import Ledger
from holdpoint.models.record import Intent, IntentRequest, OpenOutcome

Answer = Literal["done", "refused"]


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


def _base(key: str) -> str:
    """Return a key without the number of its repetition."""
    return key.partition("#")[0]
