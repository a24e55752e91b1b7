"""Targets: who holds one, whether it is dirty, and the lane of tickets that wait for it.

A target is dirty from the first forward intent until its rollout succeeded or was undone; no rollout starts
on a dirty one. Each change of holder raises the epoch, so that an intent checked under the old holder cannot
open.
"""

import json
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, delete, func, insert, or_, select, update

from holdpoint.ledger import head, outbox, schema
from holdpoint.ledger.clock import instant, read_ms
from holdpoint.ledger.writer import clean, write
from holdpoint.models.base import Digest
from holdpoint.models.contracts import NORMAL, STANDARD
from holdpoint.models.errors import Conflict
from holdpoint.models.record import PERSON, EntryDraft, LanePlace, TargetRow

_T = schema.targets
_L = schema.lane
_I = schema.intents
_BY_NAME = select(_T).where(_T.c.target == bindparam("wanted"))
_PLACE = (_L.c.target == bindparam("wanted")) & (_L.c.ticket == bindparam("whose"))
_LEAVE = delete(_L).where(_PLACE)
_STAND_IN = update(_L).where(_PLACE)
_UPDATE = update(_T).where(_T.c.target == bindparam("wanted"))
_WAITS_FOR = select(_L.c.target).where(_L.c.ticket == bindparam("whose"))
_HOLDS = select(_T.c.target).where(_T.c.holder_ticket == bindparam("whose"))
PATIENCE_MS = 4 * 3_600_000
"""A standard change that is this old goes as a normal one, by its age: without an end to it, those of normal
changes that come in a row would keep it waiting for ever."""

_TK = schema.tickets
_RANK = case(
    (and_(_L.c.priority == STANDARD, _TK.c.created_at <= bindparam("patient_since")), NORMAL),
    else_=_L.c.priority,
)
_OTHER = schema.lane.alias("other_places")
_FIRST_PLACE = (
    select(func.min(_OTHER.c.id)).where(_OTHER.c.ticket == _L.c.ticket).correlate(_L).scalar_subquery()
)
"""Orders tickets of the same age by what is the ticket's alone, so that two of them stand in the same order
in every lane. Otherwise each could be the first in one lane, and both would wait for ever."""
# The ticket's age, not that of its place: whoever made way for a freeze comes back to where it was.
_LANE = (
    select(_L.c.ticket)
    .join(_TK, _TK.c.id == _L.c.ticket, isouter=True)
    .where(_L.c.target == bindparam("wanted"))
    .order_by(_RANK, _TK.c.created_at, _FIRST_PLACE)
)
_STILL_OPEN = select(_I.c.id).where(
    _I.c.status == "open", _I.c.direction == "forward", _I.c.target == bindparam("wanted")
)


def enter_lane(db: Connection, *, ticket: str, target: str, priority: int) -> LanePlace:
    """Ask for a target: granted to the first in the lane when nobody holds it and it is clean.

    Asking again keeps the place, and what was granted stays granted. Smaller priority goes first, then the
    older ticket; a standard change that has waited for long goes as a normal one.
    """
    return enter_lanes(db, ticket=ticket, targets=[target], priority=priority)


def enter_lanes(db: Connection, *, ticket: str, targets: list[str], priority: int) -> LanePlace:
    """Ask for many targets: all of them are granted, or none.

    A ticket that waits holds nothing, and the order is the same in every lane: so whoever is the first of all
    is the first in each of its lanes, and waits only for holders, who wait for nobody. None is granted means
    that the place is that in the lane which it is furthest from.
    """
    head.lock(db)
    rows = [get_target(db, target) or TargetRow(target=target) for target in sorted(set(targets))]
    missing = [row for row in rows if row.holder_ticket != ticket]
    if not missing:
        return LanePlace(granted=True, holder_ticket=ticket, dirty=any(row.dirty for row in rows))
    for row in missing:
        _stand_in(db, ticket, row.target, priority)
    waits = [place for row in missing if not (place := _place(db, row, ticket)).granted]
    if waits:
        return max(waits, key=lambda place: (place.dirty, place.position, place.holder_ticket is not None))
    for row in missing:
        db.execute(_LEAVE, {"wanted": row.target, "whose": ticket})
        _change_holder(db, head.lock(db), row, "target.granted", ticket, {"holder_ticket": ticket})
    return LanePlace(granted=True, holder_ticket=ticket)


def _place(db: Connection, row: TargetRow, ticket: str) -> LanePlace:
    position = waiting(db, row.target).index(ticket) + 1
    free = row.holder_ticket is None and not row.dirty
    if position > 1 and free:
        # The order follows the time, too: who was woken may not be the first any more.
        _wake_first(db, row.target, cause=f"asked/{head.lock(db).seq}")
    return LanePlace(
        granted=free and position == 1,
        position=position,
        holder_ticket=row.holder_ticket,
        dirty=row.dirty,
        target=row.target,
    )


def leave_lane(db: Connection, *, ticket: str, target: str) -> None:
    """Leave the lane, and give back what was granted if no rollout has begun on it."""
    seen = head.lock(db)
    db.execute(_LEAVE, {"wanted": target, "whose": ticket})
    row = get_target(db, target)
    if row is not None and row.holder_ticket == ticket and row.holder_run is None and not row.dirty:
        _free(db, seen, row, ticket, by=ticket)
    else:
        _wake_first(db, target, cause=f"left/{seen.seq}")


def leave_all(db: Connection, *, ticket: str) -> None:
    """Take a ticket whose life is over out of every lane, so that it cannot keep others waiting."""
    whose = {"whose": ticket}
    for target in sorted({*db.execute(_WAITS_FOR, whose).scalars(), *db.execute(_HOLDS, whose).scalars()}):
        leave_lane(db, ticket=ticket, target=target)


def take_target(db: Connection, *, target: str, ticket: str, run: str, rollout: dict[str, Any]) -> TargetRow:
    """Let a rollout run hold the target; from here on no other run opens an intent on it. Raises Conflict.

    `rollout["mode"] == "undo"` takes it over from an earlier run of the same ticket, with its snapshot; the
    caller then fences what that run left open. A forward run needs a clean target that its ticket holds or
    nobody does.
    """
    seen = head.lock(db)
    row = get_target(db, target) or TargetRow(target=target)
    undo = rollout.get("mode") == "undo"
    if row.holder_run == run and row.holder_ticket == ticket:
        return row
    if row.holder_ticket not in (None, ticket):
        raise Conflict(f"The target {target} is held by {row.holder_ticket}.", holder=row.holder_ticket)
    if row.in_hand_of is not None:
        raise Conflict(
            f"The target {target} is in {row.in_hand_of}'s hands: nothing of ours writes there until "
            f"`holdpoint takeover {row.holder_ticket} --done`."
        )
    if row.dirty and not undo:
        raise Conflict(f"The target {target} is dirty: what an earlier rollout left must be undone first.")
    values: dict[str, Any] = {"holder_ticket": ticket, "holder_run": run, "rollout": json.dumps(rollout)}
    if not undo:
        values["snapshot"] = None
    _change_holder(db, seen, row, "target.taken", run, values)
    db.execute(_LEAVE, {"wanted": target, "whose": ticket})
    return _existing(db, target)


def set_snapshot(db: Connection, *, target: str, run: str, snapshot: Digest) -> TargetRow:
    """Remember what the run returns to. Raises Conflict when the run does not hold the target.

    Once something may have been written the snapshot stays as it is: a later one would hold the change
    itself.
    """
    seen = head.lock(db)
    row = _held_by(db, target, run)
    if row.snapshot == snapshot or (row.dirty and row.snapshot is not None):
        return row
    _record(db, seen, row, "target.snapshot_taken", run, {"snapshot": snapshot})
    db.execute(_UPDATE, {"wanted": target, "snapshot": snapshot})
    return _existing(db, target)


def release_target(db: Connection, *, target: str, run: str, clean: bool) -> TargetRow:
    """Give the target back; the next in its lane is woken. A run that does not hold it changes nothing.

    Not clean: the run lets go, the ticket keeps it and it stays dirty, for whoever undoes it. Raises Conflict
    when it is said to be clean while forward intents on it are open: settle or fence them first.
    """
    seen = head.lock(db)
    row = get_target(db, target) or TargetRow(target=target)
    if row.holder_run != run:
        return row
    if not clean:
        _change_holder(db, seen, row, "target.left_dirty", run, {"holder_run": None})
        return _existing(db, target)
    still_open = list(db.execute(_STILL_OPEN, {"wanted": target}).scalars())
    if still_open:
        raise Conflict(
            f"The target {target} is not clean: {len(still_open)} intents on it are open. Settle them.",
            intents=still_open,
        )
    return _free(db, seen, row, row.holder_ticket, by=run)


def hand_over(db: Connection, *, target: str, ticket: str, by: str) -> TargetRow:
    """Let a person hold a dirty target in a run's place: no run opens an intent on it from here on.

    Raises Conflict when another ticket holds it, or when it is clean.
    """
    seen = head.lock(db)
    row = get_target(db, target)
    if row is None or row.holder_ticket != ticket or not row.dirty:
        raise Conflict(f"The target {target} was not left dirty by {ticket}.")
    _change_holder(db, seen, row, "target.handed_over", by, {"holder_run": PERSON + by})
    return _existing(db, target)


def get_target(db: Connection, target: str) -> TargetRow | None:
    """Return one target, or None when nothing was ever done to it."""
    row = db.execute(_BY_NAME, {"wanted": target}).first()
    return None if row is None else _target(row)


def waiting(db: Connection, target: str) -> list[str]:
    """Return the tickets in the lane of a target, the next one first."""
    asked = {"wanted": target, "patient_since": read_ms(db) - PATIENCE_MS}
    return list(db.execute(_LANE, asked).scalars())


def held_targets(db: Connection) -> list[TargetRow]:
    """Return the targets that are held or dirty."""
    query = select(_T).where(or_(_T.c.dirty, _T.c.holder_ticket.is_not(None))).order_by(_T.c.target)
    return [_target(row) for row in db.execute(query)]


def _stand_in(db: Connection, ticket: str, target: str, priority: int) -> None:
    moved = db.execute(_STAND_IN, {"wanted": target, "whose": ticket, "priority": priority})
    if moved.rowcount == 0:
        db.execute(insert(_L), {"target": target, "ticket": ticket, "priority": priority})


def _free(db: Connection, seen: head.Head, row: TargetRow, ticket: str | None, *, by: str) -> TargetRow:
    values = {"holder_ticket": None, "holder_run": None, "dirty": False, "snapshot": None, "rollout": None}
    seq = _change_holder(db, seen, row, "target.released", by, values, ticket=ticket)
    _wake_first(db, row.target, cause=f"released/{seq}")
    return _existing(db, row.target)


def _wake_first(db: Connection, target: str, *, cause: str) -> None:
    for ticket in waiting(db, target)[:1]:
        key = f"wake/{ticket}/{target}/{cause}"
        outbox.post(db, kind="wake", ticket=ticket, body={"cause": f"lane {target}"}, key=key)


def _change_holder(
    db: Connection,
    seen: head.Head,
    row: TargetRow,
    kind: str,
    actor: str,
    values: dict[str, Any],
    *,
    ticket: str | None = None,
) -> int:
    after = row.model_copy(update={name: value for name, value in values.items() if name != "rollout"})
    seq = _record(db, seen, after, kind, actor, {}, ticket=ticket, raise_epoch=True)
    if db.execute(_UPDATE, {**values, "wanted": row.target}).rowcount == 0:
        db.execute(insert(_T), {"target": row.target, "dirty": False, **values})
    return seq


def _record(
    db: Connection,
    seen: head.Head,
    row: TargetRow,
    kind: str,
    actor: str,
    more: dict[str, Any],
    *,
    ticket: str | None = None,
    raise_epoch: bool = False,
) -> int:
    body = {**row.model_dump(exclude={"rollout", "snapshot"}), "epoch": seen.epoch + raise_epoch, **more}
    draft = EntryDraft(
        key=f"{kind}/{row.target}/{seen.seq}", kind=kind, actor=actor, at=instant(seen.now), body=body
    )
    return write(db, seen, clean(draft), ticket or row.holder_ticket, raise_epoch=raise_epoch)


def _held_by(db: Connection, target: str, run: str) -> TargetRow:
    row = get_target(db, target)
    if row is None or row.holder_run != run:
        raise Conflict(f"The run {run} does not hold the target {target}.")
    return row


def _existing(db: Connection, target: str) -> TargetRow:
    return _target(db.execute(_BY_NAME, {"wanted": target}).one())


def _target(row: Any) -> TargetRow:
    values = {**row._mapping, "rollout": None if row.rollout is None else json.loads(row.rollout)}
    return TargetRow.model_construct(**values)
