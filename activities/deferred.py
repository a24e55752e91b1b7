"""Intents for an undo while the ledger is down: minted here, recorded later (design decision 5).

Their IDs are computed, so that the API server's audit log names them all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from activities.beat import Pulse, attempt
from holdpoint.ledger.doors import Answer, Door
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.record import EntryDraft, Intent, IntentRequest, Opened, OpenOutcome

T = TypeVar("T")

ATTEMPTS_APART = 1000
"""Deferred attempts are numbered from here on, so that none has the number of one that the ledger knows."""

PATIENCE = 4.0
"""Seconds for the ledger to answer an undo: production waits meanwhile, the record can follow."""


class DeferringDoor:
    """The ledger's door; once the ledger did not answer, everything after is deferred."""

    def __init__(self, door: Door, pulse: Pulse, drafts: list[EntryDraft]) -> None:
        self._door, self._pulse = door, pulse
        self._drafts = {draft.key: draft for draft in drafts}
        self._minted: set[str] = set()
        self.down = bool(drafts)

    @property
    def drafts(self) -> list[EntryDraft]:
        """Return what must be recorded later, each attempt with the last that is known of it."""
        return list(self._drafts.values())

    async def open(self, request: IntentRequest) -> OpenOutcome:
        """Open an intent in the ledger, or mint one."""
        return await self._asked(lambda: self._door.open(request)) or self._mint(request)

    async def retry(self, intent: Intent, request: IntentRequest) -> OpenOutcome:
        """Open a new attempt."""
        return await self._asked(lambda: self._door.retry(intent, request)) or self._mint(request)

    async def close(self, intent: Intent, status: Answer, result: dict[str, Any]) -> None:
        """Record the answer; an intent of the ledger whose answer it cannot take is deferred as a whole."""
        if not intent.deferred:
            await self._asked(lambda: self._door.close(intent, status, result))
        if self.down:
            changes = {"status": status, "result": result, "deferred": True}
            self._keep(intent.model_copy(update=changes), None)

    async def observed(self, request: IntentRequest, result: dict[str, Any]) -> None:
        """Record that the world is as wanted; what the ledger has open it will be asked about again."""
        await self._asked(lambda: self._door.observed(request, result))

    async def in_doubt(self, target: str) -> list[Intent]:
        """Return what is in doubt; without the ledger nobody knows."""
        return await self._asked(lambda: self._door.in_doubt(target)) or []

    async def look(self, intent: Intent) -> Intent:
        """Return the intent as it is now, or as it was last known."""
        return await self._asked(lambda: self._door.look(intent)) or intent

    async def over(self, intent: Intent) -> bool:
        """Tell whether it is over; nothing is by a clock that cannot be read."""
        return await self._asked(lambda: self._door.over(intent)) or False

    async def fenced(self, intent: Intent, by: str) -> Intent:
        """Close an attempt as fenced; without the ledger it stays open there, and is fenced again later."""
        unrecorded = intent.model_copy(update={"status": "fenced"})
        return await self._asked(lambda: self._door.fenced(intent, by)) or unrecorded

    async def _asked(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """Return the ledger's answer, or None while it is down."""
        if self.down:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                return await question()
        except (UpstreamUnavailable, TimeoutError):
            self.down = True
            return None

    def _mint(self, request: IntentRequest) -> Opened:
        number = ATTEMPTS_APART * attempt() + len(self._drafts)
        now = datetime.now(UTC)
        intent = Intent(
            id=request.id,
            request=request,
            attempt=number,
            status="open",
            opened_seq=0,
            deadline=now + timedelta(seconds=request.budget),
            deferred=True,
        )
        self._keep(intent, now)
        return Opened(intent=intent)

    def _keep(self, intent: Intent, at: datetime | None) -> None:
        """Keep a draft, and have it in the next beat before anything is sent."""
        key = f"intent.deferred/{intent.audit_id}"
        draft = EntryDraft(
            key=key,
            kind="intent.deferred",
            actor=intent.request.run,
            at=at or datetime.now(UTC),
            body=intent.model_dump(mode="json"),
        )
        self._drafts[key] = draft
        self._pulse.details = ([draft.model_dump(mode="json") for draft in self._drafts.values()],)
        self._pulse.beat()
