"""Freeze: declare it in the ledger, fence what is on its way, then acknowledge (design decision 3).

After the acknowledgement the API server commits no forward write of ours to an existing object in scope. This
needs the ledger and the clusters, never Temporal; waking the tickets that now wait is only latency.
"""

import hashlib
import time
from datetime import datetime, timedelta
from typing import Any

from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import freezes, intents
from holdpoint.ledger.clock import now
from holdpoint.ledger.store import Ledger
from holdpoint.models.base import Instant, Model
from holdpoint.models.change import ChangeType
from holdpoint.models.errors import InvalidRequest
from holdpoint.models.record import ROLLBACK_TYPE, Freeze, Intent, Scope
from holdpoint.models.settings import Settings
from holdpoint.service.outbox import Delivery
from holdpoint.service.roles import Actor, Permission, require
from holdpoint.service.standstill import InFlight, in_flight, settling, stand_still, stopped_by
from holdpoint.service.submit import check_key

STILL_ANSWERING = timedelta(seconds=20)
"""A freeze that is younger may still be in the hands of the request that made it."""


class FreezeOrder(Model):
    """What a commander asks for. With a key, asking again is the same freeze."""

    scope: Scope
    reason: str
    until: Instant | None = None
    except_types: list[ChangeType] = []
    include_rollbacks: bool = False
    key: str | None = None

    @property
    def excepts(self) -> list[str]:
        """Return the types that go on: a rollback after success does, unless the order says otherwise."""
        return [*self.except_types, *([] if self.include_rollbacks else [ROLLBACK_TYPE])]

    @property
    def content(self) -> str:
        """Return the digest of what is asked for, the key aside."""
        return "sha256:" + hashlib.sha256(self.model_dump_json(exclude={"key"}).encode()).hexdigest()


class Acknowledgement(Model):
    """The answer to a freeze: that it holds, how long that took, and what it could not stop.

    `lifted_at` is set where an order was repeated whose freeze has ended since.
    """

    id: str
    scope: str
    reason: str
    created_at: Instant
    until: Instant | None
    ack_ms: int
    in_flight: list[InFlight]
    in_doubt: list[dict[str, Any]]
    settling: list[dict[str, Any]]
    lifted_at: Instant | None = None


class Declared(Model):
    """The acknowledgement, and whether this order made the freeze."""

    freeze: Acknowledgement
    created: bool


class FreezeView(Model):
    """One freeze as listed. `acknowledged_at` is None while something in its scope is still in doubt."""

    id: str
    scope: str
    reason: str
    by: str
    created_at: Instant
    until: Instant | None
    except_types: list[str]
    acknowledged_at: Instant | None
    in_doubt: list[dict[str, Any]]
    lifted_at: Instant | None
    lifted_by: str | None


async def create(
    order: FreezeOrder,
    actor: Actor,
    *,
    ledger: Ledger,
    clusters: Clusters,
    settings: Settings,
    delivery: Delivery,
) -> Declared:
    """Freeze, and return when it holds.

    Raises AccessDenied, InvalidRequest, Conflict (another order has this key) and UpstreamUnavailable (the
    ledger).
    """
    require(actor, Permission.FREEZE)
    started = time.monotonic()
    if order.key is not None:
        check_key(order.key)
        earlier = await ledger.read(freezes.made_by, key=order.key, content=order.content)
        if earlier is not None:  # before the rest is checked: its end may have passed meanwhile
            return await _again(earlier, started=started, ledger=ledger, clusters=clusters)
    await _check(order, ledger=ledger, settings=settings)
    freeze, created = await _declare(order, actor, ledger=ledger)
    delivery.nudge()
    if not created:
        return await _again(freeze, started=started, ledger=ledger, clusters=clusters)
    told = await acknowledge(freeze, started=started, ledger=ledger, clusters=clusters)
    return Declared(freeze=told, created=True)


async def _declare(order: FreezeOrder, actor: Actor, *, ledger: Ledger) -> tuple[Freeze, bool]:
    asked: dict[str, Any] = {"scope": order.scope, "reason": order.reason, "by": actor.account}
    asked |= {"until": order.until, "except_types": order.excepts}
    if order.key is None:
        return await ledger.write(freezes.create_freeze, **asked), True
    return await ledger.write(freezes.create_freeze_once, key=order.key, content=order.content, **asked)


async def _again(freeze: Freeze, *, started: float, ledger: Ledger, clusters: Clusters) -> Declared:
    """Answer a repeated order as the first was, or would have been had it not been cut short."""
    if freeze.facts is None and freeze.lifted_at is None:
        told = await acknowledge(freeze, started=started, ledger=ledger, clusters=clusters)
    else:
        nothing = {"ack_ms": 0, "in_flight": [], "in_doubt": [], "settling": []}
        facts = {name: (freeze.facts or {}).get(name, none) for name, none in nothing.items()}
        told = Acknowledgement(**_head(freeze), **facts, lifted_at=freeze.lifted_at)
    return Declared(freeze=told, created=False)


async def acknowledge(
    freeze: Freeze, *, started: float, ledger: Ledger, clusters: Clusters
) -> Acknowledgement:
    """Fence what is open in scope, record what that came to, and return it. `started` is monotonic."""
    left = await stand_still(freeze, ledger=ledger, clusters=clusters)
    ack_ms = round((time.monotonic() - started) * 1000)
    moving = await in_flight(freeze, ledger=ledger)
    facts = Acknowledgement(
        **_head(freeze),
        ack_ms=ack_ms,
        in_flight=moving,
        in_doubt=[doubt.model_dump() for doubt in left],
        settling=await settling(moving, ledger=ledger, clusters=clusters),
    )
    recorded = facts.model_dump(mode="json", include={"ack_ms", "in_flight", "in_doubt", "settling"})
    await ledger.write(freezes.acknowledge_freeze, freeze.id, recorded)
    return facts


async def finish_acknowledging(freeze: Freeze, *, ledger: Ledger, clusters: Clusters) -> None:
    """Try again to fence what a freeze left in doubt, and record it when nothing is left.

    A freeze without facts is one whose process died before it was acknowledged: that is made up for.
    """
    if freeze.facts is None:
        if await ledger.read(now) > freeze.created_at + STILL_ANSWERING:
            await acknowledge(freeze, started=time.monotonic(), ledger=ledger, clusters=clusters)
    elif not await stand_still(freeze, ledger=ledger, clusters=clusters):
        await ledger.write(freezes.acknowledge_freeze, freeze.id, {**freeze.facts, "in_doubt": []})


async def list_freezes(ledger: Ledger, *, active_only: bool = True) -> list[FreezeView]:
    """Return the freezes, oldest first, each with what is in doubt in its scope now."""
    found = await ledger.read(freezes.list_freezes, active_only=active_only)
    open_now = await ledger.read(intents.open_intents)
    return [_view(freeze, open_now) for freeze in found]


async def lift(
    freeze_id: str, reason: str, actor: Actor, *, ledger: Ledger, delivery: Delivery
) -> FreezeView:
    """End a freeze and wake who waited for it. Raises NotFound, Conflict and AccessDenied."""
    require(actor, Permission.FREEZE)
    lifted = await ledger.write(freezes.lift_freeze, freeze_id, by=actor.account, reason=reason)
    delivery.nudge()
    return _view(lifted, [])


async def _check(order: FreezeOrder, *, ledger: Ledger, settings: Settings) -> None:
    """Refuse a freeze that would hold nothing: its author would believe that it does."""
    environment = order.scope.environment
    if environment is not None and environment not in settings.environments:
        allowed = ", ".join(settings.environments)
        raise _invalid("scope", f"environment={environment}", f"one of: {allowed}")
    if order.until is not None and order.until <= await ledger.read(now):
        raise _invalid("until", _rfc3339(order.until), "a moment in the future")


def _invalid(field: str, found: str, allowed: str) -> InvalidRequest:
    message = f"{field} is {found}; allowed is {allowed}."
    return InvalidRequest(
        message, mistakes=[{"field": field, "found": found, "allowed": allowed, "message": message}]
    )


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _head(freeze: Freeze) -> dict[str, Any]:
    return {
        "id": freeze.id,
        "scope": str(freeze.scope),
        "reason": freeze.reason,
        "created_at": freeze.created_at,
        "until": freeze.until,
    }


def _view(freeze: Freeze, open_now: list[Intent]) -> FreezeView:
    left = stopped_by(freeze, open_now) if freeze.lifted_at is None else []
    in_doubt = [
        {"intent": intent.id, "ticket": intent.request.ticket, "object": str(intent.request.object)}
        for intent in left
    ]
    return FreezeView(
        **_head(freeze),
        by=freeze.by,
        except_types=freeze.except_types,
        acknowledged_at=freeze.acknowledged_at,
        in_doubt=in_doubt,
        lifted_at=freeze.lifted_at,
        lifted_by=freeze.lifted_by,
    )
