"""No request without an intent: the loop that every request of an `http` step goes through.

Open an intent; send the request within its budget; close it with the answer. Where no answer came it stays
open, "in doubt", and is sent again with the same idempotency key: there is no world to look at. An answer
that may pass (5xx, 429, no connection) is followed by another attempt, within the step's time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from activities.exchanges import (
    KIND,
    Exchange,
    answered_well,
    body_of,
    doubtful,
    expected,
    idempotency_key,
    outgoing,
)
from activities.intents import Stopped, refusal
from holdpoint.clients.http_peers import Peers
from holdpoint.clients.http_wire import Answer, NoAnswer, NotSent
from holdpoint.ledger.canonical import digest_of
from holdpoint.ledger.doors import Door
from holdpoint.models.activity_calls import RolloutCall
from holdpoint.models.errors import PermanentError, UpstreamUnavailable
from holdpoint.models.http_step import HttpRequest
from holdpoint.models.record import AlreadyClosed, Direction, Intent, IntentRequest, LeftOpen, Opened, Refused
from holdpoint.models.redact import redact

ATTEMPT = 30.0
"""Seconds of one attempt, from before its intent opens: so long it may be in doubt under a freeze."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two attempts, doubled each time, where the server names no pause."""

NOT_NOW = frozenset({408, 425, 429})
"""Statuses that say that nothing was done, and that the same request may be sent again."""


class RequestFailed(PermanentError):
    """The server did not say within the step's time that the request was done."""

    code = "request_failed"


class Meaning(Enum):
    """What a status says of a request."""

    DONE = "done"
    OTHERWISE = "otherwise"
    AGAIN = "again"
    IN_DOUBT = "in_doubt"
    REFUSED = "refused"


def meaning_of(status: int, request: HttpRequest, *, doubt: bool) -> Meaning:
    """Return what a status says. `doubt` is whether an earlier attempt may have been carried out."""
    if request.expects(status):
        return Meaning.DONE
    if status < 400:
        return Meaning.OTHERWISE
    if status in NOT_NOW:
        return Meaning.AGAIN
    # A repeated request meets the first, which is worked on (draft-ietf-httpapi-idempotency-key-header).
    if status >= 500 or (status == 409 and doubt):
        return Meaning.IN_DOUBT
    return Meaning.REFUSED


@dataclass
class _Tries:
    """What is known between two attempts; times are monotonic."""

    ends: float
    doubt: bool = False
    number: int = 0

    def next_pause(self, asked: float | None) -> float:
        pause, self.number = FIRST_PAUSE * 2**self.number, self.number + 1
        return max(asked, FIRST_PAUSE) if asked is not None else min(pause, LONGEST_PAUSE)


@dataclass(frozen=True)
class _No:
    """An attempt that may be followed by another, after `pause` seconds if the server named them."""

    message: str
    pause: float | None = None


@dataclass(frozen=True)
class Requests:
    """Sends the requests of one rollout run, in one direction."""

    door: Door
    peers: Peers
    call: RolloutCall
    direction: Direction
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def settle(self, exchange: Exchange, *, patience: float) -> bool:
        """Have the request answered as expected, within `patience` seconds; return whether it was sent now.

        Raises Stopped when nothing may be sent, RequestFailed when it was refused or not answered in time,
        StepConfig when the settings do not allow it, and what the ledger raises.
        """
        tries = _Tries(ends=time.monotonic() + patience)
        while True:
            started = time.monotonic()
            wanted = self._intent(exchange, budget=max(1.0, min(ATTEMPT, tries.ends - started)))
            opened = await self._open(wanted, tries)
            if isinstance(opened, AlreadyClosed):
                _hold_done(opened.intent)
                return False
            no = await self._attempt(exchange, opened.intent, tries, started)
            if no is None:
                return True
            pause = tries.next_pause(no.pause)
            if time.monotonic() + pause >= tries.ends:
                raise RequestFailed(f"{no.message} It was tried for {patience:g} s.")
            await self.pause(pause)

    async def _open(self, wanted: IntentRequest, tries: _Tries) -> Opened | AlreadyClosed:
        """Open the intent, or a new attempt of it; note whether an earlier one may have been carried out."""
        outcome = await self.door.open(wanted)
        if isinstance(outcome, LeftOpen):
            tries.doubt = tries.doubt or doubtful(outcome.intent)
            outcome = await self.door.retry(outcome.intent, wanted)
        if isinstance(outcome, Refused):
            raise Stopped(refusal(outcome))
        if isinstance(outcome, LeftOpen):
            raise UpstreamUnavailable(f"The ledger did not let {wanted.object} be sent; asking again.")
        return outcome

    async def _attempt(self, exchange: Exchange, intent: Intent, tries: _Tries, started: float) -> _No | None:
        """Send it once; return None when it was done. Raises RequestFailed when it never will be."""
        key = self._key(exchange)
        sent = outgoing(exchange, self.direction, key=key, intent=intent.audit_id)
        budget = intent.request.budget - (time.monotonic() - started)
        try:
            answer = await self.peers.send(sent, budget=budget)
        except NoAnswer as error:
            tries.doubt = True
            return _No(error.message)
        except (NotSent, PermanentError) as error:
            result = {"code": error.code, "message": redact(error.message)[:2000], "doubt": tries.doubt}
            await self._close(intent, "refused", result)
            if isinstance(error, PermanentError):
                raise
            return _No(error.message)
        return await self._heard(exchange, intent, tries, answer)

    async def _heard(self, exchange: Exchange, intent: Intent, tries: _Tries, answer: Answer) -> _No | None:
        """Close the attempt with its answer, and return what that means."""
        request = exchange.request(self.direction)
        meaning = meaning_of(answer.status, request, doubt=tries.doubt)
        tries.doubt = tries.doubt or meaning is Meaning.IN_DOUBT
        result = {**_evidence(answer), "idempotency_key": self._key(exchange)}
        message = _told(request, intent, answer)
        if meaning in (Meaning.DONE, Meaning.OTHERWISE):
            well = meaning is Meaning.DONE
            said = {} if well else {"message": message}
            await self._close(intent, "done", {**result, **said, "expected": well})
            if not well:
                raise RequestFailed(message)
            return None
        await self._close(intent, "refused", {**result, "message": message, "doubt": tries.doubt})
        if meaning is Meaning.REFUSED:
            raise RequestFailed(message)
        return _No(message, answer.retry_after)

    async def _close(self, intent: Intent, status: Any, result: dict[str, Any]) -> None:
        # An answer that is there must not be lost to a cancellation.
        await asyncio.shield(self.door.close(intent, status, result))

    def _key(self, exchange: Exchange) -> str:
        return idempotency_key(self.call.ticket, exchange.index, self.direction)

    def _intent(self, exchange: Exchange, *, budget: float) -> IntentRequest:
        call, request = self.call, exchange.request(self.direction)
        body = body_of(request)
        prefix = "undo/" if self.direction == "undo" else ""
        return IntentRequest(
            ticket=call.ticket,
            target=call.target,
            run=call.run,
            key=f"{prefix}{KIND}/{exchange.index}",
            direction=self.direction,
            verb="request",
            object=exchange.ref(self.direction),
            resource_version=None,
            body=None if body is None else digest_of(body),
            service=call.service,
            environment=call.environment,
            change_type=call.type,
            budget=budget,
        )


def _hold_done(intent: Intent) -> None:
    """Hold that a request which was answered before was answered as expected. Raises RequestFailed."""
    if not answered_well(intent):
        said = (intent.result or {}).get("message") or f"{intent.request.object} was answered otherwise."
        raise RequestFailed(f"{said} It is not sent again.")


def _evidence(answer: Answer) -> dict[str, Any]:
    return {
        "status": answer.status,
        "digest": answer.digest,
        "size": answer.size,
        "whole": answer.whole,
        "address": answer.address,
    }


def _told(request: HttpRequest, intent: Intent, answer: Answer) -> str:
    said = f": {answer.said.rstrip('.')}" if answer.said else ""
    moved = " Redirects are not followed." if 300 <= answer.status < 400 else ""
    return (
        f"{intent.request.object} was answered {answer.status}, expected is {expected(request)}{said}.{moved}"
    )
