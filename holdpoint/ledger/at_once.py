"""On PostgreSQL an intent opens, and closes, in one statement and one round trip.

The same protocol as in `intents`, carried out by a function beside the data (migration 0003), so that the
head row is locked for its duration only. Freezes and holder were checked at the epoch that is handed in: what
was read at an epoch stays true as long as the head has it, so it is kept between calls. Whatever is not the
plain case gives None and writes nothing: then the verb itself runs, in a transaction.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, or_, select

from holdpoint.ledger import intents, schema
from holdpoint.ledger.canonical import canonical, exact
from holdpoint.ledger.clock import instant, now_ms
from holdpoint.ledger.writer import form
from holdpoint.models.record import Intent, IntentRequest, Opened, Record, Scope

REMEMBERED = 1000
"""Targets, and open intents, that one process keeps in mind; beyond it begins anew."""

_H, _T, _F = schema.head.c, schema.targets.c, schema.freezes.c
_LOOK = (
    select(_H.epoch, _T.holder_run, _F.scope, _F.except_types)
    .select_from(
        schema.head.outerjoin(schema.targets, _T.target == bindparam("wanted")).outerjoin(
            schema.freezes, _F.ended.is_(False) & or_(_F.until.is_(None), _F.until > now_ms())
        )
    )
    .where(_H.id == 1)
)


@dataclass(frozen=True)
class Seen:
    """Who held a target and what was frozen at one epoch."""

    epoch: int
    holder: str | None
    freezes: tuple[tuple[Scope, tuple[str, ...]], ...]

    def allow(self, request: IntentRequest) -> bool:
        """Tell whether this request may be sent; a freeze that has ended since is for the verb to see."""
        if request.verb == "fence":
            return True
        if self.holder != request.run:
            return False
        return request.direction == "undo" or not any(
            request.change_type not in excepted
            and scope.covers(service=request.service, environment=request.environment)
            for scope, excepted in self.freezes
        )


@dataclass
class Memory:
    """What one process has seen; safe for its threads, since each value is replaced as a whole."""

    targets: dict[str, Seen] = field(default_factory=dict)
    opened: dict[str, Intent] = field(default_factory=dict)

    def keep(self, intent: Intent) -> None:
        """Remember an intent that was opened here: who closes it is nearly always who opened it."""
        if len(self.opened) >= REMEMBERED:
            self.opened.clear()
        self.opened[intent.id] = intent

    def look(self, db: Connection, target: str) -> Seen:
        """Read what may be done to a target, in one round trip, and remember it."""
        rows = db.execute(_LOOK, {"wanted": target}).all()
        frozen = tuple(
            (Scope.model_validate_json(row.scope), tuple(json.loads(row.except_types)))
            for row in rows
            if row.scope is not None
        )
        seen = Seen(rows[0].epoch, rows[0].holder_run, frozen)
        if len(self.targets) >= REMEMBERED:
            self.targets.clear()
        self.targets[target] = seen
        return seen


def open_intent(
    db: Connection, memory: Memory, request: IntentRequest, record: Record | None = None
) -> Opened | None:
    """Open an intent that is new, of a run that holds its target, where nothing is frozen."""
    if record is not None:
        return None
    known = memory.targets.get(request.target)
    for seen in (known, None):
        at = seen if seen is not None else memory.look(db, request.target)
        if not at.allow(request):
            if seen is not None:
                continue  # what is kept may be old
            return None
        intent = _open(db, request, at.epoch)
        if intent is not None:
            memory.keep(intent)
            return Opened(intent=intent)
    return None


def close_intent(
    db: Connection,
    memory: Memory,
    intent_id: str,
    *,
    status: Literal["done", "refused"],
    result: dict[str, Any],
    attempt: int | None = None,
) -> Intent | None:
    """Close an intent that was opened here and is still open at its last attempt."""
    known = memory.opened.pop(intent_id, None)
    if known is None or attempt not in (None, known.attempt):
        return None
    kept, hole = exact(result), secrets.token_hex(16)
    key, body = intents.closing(known, status=status, result=kept, attempt=attempt)
    entry = _form(known.request, "intent.closed", key, body, hole)
    said = (known.id, known.attempt, status, json.dumps(kept), known.request.ticket, key, entry, hole)
    if _call(db, "ledger_close_intent", said)[0] is None:
        return None
    return known.model_copy(update={"status": status, "result": kept})


AT_ONCE: dict[Callable[..., Any], Callable[..., Any]] = {
    intents.open_intent: open_intent,
    intents.close_intent: close_intent,
}
"""What stands in for a verb on PostgreSQL, and gives None where only the verb itself will do."""


def _open(db: Connection, request: IntentRequest, epoch: int) -> Intent | None:
    hole = secrets.token_hex(16)
    key, body = intents.opening(request, attempt=1, epoch=epoch, deadline=f"{hole}until")
    entry = _form(request, "intent.opened", key, body, hole)
    row = (request.id, request.ticket, request.target, request.direction, request.service)
    more = (request.environment, round(request.budget * 1000), request.model_dump_json())
    seq, deadline = _call(db, "ledger_open_intent", (epoch, *row, *more, key, entry, hole))
    if seq is None:
        return None
    return Intent.model_construct(
        id=request.id,
        request=request,
        attempt=1,
        status="open",
        opened_seq=seq,
        deadline=instant(deadline),
    )


def _form(request: IntentRequest, kind: str, key: str, body: dict[str, Any], hole: str) -> str:
    at = f"{hole}at"
    told = form(actor=request.run, at=at, body=body, key=key, kind=kind, recorded=at, ticket=request.ticket)
    return canonical({**told, "seq": f"{hole}seq"}).decode()


def _call(db: Connection, function: str, arguments: tuple[Any, ...]) -> Any:
    holes = ", ".join(["%s"] * len(arguments))
    call = f"SELECT * FROM {function}({holes})"  # noqa: S608 - the name is one of the two above
    return db.exec_driver_sql(call, arguments).one()
