"""No mutation without an intent: the one loop that every write of a rollout goes through.

Look at the world; if something is missing, open an intent on what was seen; send it within its budget;
close it with the answer. Without an answer it stays open, "in doubt", and whoever comes next looks at the
world first. A version that moved meanwhile (controllers write status all the time) means: look again, and
make a new attempt.
"""

import asyncio
import time
from typing import Any

import rfc8785

from activities.doors import Door
from activities.writes import Body, Write
from holdpoint.clients.cluster import INTENT_ANNOTATION, Cluster, Receipt
from holdpoint.ledger.canonical import digest_of
from holdpoint.models.activity_calls import RolloutCall, StepOutcome
from holdpoint.models.errors import Conflict, NotFound, PermanentError, UpstreamUnavailable
from holdpoint.models.record import (
    AlreadyClosed,
    Direction,
    Freeze,
    Intent,
    IntentRequest,
    LeftOpen,
    Opened,
    Refused,
)
from holdpoint.models.redact import redact
from holdpoint.models.ticket import Hold, HoldCode, Reason

BUDGET = 15.0
"""Seconds from before an intent is opened until its request must be over, here and on the server."""

ROUNDS = 25
"""Attempts against a version that moves.

A rollout of a hundred pods writes status some ten times a second.
"""

AFTER_CONFLICT = 0.1
"""Seconds to wait after a version that moved: controllers write in bursts."""

REPEATS = 50
"""How often one request may be wanted again in one rollout after it was done, because somebody undid it."""


class Stopped(Exception):
    """The step cannot go on now, and that is an answer: a freeze holds it, or another run has the target."""

    def __init__(self, outcome: StepOutcome) -> None:
        super().__init__(outcome.status)
        self.outcome = outcome


class Writer:
    """Carries out the writes of one rollout run on one cluster, in one direction."""

    def __init__(self, door: Door, cluster: Cluster, call: RolloutCall, direction: Direction) -> None:
        self._door, self._cluster, self._call, self._direction = door, cluster, call, direction
        self.sent = 0

    async def settle(self, write: Write) -> bool:
        """Bring the world to what the write wants; return whether anything was sent.

        Raises Stopped when nothing may be sent, a PermanentError when it was refused for good, and
        UpstreamUnavailable when there was no answer: the intent is then in doubt.
        """
        number, sent = 0, False
        for _ in range(ROUNDS + REPEATS):
            started = time.monotonic()
            live = await self._cluster.read(write.ref)
            body = await write.missing(self._cluster, live)
            request = self._request(write, live, body, number)
            if body is None:
                await self._door.observed(request, _seen(live))
                return sent
            outcome = await self._opened(request, live)
            if outcome is None:
                continue
            if isinstance(outcome, AlreadyClosed):
                number += 1
                continue
            if isinstance(outcome, Refused):
                raise Stopped(_refusal(outcome))
            landed = await self._send(write, body, outcome.intent, started)
            sent = sent or landed
            if not landed:
                await asyncio.sleep(AFTER_CONFLICT)
        raise UpstreamUnavailable(f"Cluster object {write.ref} keeps changing; it was not written.")

    async def _opened(self, request: IntentRequest, live: Any) -> Opened | AlreadyClosed | Refused | None:
        """Open the intent, or a new attempt of one that a dead attempt left; None means: look again."""
        outcome = await self._door.open(request)
        if not isinstance(outcome, LeftOpen):
            return outcome
        left = outcome.intent
        if (
            live is None
            and left.status == "open"
            and not left.in_doubt
            and left.request.resource_version is None
        ):
            # A create has no version to be refused by: the first one may still land until its deadline.
            await asyncio.sleep(0.5)
            return None
        again = await self._door.retry(left, request)
        return None if isinstance(again, LeftOpen) else again

    async def _send(self, write: Write, body: Body, intent: Intent, started: float) -> bool:
        """Send one attempt; return whether it landed. A version that moved is a no to this attempt only."""
        budget = intent.request.budget - (time.monotonic() - started)
        try:
            receipt = await write.send(self._cluster, body, intent, budget)
        except Conflict as refusal:
            await asyncio.shield(self._door.close(intent, "refused", _answer(refusal)))
            return False
        except PermanentError as refusal:
            await asyncio.shield(self._door.close(intent, "refused", _answer(refusal)))
            if write.verb == "delete" and isinstance(refusal, NotFound):
                return False
            raise
        self.sent += 1
        # An answer that is there must not be lost to a cancellation.
        await asyncio.shield(self._door.close(intent, "done", _result(receipt)))
        return True

    def _request(
        self, write: Write, live: dict[str, Any] | None, body: Body | None, number: int
    ) -> IntentRequest:
        call = self._call
        sent = None if body is None or write.verb == "delete" else digest_of(rfc8785.dumps(body.manifest))
        return IntentRequest(
            ticket=call.ticket,
            target=call.target,
            run=call.run,
            key=f"{write.key}#{number}" if number else write.key,
            direction=self._direction,
            verb=write.verb,
            object=write.ref,
            resource_version=None if live is None else live["metadata"].get("resourceVersion"),
            body=sent,
            service=call.service,
            environment=call.environment,
            change_type=call.type,
            budget=BUDGET,
        )


def hold_of(freeze: Freeze) -> Hold:
    """Return a freeze as the hold that it places."""
    return Hold(
        code=HoldCode.FROZEN,
        message=f"Frozen ({freeze.scope}) by {freeze.by}: {freeze.reason}",
        by=freeze.by,
        since=freeze.created_at,
        until=freeze.until,
        lift=f"holdpoint freeze lift {freeze.id}",
        ref=freeze.id,
    )


def _refusal(refused: Refused) -> StepOutcome:
    if refused.code == "frozen":
        return StepOutcome(status="held", holds=[hold_of(freeze) for freeze in refused.freezes])
    return StepOutcome(status="lost", reason=Reason(code="target_lost", message=refused.message))


def _seen(live: dict[str, Any] | None) -> dict[str, Any]:
    """Return what an observation says: the world is as wanted, and which attempt's mark is on it."""
    meta = (live or {}).get("metadata") or {}
    return {
        "observed": True,
        "exists": live is not None,
        "resource_version": meta.get("resourceVersion"),
        "landed": (meta.get("annotations") or {}).get(INTENT_ANNOTATION),
    }


def _result(receipt: Receipt) -> dict[str, Any]:
    return receipt.model_dump(mode="json", exclude={"object"})


def _answer(refusal: PermanentError) -> dict[str, Any]:
    return {
        "code": refusal.code,
        "message": redact(refusal.message)[:2000],
        "status": refusal.detail.get("status"),
    }
