"""No mutation without an intent: the one loop that every write of a rollout goes through.

Look at the world; if something is missing, open an intent on what was seen; send it within its budget;
close it with the answer. Without an answer it stays open, "in doubt", and whoever comes next looks at the
world first. A version that moved meanwhile (controllers write status all the time) and a 429 mean: it did not
land, so look again, and make a new attempt. The API server tells then whether what the write depends on is
still as it was: a field that somebody else has taken meanwhile is a conflict, and nothing is overwritten.
"""

import asyncio
import math
import time
from typing import Any

import rfc8785

from activities.ownership import moved_by_status
from activities.writes import Body, Elsewhere, Write
from holdpoint.clients.cluster import INTENT_ANNOTATION, Cluster, Receipt
from holdpoint.ledger.canonical import digest_of
from holdpoint.ledger.doors import Door
from holdpoint.models.activity_calls import RolloutCall, StepOutcome
from holdpoint.models.errors import (
    Conflict,
    NotFound,
    PermanentError,
    StepConfig,
    UpstreamRateLimited,
    UpstreamUnavailable,
)
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

PATIENCE = BUDGET
"""Seconds for which a write is tried again from its first "no" on, each time as a new attempt.

A rollout of a hundred pods writes status some ten times a second, and an API server that is overloaded
names its pause in seconds.
"""

AFTER_CONFLICT = 0.1
"""Seconds to wait after a version that moved: controllers write in bursts."""

AFTER_RATE_LIMIT = 1.0
"""Seconds to wait when the API server asked for a pause without naming one."""

REPEATS = 50
"""How often one request may be wanted again in one rollout after it was done, because somebody undid it."""


Live = dict[str, Any] | None
"""An object as it is now; None where there is none."""


class Stopped(Exception):
    """The step cannot go on now, and that is an answer: a freeze holds it, or another run has the target."""

    def __init__(self, outcome: StepOutcome) -> None:
        super().__init__(outcome.status)
        self.outcome = outcome


class Writer:
    """Carries out the writes of one rollout run on one cluster, in one direction."""

    def __init__(self, door: Door, cluster: Cluster, call: RolloutCall, direction: Direction) -> None:
        self._door, self._cluster, self._call, self._direction = door, cluster, call, direction

    async def settle(self, write: Write, *, once: bool = False) -> bool:
        """Bring the world to what the write wants; return whether anything was sent.

        With `once` nothing is sent again after it was done, whatever has become of it: StepConfig is raised.
        Raises Stopped when nothing may be sent, a PermanentError when it was refused for good, and
        UpstreamUnavailable or UpstreamRateLimited when it did not come to an end: the caller asks again.
        """
        number, since = 0, math.inf
        refused: tuple[Body, Live] | None = None
        while number <= REPEATS:
            started = time.monotonic()
            try:
                live = await (write.look() if isinstance(write, Elsewhere) else self._cluster.read(write.ref))
                body = await self._missing(write, live, refused)
            except UpstreamRateLimited as busy:
                since = min(since, started)
                await _pause(write, busy, since)
                continue
            request = self._request(write, live, body, number)
            if body is None:
                await self._door.observed(request, _seen(live))
                return False
            outcome = await self._opened(request, live)
            if isinstance(outcome, AlreadyClosed):
                if once:
                    raise StepConfig(
                        f"{write.ref.kind} {write.ref.name} was made and is gone; not made again."
                    )
                number += 1
            elif isinstance(outcome, Refused):
                raise Stopped(refusal(outcome))
            elif outcome is not None:
                no = await self._send(write, body, outcome.intent, started)
                if no is None:
                    return True
                since, refused = min(since, started), (body, live)
                await _pause(write, no, since)
        raise UpstreamUnavailable(f"Cluster object {write.ref} is undone again and again by somebody else.")

    async def _missing(self, write: Write, live: Live, refused: tuple[Body, Live] | None) -> Body | None:
        """Return what must be sent.

        Where a refused attempt met no more than a new status, what it was to send is missing still: its dry
        run is not made again.
        """
        if refused is not None and live is not None and moved_by_status(refused[1], live):
            return refused[0]
        return await write.missing(self._cluster, live)

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
            # The first create may still land until its deadline, also after a second one was undone.
            await asyncio.sleep(0.5)
            return None
        again = await self._door.retry(left, request)
        return None if isinstance(again, LeftOpen) else again

    async def _send(
        self, write: Write, body: Body, intent: Intent, started: float
    ) -> Conflict | NotFound | UpstreamRateLimited | None:
        """Send one attempt; return None when it landed, and else the "no" that was to this attempt only.

        A version that moved is one; so is a request that the API server would not take now.
        """
        budget = intent.request.budget - (time.monotonic() - started)
        try:
            receipt = await write.send(self._cluster, body, intent, budget)
        except (PermanentError, UpstreamRateLimited) as refusal:
            await asyncio.shield(self._door.close(intent, "refused", _answer(refusal)))
            if isinstance(refusal, Conflict | UpstreamRateLimited):
                return refusal
            if write.verb == "delete" and isinstance(refusal, NotFound):
                return refusal
            raise
        # An answer that is there must not be lost to a cancellation.
        await asyncio.shield(self._door.close(intent, "done", _result(receipt)))
        return None

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


async def _pause(write: Write, no: Conflict | NotFound | UpstreamRateLimited, since: float) -> None:
    """Wait before the next attempt; raise when that would be too long after the first."""
    pause = AFTER_CONFLICT
    if isinstance(no, UpstreamRateLimited):
        pause = AFTER_RATE_LIMIT if no.retry_after is None else no.retry_after
    if time.monotonic() + pause - since > PATIENCE:
        if isinstance(no, UpstreamRateLimited):
            raise no
        raise UpstreamUnavailable(f"Cluster object {write.ref} keeps changing; it was not written.") from no
    await asyncio.sleep(pause)


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


def refusal(refused: Refused) -> StepOutcome:
    """Return why nothing may be sent, as the outcome of a step."""
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


def _answer(refusal: PermanentError | UpstreamRateLimited) -> dict[str, Any]:
    return {
        "code": refusal.code,
        "message": redact(refusal.message)[:2000],
        "status": refusal.detail.get("status"),
    }
