"""Wake-ups, starts and notifications: written with their cause, delivered at least once."""

import json
from typing import Any, Literal

from opentelemetry import propagate
from pydantic import Field
from sqlalchemy import Connection, insert, select, update

from holdpoint.ledger import head, schema
from holdpoint.ledger.canonical import exact
from holdpoint.ledger.clock import read_ms
from holdpoint.models.base import Model
from holdpoint.models.contracts import ABORT
from holdpoint.models.ticket import Reason
from holdpoint.models.workflow_messages import Control

Kind = Literal["start", "wake", "update", "notify", "close"]

_BOX = schema.outbox
TRACE = "holdpoint.trace"
"""Where a row keeps the trace that it belongs to: its delivery may be another process's."""


class OutboxRow(Model):
    """One message. `attempts` counts this delivery too; `key` makes it the same message each time."""

    id: int
    kind: Kind
    ticket: str
    body: dict[str, Any]
    key: str
    attempts: int
    trace: dict[str, str] = Field(default={}, description="W3C Trace Context of whoever ordered it")


def post(db: Connection, *, kind: Kind, ticket: str, body: dict[str, Any], key: str) -> None:
    """Put one message in the box; a key that was posted before, delivered or not, is not posted again."""
    seen = head.lock(db)
    if db.execute(select(_BOX.c.id).where(_BOX.c.key == key)).first() is not None:
        return
    trace: dict[str, str] = {}
    propagate.inject(trace)  # nothing, where nothing is traced
    text = json.dumps(exact({**body, TRACE: trace} if trace else body))
    row = {"kind": kind, "ticket": ticket, "body": text, "key": key}
    db.execute(insert(_BOX), {**row, "due_at": seen.now, "attempts": 0})


def end(db: Connection, *, ticket: str, by: str, why: Reason, key: str) -> None:
    """Order the end of a ticket that may not run any more; one whose rollout has begun refuses it."""
    word = Control(verb="abort", by=by, reason=why.message, code=why.code)
    body = {"update": ABORT.name, "argument": word.model_dump(mode="json")}
    post(db, kind="update", ticket=ticket, body=body, key=f"{ticket}/{ABORT.name}/{key}")


def take(db: Connection, *, limit: int, lease: float) -> list[OutboxRow]:
    """Lease up to `limit` due messages, oldest first, for `lease` seconds; then they are due again."""
    now = read_ms(db)
    due = (
        select(_BOX)
        .where(_BOX.c.delivered_at.is_(None), _BOX.c.due_at <= now)
        .order_by(_BOX.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = [_read(row) for row in db.execute(due)]
    leased = {"due_at": now + round(lease * 1000), "attempts": _BOX.c.attempts + 1}
    if rows:
        db.execute(update(_BOX).where(_BOX.c.id.in_([row.id for row in rows])).values(leased))
    return rows


def _read(row: Any) -> OutboxRow:
    body = json.loads(row.body)
    return OutboxRow(
        id=row.id,
        kind=row.kind,
        ticket=row.ticket,
        trace=body.pop(TRACE, {}),
        body=body,
        key=row.key,
        attempts=row.attempts + 1,
    )


def delivered(db: Connection, id: int) -> None:
    """Note that a message arrived; it is not given out again."""
    db.execute(update(_BOX).where(_BOX.c.id == id).values(delivered_at=read_ms(db), error=None))


def failed(db: Connection, id: int, message: str, delay: float) -> None:
    """Note why a message did not arrive, and give it out again in `delay` seconds."""
    due = read_ms(db) + round(delay * 1000)
    db.execute(
        update(_BOX).where(_BOX.c.id == id, _BOX.c.delivered_at.is_(None)).values(due_at=due, error=message)
    )
