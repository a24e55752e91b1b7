"""Intents for an undo while the ledger is down: minted here, recorded later (design decision 5).

Their IDs are computed, so that the API server's audit log names them all the same.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.beat import Pulse, attempt
from activities.doors import Answer, Door
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.record import EntryDraft, Intent, IntentRequest, Opened, OpenOutcome

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
        if not self.down:
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._door.open(request)
            except (UpstreamUnavailable, TimeoutError):
                self.down = True
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

    async def retry(self, intent: Intent, request: IntentRequest) -> OpenOutcome:
        """Open a new attempt."""
        if not self.down:
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._door.retry(intent, request)
            except (UpstreamUnavailable, TimeoutError):
                self.down = True
        return await self.open(request)

    async def close(self, intent: Intent, status: Answer, result: dict[str, Any]) -> None:
        """Record the answer; an intent of the ledger whose answer it cannot take is deferred as a whole."""
        if not self.down and not intent.deferred:
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._door.close(intent, status, result)
            except (UpstreamUnavailable, TimeoutError):
                self.down = True
        self._keep(intent.model_copy(update={"status": status, "result": result, "deferred": True}), None)
        return None

    async def observed(self, request: IntentRequest, result: dict[str, Any]) -> None:
        """Record that the world is as wanted; what the ledger has open it will be asked about again."""
        if not self.down:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._door.observed(request, result)
            except (UpstreamUnavailable, TimeoutError):
                self.down = True

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
