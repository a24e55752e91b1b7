"""Freezes: what they cover, from when to when, and who lifted them. Each raises the epoch.

A freeze holds from its own sequence number on: no forward intent in its scope has a higher one until it ends.
That nothing of earlier intents lands afterwards is the fence's work; the acknowledgement says that it was
done.
"""

import json
import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from holdpoint.ledger import head, keys, outbox, schema
from holdpoint.ledger.clock import instant, now_ms, optional_instant, to_ms
from holdpoint.ledger.writer import append_once, clean, write
from holdpoint.models.errors import Conflict, NotFound
from holdpoint.models.record import EntryDraft, Freeze, Scope

_F = schema.freezes
_I = schema.intents
_ALL = select(_F).order_by(_F.c.seq)
_IN_FORCE = _ALL.where(_F.c.ended.is_(False), or_(_F.c.until.is_(None), _F.c.until > now_ms()))

_DUE = select(_F.c.id).where(_F.c.ended.is_(False), _F.c.until <= now_ms()).order_by(_F.c.seq)


def create_freeze(
    db: Connection,
    *,
    scope: Scope,
    reason: str,
    by: str,
    until: datetime | None,
    except_types: list[str],
) -> Freeze:
    """Declare a freeze and wake every open ticket in its scope. Raises Conflict when `until` has passed."""
    seen = head.lock(db)
    created = instant(seen.now)
    if until is not None and until <= created:
        raise Conflict(f"The freeze would end before it begins: until is {until.isoformat()}.")
    id = "frz-" + secrets.token_hex(5)
    body = {
        "freeze": id,
        "scope": scope.model_dump(),
        "reason": reason,
        "until": until,
        "except_types": except_types,
    }
    draft = EntryDraft(key=f"freeze.created/{id}", kind="freeze.created", actor=by, at=created, body=body)
    seq = write(db, seen, clean(draft), None, raise_epoch=True)
    row = {"id": id, "seq": seq, "scope": scope.model_dump_json(), "reason": reason, "by": by}
    row |= {"created_at": seen.now, "until": None if until is None else to_ms(until), "ended": False}
    db.execute(insert(_F), {**row, "except_types": json.dumps(except_types)})
    _wake(db, scope, cause=f"freeze.created/{id}")
    return get_freeze(db, id)


def made_by(db: Connection, *, key: str, content: str) -> Freeze | None:
    """Return the freeze that an idempotency key made. Raises Conflict when it came with other content."""
    earlier = keys.ticket_of(db, key=keys.FREEZE + key, content=content)
    return None if earlier is None else get_freeze(db, earlier)


def create_freeze_once(
    db: Connection,
    *,
    key: str,
    content: str,
    scope: Scope,
    reason: str,
    by: str,
    until: datetime | None,
    except_types: list[str],
) -> tuple[Freeze, bool]:
    """Declare a freeze and return it and True; what the key has made before is returned with False.

    Raises Conflict when the key came with other content, and when `until` has passed.
    """
    head.lock(db)
    earlier = made_by(db, key=key, content=content)
    if earlier is not None:
        return earlier, False
    made = create_freeze(db, scope=scope, reason=reason, by=by, until=until, except_types=except_types)
    keys.remember(db, key=keys.FREEZE + key, content=content, ticket=made.id)
    return made, True


def acknowledge_freeze(db: Connection, freeze_id: str, facts: dict[str, Any]) -> Freeze:
    """Record that the freeze holds, with what was in flight and what is in doubt. Raises NotFound.

    May be said again when more was fenced. The ledger adds which forward intents in scope are still open:
    with none, the acknowledgement is complete.
    """
    seen = head.lock(db)
    freeze = get_freeze(db, freeze_id)
    still_open = _open_in_scope(db, freeze)
    body = {"freeze": freeze_id, "facts": facts, "open_intents": still_open}
    draft = EntryDraft(
        key=f"freeze.acknowledged/{freeze_id}/{seen.seq}",
        kind="freeze.acknowledged",
        actor=freeze.by,
        at=instant(seen.now),
        body=body,
    )
    append_once(db, draft, None)
    values: dict[str, Any] = {"facts": json.dumps({**facts, "open_intents": still_open}, default=str)}
    if not still_open and freeze.acknowledged_at is None:
        values["acknowledged_at"] = seen.now
    db.execute(update(_F).where(_F.c.id == freeze_id).values(values))
    return get_freeze(db, freeze_id)


def lift_freeze(db: Connection, freeze_id: str, *, by: str, reason: str) -> Freeze:
    """End a freeze and wake who waited for it. Raises NotFound, and Conflict when it ended before."""
    return _end(db, freeze_id, kind="freeze.lifted", by=by, reason=reason)


def expire_freezes(db: Connection) -> list[Freeze]:
    """Record the end of each freeze whose time has passed, wake who waited, and return them."""
    if not db.execute(_DUE).scalars().all():
        return []  # the usual case: nobody else is kept waiting
    head.lock(db)  # another process may just have ended some of them
    return [
        _end(db, id, kind="freeze.expired", by="holdpoint", reason="its end has passed")
        for id in db.execute(_DUE).scalars().all()
    ]


def list_freezes(db: Connection, *, active_only: bool = True) -> list[Freeze]:
    """Return freezes, oldest first; only those in force now, or all."""
    return [_freeze(row) for row in db.execute(_IN_FORCE if active_only else _ALL)]


def get_freeze(db: Connection, freeze_id: str) -> Freeze:
    """Return one freeze. Raises NotFound."""
    row = db.execute(select(_F).where(_F.c.id == freeze_id)).first()
    if row is None:
        raise NotFound(f"There is no freeze {freeze_id!r}. `holdpoint freeze list` shows what is in force.")
    return _freeze(row)


def covering(db: Connection, *, service: str, environment: str, change_type: str) -> list[Freeze]:
    """Return the freezes in force now that stop forward writes of such a change, oldest first."""
    return [
        freeze
        for freeze in list_freezes(db)
        if freeze.stops(service=service, environment=environment, change_type=change_type)
    ]


def _end(db: Connection, freeze_id: str, *, kind: str, by: str, reason: str) -> Freeze:
    seen = head.lock(db)
    freeze = get_freeze(db, freeze_id)
    ended = db.execute(select(_F.c.ended).where(_F.c.id == freeze_id)).scalar_one()
    if ended:
        raise Conflict(f"The freeze {freeze_id} has ended already.", by=freeze.lifted_by)
    body = {"freeze": freeze_id, "scope": freeze.scope.model_dump(), "reason": reason}
    draft = EntryDraft(key=f"{kind}/{freeze_id}", kind=kind, actor=by, at=instant(seen.now), body=body)
    write(db, seen, clean(draft), None, raise_epoch=True)
    values = {"ended": True, "lifted_at": seen.now, "lifted_by": by}
    db.execute(update(_F).where(_F.c.id == freeze_id).values(values))
    _wake(db, freeze.scope, cause=f"{kind}/{freeze_id}")
    return get_freeze(db, freeze_id)


def _open_in_scope(db: Connection, freeze: Freeze) -> list[str]:
    query = select(_I.c.id, _I.c.service, _I.c.environment, _I.c.request).where(
        _I.c.status == "open", _I.c.direction == "forward"
    )
    return [
        row.id
        for row in db.execute(query.order_by(_I.c.opened_seq))
        if freeze.stops(
            service=row.service,
            environment=row.environment,
            change_type=json.loads(row.request)["change_type"],
        )
    ]


def _wake(db: Connection, scope: Scope, *, cause: str) -> None:
    query = select(schema.tickets.c.id, schema.tickets.c.service, schema.tickets.c.environment)
    for row in db.execute(query.where(schema.tickets.c.open)).all():
        if scope.covers(service=row.service, environment=row.environment):
            outbox.post(db, kind="wake", ticket=row.id, body={"cause": cause}, key=f"wake/{row.id}/{cause}")


def _freeze(row: Any) -> Freeze:
    return Freeze(
        id=row.id,
        scope=Scope.model_validate_json(row.scope),
        reason=row.reason,
        by=row.by,
        created_at=instant(row.created_at),
        until=optional_instant(row.until),
        except_types=json.loads(row.except_types),
        seq=row.seq,
        lifted_at=optional_instant(row.lifted_at),
        lifted_by=row.lifted_by,
        acknowledged_at=optional_instant(row.acknowledged_at),
        facts=None if row.facts is None else json.loads(row.facts),
    )
