"""Intents as rows: the present state of what the entries tell as a story."""

import json
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select, update

from holdpoint.ledger import schema
from holdpoint.ledger.canonical import exact
from holdpoint.ledger.clock import instant, read_ms, to_ms
from holdpoint.models.errors import Conflict
from holdpoint.models.record import Intent, IntentRequest, IntentStatus

_I = schema.intents
_BY_ID = select(_I).where(_I.c.id == bindparam("wanted"))
_INSERT = insert(_I)
_CLOSE = (
    update(_I)
    .where(_I.c.id == bindparam("wanted"))
    .values(status=bindparam("how"), result=bindparam("answer"))
)


def find(db: Connection, id: str, now: int) -> Intent | None:
    """Return the intent as it is at `now` (milliseconds by the database's clock), or None."""
    row = db.execute(_BY_ID, {"wanted": id}).first()
    return None if row is None else _intent(row, now)


def read(db: Connection, query: Select[Any]) -> list[Intent]:
    """Return the intents that a query over the whole row selects."""
    now = read_ms(db)
    return [_intent(row, now) for row in db.execute(query)]


def put(db: Connection, intent: Intent, *, fresh: bool) -> None:
    """Write an intent that was just opened: its first attempt, or a new one over the old."""
    row = _row(intent)
    if fresh:
        db.execute(_INSERT, row)
    else:
        db.execute(update(_I).where(_I.c.id == intent.id).values(row))


def close(db: Connection, intent: Intent, *, status: IntentStatus, result: dict[str, Any]) -> Intent:
    """Write how an intent ended and return it."""
    kept = exact(result)
    db.execute(_CLOSE, {"wanted": intent.id, "how": status, "answer": json.dumps(kept)})
    return intent.model_copy(update={"status": status, "result": kept, "in_doubt": False})


def keep_deferred(db: Connection, intent: Intent, seq: int) -> None:
    """Write an intent that was minted, or answered, while the ledger was down.

    One that is done stays as it is, and so does one with a later attempt, unless this one was done. Raises
    Conflict for a forward one: forward writes are never deferred.
    """
    if intent.request.direction != "undo":
        raise Conflict(f"The intent {intent.id} is forward and cannot be deferred.")
    known = db.execute(_BY_ID, {"wanted": intent.id}).first()
    if known is not None and (
        known.status == "done" or (known.attempt > intent.attempt and intent.status != "done")
    ):
        return
    attempt = intent.attempt if known is None else max(known.attempt, intent.attempt)
    late = intent.model_copy(update={"deferred": True, "opened_seq": seq, "attempt": attempt})
    put(db, late, fresh=known is None)


def _row(intent: Intent) -> dict[str, Any]:
    request = intent.request
    return {
        "id": intent.id,
        "ticket": request.ticket,
        "target": request.target,
        "direction": request.direction,
        "service": request.service,
        "environment": request.environment,
        "status": intent.status,
        "attempt": intent.attempt,
        "opened_seq": intent.opened_seq,
        "deadline": to_ms(intent.deadline),
        "deferred": intent.deferred,
        "request": request.model_dump_json(),
        "result": None if intent.result is None else json.dumps(exact(intent.result)),
    }


def _intent(row: Any, now: int) -> Intent:
    # What was validated when it was written is not validated again, but for the request's own fields.
    return Intent.model_construct(
        id=row.id,
        request=IntentRequest.model_validate_json(row.request),
        attempt=row.attempt,
        status=row.status,
        opened_seq=row.opened_seq,
        deadline=instant(row.deadline),
        in_doubt=row.status == "open" and row.deadline <= now,
        result=None if row.result is None else json.loads(row.result),
        deferred=row.deferred,
    )
