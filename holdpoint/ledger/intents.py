"""Intents: no mutating request goes out unless it was announced here first.

Opening one is a single transaction: freezes and holder are checked at the head's epoch, and the entry is
written by compare-and-set on that epoch. Deadlines are the database's; past it an open intent is in doubt,
and time alone never closes it. Only an answer, an observation or a fence does.
"""

import json
from collections.abc import Collection
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, select, update

from holdpoint.ledger import entries, freezes, head, intent_rows, schema, targets
from holdpoint.ledger.clock import instant, rfc3339
from holdpoint.ledger.writer import EpochMoved, write
from holdpoint.models.errors import NotFound
from holdpoint.models.record import (
    ELSEWHERE,
    AlreadyClosed,
    Direction,
    EntryDraft,
    Intent,
    IntentRequest,
    LeftOpen,
    ObjectRef,
    Opened,
    OpenOutcome,
    Record,
    Refused,
)

_I = schema.intents
_MAKE_DIRTY = (
    update(schema.targets)
    .where(schema.targets.c.target == bindparam("wanted"), schema.targets.c.dirty.is_(False))
    .values(dirty=True)
)


def open_intent(db: Connection, request: IntentRequest, record: Record | None = None) -> OpenOutcome:
    """Open the intent of one request, or say why it must not be sent now.

    Done before: its recorded result. Left open, fenced or refused before: LeftOpen, so observe the world,
    then close it or `retry_intent`. The entries of `record` are appended in the same transaction, whatever
    the outcome.
    """
    if record is not None:
        entries.append(db, record)
    while True:
        seen = head.lock(db)
        known = intent_rows.find(db, request.id, seen.now)
        if known is not None:
            return AlreadyClosed(intent=known) if known.status == "done" else LeftOpen(intent=known)
        refused = _refusal(db, request)
        if refused is not None:
            return refused
        try:
            return Opened(intent=_open(db, seen, request, attempt=1))
        except EpochMoved:
            continue


def retry_intent(db: Connection, intent_id: str, resource_version: str | None, budget: float) -> OpenOutcome:
    """Open a new attempt of an intent that is not done, at a newly observed version, for `budget` seconds.

    Holder and, for forward, freezes are checked again. A fenced or refused one may be tried again too: its
    earlier attempts can no longer land. Raises NotFound.
    """
    while True:
        seen = head.lock(db)
        known = _known(db, intent_id, seen.now)
        if known.status == "done":
            return AlreadyClosed(intent=known)
        request = known.request.model_copy(update={"resource_version": resource_version, "budget": budget})
        refused = _refusal(db, request)
        if refused is not None:
            return refused
        try:
            return Opened(intent=_open(db, seen, request, attempt=known.attempt + 1))
        except EpochMoved:
            continue


def close_intent(
    db: Connection,
    intent_id: str,
    *,
    status: Literal["done", "refused"],
    result: dict[str, Any],
    attempt: int | None = None,
) -> Intent:
    """Record the answer, or what an observation found, and return the intent. Raises NotFound.

    One that is done keeps its recorded result. An answer to an attempt that is no longer the last, or that
    came after the fence, is recorded as `intent.answered` and closes nothing; only an observation (no
    `attempt`) may still turn a fenced or refused one into done.
    """
    seen = head.lock(db)
    known = _known(db, intent_id, seen.now)
    if known.status == "done":
        return known
    key, body = closing(known, status=status, result=result, attempt=attempt)
    stale = attempt is not None and (attempt != known.attempt or known.status != "open")
    if stale or (known.status != "open" and status != "done"):
        key = f"intent.answered/{known.id}/{attempt}/{seen.seq}"
        write(db, seen, _draft(seen, known.request, "intent.answered", key, body), known.request.ticket)
        return known
    write(db, seen, _draft(seen, known.request, "intent.closed", key, body), known.request.ticket)
    return intent_rows.close(db, known, status=status, result=result)


def opening(request: IntentRequest, *, attempt: int, epoch: int, deadline: str) -> tuple[str, dict[str, Any]]:
    """Return key and body of the entry of an opened intent."""
    id = request.id
    body = {
        **_about(request),
        "intent": id,
        "attempt": attempt,
        "audit_id": f"{id}.{attempt}",
        "deadline": deadline,
        "epoch": epoch,
        "request": request.model_dump(mode="json"),
    }
    return f"intent.opened/{id}/{attempt}", body


def closing(
    known: Intent, *, status: str, result: dict[str, Any], attempt: int | None
) -> tuple[str, dict[str, Any]]:
    """Return key and body of the entry of a closed intent; an attempt is closed once in each way."""
    of = attempt or known.attempt
    body = {**_about(known.request), "intent": known.id, "status": status, "result": result, "attempt": of}
    return f"intent.closed/{known.id}/{of}/{status}", body


def fence_intent(db: Connection, intent_id: str, *, by: str, attempt: int | None = None) -> Intent:
    """Close an open intent as fenced, after its object was. Closed ones stay as they are. Raises NotFound.

    With `attempt`, only if that is still the last: a later one may carry a version from after the fence.
    """
    seen = head.lock(db)
    known = _known(db, intent_id, seen.now)
    if known.status != "open" or attempt not in (None, known.attempt):
        return known
    body = {**_about(known.request), "intent": known.id, "attempt": known.attempt, "by": by}
    key = f"intent.fenced/{known.id}/{known.attempt}"
    write(db, seen, _draft(seen, known.request, "intent.fenced", key, body), known.request.ticket)
    return intent_rows.close(db, known, status="fenced", result={"by": by})


def get_intent(db: Connection, intent_id: str) -> Intent:
    """Return one intent. Raises NotFound."""
    return _known(db, intent_id, head.read(db).now)


def intents_of(db: Connection, ticket: str) -> list[Intent]:
    """Return all intents of a ticket in the order in which their last attempts opened."""
    return intent_rows.read(db, select(_I).where(_I.c.ticket == ticket).order_by(_I.c.opened_seq))


def made_by(db: Connection, ticket: str) -> list[ObjectRef]:
    """Return the objects that a ticket has created and not deleted again, in order."""
    made: dict[ObjectRef, None] = {}
    for intent in intents_of(db, ticket):
        request = intent.request
        if request.direction != "forward" or intent.status != "done" or request.verb in ELSEWHERE:
            continue
        if request.verb == "delete":
            made.pop(request.object, None)
        elif request.resource_version is None:
            made[request.object] = None
    return list(made)


def objects_of(db: Connection, tickets: Collection[str]) -> set[ObjectRef]:
    """Return the objects that these tickets have announced to write."""
    requests = db.execute(select(_I.c.request).where(_I.c.ticket.in_(tickets))).scalars()
    return {ObjectRef.model_validate(json.loads(request)["object"]) for request in requests}


def open_intents(
    db: Connection,
    *,
    target: str | None = None,
    direction: Direction = "forward",
) -> list[Intent]:
    """Return the open intents of a target or of all, oldest first."""
    query = select(_I).where(_I.c.status == "open", _I.c.direction == direction)
    if target is not None:
        query = query.where(_I.c.target == target)
    return intent_rows.read(db, query.order_by(_I.c.opened_seq))


def _refusal(db: Connection, request: IntentRequest) -> Refused | None:
    if request.verb == "fence":
        return None  # it changes nothing but the version, and whoever declares a freeze must be able to
    target = targets.get_target(db, request.target)
    if target is None or target.holder_run != request.run:
        holder = target.holder_run if target is not None else None
        message = f"The run {request.run} does not hold {request.target}: {holder or 'nobody'} does."
        return Refused(code="not_holder", message=message)
    if request.direction == "undo":
        return None
    found = freezes.covering(
        db, service=request.service, environment=request.environment, change_type=request.change_type
    )
    if not found:
        return None
    reasons = "; ".join(f"{freeze.id} by {freeze.by}: {freeze.reason}" for freeze in found)
    return Refused(code="frozen", message=f"Frozen: {reasons}", freezes=found)


def _open(db: Connection, seen: head.Head, request: IntentRequest, *, attempt: int) -> Intent:
    deadline = seen.now + round(request.budget * 1000)
    intent = Intent.model_construct(
        id=request.id,
        request=request,
        attempt=attempt,
        status="open",
        opened_seq=seen.seq + 1,
        deadline=instant(deadline),
    )
    key, body = opening(request, attempt=attempt, epoch=seen.epoch, deadline=rfc3339(intent.deadline))
    write(db, seen, _draft(seen, request, "intent.opened", key, body), request.ticket)
    intent_rows.put(db, intent, fresh=attempt == 1)
    if attempt == 1 and request.direction == "forward":
        db.execute(_MAKE_DIRTY, {"wanted": request.target})
    return intent


def _about(request: IntentRequest) -> dict[str, Any]:
    return {"direction": request.direction, "target": request.target}


def _draft(seen: head.Head, request: IntentRequest, kind: str, key: str, body: dict[str, Any]) -> EntryDraft:
    # Ours, every value of it: to validate it again costs as much as to write it.
    return EntryDraft.model_construct(key=key, kind=kind, actor=request.run, at=instant(seen.now), body=body)


def _known(db: Connection, intent_id: str, now: int) -> Intent:
    found = intent_rows.find(db, intent_id, now)
    if found is None:
        raise NotFound(f"There is no intent {intent_id!r}.")
    return found
