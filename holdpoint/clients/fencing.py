"""Fence what is in doubt: after it, no late request of ours can change the object (design decision 2).

A fence is a metadata write by the undo identity, under an intent of its own. It moves the object's
resourceVersion, so that a request which still waits somewhere gets 409. Only then is the intent in doubt
closed as `fenced`.
"""

import asyncio
from datetime import timedelta
from typing import Literal

from holdpoint.clients.cluster import Cluster
from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import intents
from holdpoint.ledger.clock import now
from holdpoint.ledger.store import Ledger
from holdpoint.models.base import Model
from holdpoint.models.errors import HoldpointError, NotFound, TransientError
from holdpoint.models.record import AlreadyClosed, Intent, IntentRequest, LeftOpen, Opened, OpenOutcome

BUDGET = 5.0
"""Seconds for one fence. A healthy API server takes milliseconds; a freeze must not wait for one that is
down."""
MARGIN = timedelta(seconds=5)
"""Every write asks the API server to give up by the intent's deadline; this much later it surely has."""
LOOKS, LOOK_EVERY = 5, 0.1
"""How often, and seconds apart, a create is given the chance to be answered before it counts as in doubt."""


class Fence(Model):
    """What came of one intent. `in_doubt`: a late request could still land, for the reason in `message`."""

    intent: str
    ticket: str
    object: str
    outcome: Literal["closed", "fenced", "in_doubt"]
    message: str = ""


async def fence(
    intent: Intent, *, cause: str, ledger: Ledger, clusters: Clusters, budget: float = BUDGET
) -> Fence:
    """Fence one open forward intent because of `cause` (a freeze or a run).

    Safe to repeat; never raises ours.
    """
    try:
        seen = await _seen(intent, ledger=ledger)
        if seen.status != "open":
            return _result(seen, "closed", f"It was {seen.status} in time.")
        by = await _fence_object(seen, cause=cause, ledger=ledger, clusters=clusters, budget=budget)
        closed = await ledger.write(intents.fence_intent, intent.id, by=by)
        return _result(closed, "fenced" if closed.status == "fenced" else "closed")
    except HoldpointError as error:
        return _result(intent, "in_doubt", error.message)


async def _seen(intent: Intent, *, ledger: Ledger) -> Intent:
    """Return the intent as it is now; a create, which cannot be fenced, gets a moment to be answered."""
    seen = await ledger.read(intents.get_intent, intent.id)
    for _ in range(LOOKS):
        if seen.status != "open" or seen.request.resource_version is not None or seen.in_doubt:
            break
        await asyncio.sleep(LOOK_EVERY)
        seen = await ledger.read(intents.get_intent, intent.id)
    return seen


async def _fence_object(
    intent: Intent, *, cause: str, ledger: Ledger, clusters: Clusters, budget: float
) -> str:
    """Return what fenced the intent: the ID of the fence's own intent, or the cause where time did."""
    request = intent.request
    if request.resource_version is None:
        await _wait_out(intent, ledger=ledger)
        return cause
    try:
        return await _write(
            _fence_request(intent, cause, budget),
            cluster=clusters.undo(request.object.cluster),
            ledger=ledger,
        )
    except NotFound:
        # Nothing is there to be deleted twice. But an apply that names a version creates what is not there.
        if request.verb != "delete":
            await _wait_out(intent, ledger=ledger)
        return cause


async def _write(request: IntentRequest, *, cluster: Cluster, ledger: Ledger) -> str:
    """Send the fence under its own intent and return that intent's ID."""
    outcome: OpenOutcome = await ledger.write(intents.open_intent, request)
    if isinstance(outcome, LeftOpen):
        outcome = await ledger.write(
            intents.retry_intent, request.id, request.resource_version, request.budget
        )
    if isinstance(outcome, AlreadyClosed):
        return outcome.intent.id
    if not isinstance(outcome, Opened):
        raise TransientError(f"The fence was not allowed: {getattr(outcome, 'message', outcome.outcome)}")
    own = outcome.intent
    try:
        receipt = await cluster.fence(request.object, intent=own, budget=request.budget)
    except TransientError:
        raise  # unknown whether it landed; the intent stays open and the next fence tries again
    except HoldpointError as error:
        result = {"code": error.code, "message": error.message}
        await ledger.write(intents.close_intent, own.id, status="refused", result=result, attempt=own.attempt)
        raise
    await ledger.write(
        intents.close_intent,
        own.id,
        status="done",
        result=receipt.model_dump(mode="json"),
        attempt=own.attempt,
    )
    return own.id


async def _wait_out(intent: Intent, *, ledger: Ledger) -> None:
    """Return when a request on an absent object can be under way no longer.

    Raises TransientError until then.
    """
    until = intent.deadline + MARGIN
    if await ledger.read(now) < until:
        raise TransientError(
            f"{intent.request.object} does not exist, and a create cannot be fenced. "
            f"It is in doubt until {until.isoformat(timespec='seconds')}, when the API server has given up.",
            until=until,
        )


def _fence_request(intent: Intent, cause: str, budget: float) -> IntentRequest:
    # Each attempt of the intent has its own fence: an earlier one does not stop a later attempt.
    changes = {
        "key": f"fence/{intent.audit_id}/{cause}",
        "direction": "undo",
        "verb": "fence",
        "body": None,
        "budget": budget,
    }
    return intent.request.model_copy(update=changes)


def _result(intent: Intent, outcome: Literal["closed", "fenced", "in_doubt"], message: str = "") -> Fence:
    return Fence(
        intent=intent.id,
        ticket=intent.request.ticket,
        object=str(intent.request.object),
        outcome=outcome,
        message=message,
    )
