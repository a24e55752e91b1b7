"""Digests that were rolled back on a service: denied there until a person lifts the ban.

Two things ban what a ticket brought: a `fail` of its analysis, and its rollback after it had succeeded. What
a person stopped, what a hold ended for want of data, and what Kubernetes did not bring up say nothing against
the artifact; nor does a rollback that failed, whose version had run there before.

Where the same artifact stood on the target before, it is not what was new: then exactly these objects are
banned, so that the version that runs well is not.
"""

import secrets
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, update

from holdpoint.ledger import head, many, schema
from holdpoint.ledger.clock import instant, optional_instant, read_ms, to_ms
from holdpoint.ledger.writer import append_once
from holdpoint.models.artifact import Artifact, Ban, Covers
from holdpoint.models.errors import Conflict, NotFound
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft
from holdpoint.models.ticket import TicketView, VerdictCode

ANALYSIS = "analysis_failed"
ROLLED_BACK = "rolled_back_after_success"
BANNED, LIFTED = "artifact.banned", "artifact.ban_lifted"
LONGEST_LIST = 500
"""Bans that are listed at most, the newest."""

_B, _T = schema.bans, schema.tickets
_FELL = (Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED)


class _Brought(NamedTuple):
    """What a ticket brought to its target; no digest where it was never evaluated."""

    ticket: str
    artifact: str | None
    content: str | None


def learn(db: Connection, closed: TicketView) -> Ban | None:
    """Ban what a ticket's end says something against; None where it says nothing, or said it before."""
    if closed.rolls_back is not None:
        return _of_rollback(db, closed) if closed.phase is Phase.SUCCEEDED else None
    if closed.artifact is None or closed.phase not in _FELL or not _failed(closed):
        return None
    before = _stood_before(db, closed)
    is_new = before is None or before.artifact not in (closed.artifact.digest, None)
    why = closed.reason.message if closed.reason else "Its analysis failed."
    brought = _Brought(closed.id, closed.artifact.digest, closed.artifact.content)
    named = bool(closed.artifact.images)
    return _ban(db, closed, brought, is_new=is_new and named, code=ANALYSIS, message=why)


def covering(db: Connection, *, service: str, artifact: Artifact) -> list[Ban]:
    """Return the bans in force that deny this artifact on this service, oldest first."""
    digests = (artifact.digest, artifact.content)
    query = select(_B).where(_B.c.service == service, _B.c.digest.in_(digests), _B.c.lifted_at.is_(None))
    return [_read(row) for row in db.execute(query.order_by(_B.c.at, _B.c.id))]


def list_bans(db: Connection, *, service: str | None = None, in_force: bool = True) -> list[Ban]:
    """Return bans, newest first; only those in force, or all."""
    query = select(_B).order_by(_B.c.at.desc(), _B.c.id).limit(LONGEST_LIST)
    if service is not None:
        query = query.where(_B.c.service == service)
    if in_force:
        query = query.where(_B.c.lifted_at.is_(None))
    return [_read(row) for row in db.execute(query)]


def get_ban(db: Connection, id: str) -> Ban:
    """Return one ban. Raises NotFound."""
    row = db.execute(select(_B).where(_B.c.id == id)).first()
    if row is None:
        raise NotFound(f"There is no ban {id!r}. `holdpoint ban list` shows what is in force.")
    return _read(row)


def lift_ban(db: Connection, id: str, *, by: str, reason: str) -> Ban:
    """End a ban; what it covers may come again. Raises NotFound, and Conflict when it was lifted before."""
    seen = head.lock(db)
    ban = get_ban(db, id)
    if ban.lifted_at is not None:
        raise Conflict(f"The ban {id} was lifted already, by {ban.lifted_by}.", by=ban.lifted_by)
    body = {"ban": id, "service": ban.service, "digest": ban.digest, "reason": reason}
    draft = EntryDraft(key=f"{LIFTED}/{id}", kind=LIFTED, actor=by, at=instant(seen.now), body=body)
    append_once(db, draft, ban.ticket)
    values = {"lifted_at": seen.now, "lifted_by": by, "lift_reason": reason}
    db.execute(update(_B).where(_B.c.id == id).values(values))
    return get_ban(db, id)


def _failed(view: TicketView) -> bool:
    """Tell whether an analysis said `fail`: nothing goes on after that, whatever else is said then."""
    steps = [*view.steps, *(step for one in view.targets for step in one.steps)]
    verdicts = [step.verdicts[-1].verdict for step in steps if step.verdicts]
    reasons = [view.reason, *(one.reason for one in view.targets)]
    return VerdictCode.FAIL in verdicts or any(reason and reason.code == ANALYSIS for reason in reasons)


def _of_rollback(db: Connection, back: TicketView) -> Ban | None:
    """Ban what a rollback after success has taken away, by what it has brought in its place."""
    query = select(_T.c.id, _T.c.artifact, _T.c.content).where(_T.c.id == back.rolls_back)
    row = db.execute(query).first()
    if row is None:
        return None
    brought = _Brought(*row)
    is_new = back.artifact is not None and back.artifact.images != [] and back.artifact.digest != row.artifact
    why = f"It was rolled back after it had succeeded, by {back.id}."
    return _ban(db, back, brought, is_new=is_new, code=ROLLED_BACK, message=why)


def _stood_before(db: Connection, view: TicketView) -> _Brought | None:
    """Return what had succeeded last on the target."""
    query = select(_T.c.id, _T.c.artifact, _T.c.content).where(
        many.goes_to(view.target), _T.c.phase == Phase.SUCCEEDED.value, _T.c.id != view.id
    )
    row = db.execute(query.order_by(_T.c.closed_at.desc(), _T.c.id).limit(1)).first()
    return None if row is None else _Brought(*row)


def _ban(
    db: Connection, view: TicketView, brought: _Brought, *, is_new: bool, code: str, message: str
) -> Ban | None:
    if brought.artifact is None or brought.content is None:
        return None
    covers: Covers = "artifact" if is_new else "content"
    ban = Ban(
        id="ban-" + secrets.token_hex(5),
        service=view.service,
        environment=view.environment,
        target=view.target,
        covers=covers,
        digest=brought.artifact if is_new else brought.content,
        artifact=brought.artifact,
        ticket=brought.ticket,
        code=code,
        message=message,
        at=view.closed_at or instant(read_ms(db)),
    )
    told = ("service", "environment", "covers", "digest", "artifact", "code")
    body: dict[str, Any] = {"ban": ban.id, **{name: getattr(ban, name) for name in told}}
    actor = "holdpoint" if view.id == ban.ticket else view.id
    draft = EntryDraft(key=f"{BANNED}/{view.id}", kind=BANNED, actor=actor, at=ban.at, body=body)
    if not append_once(db, draft, ban.ticket)[1]:
        return None
    db.execute(insert(_B), {**ban.model_dump(), "at": to_ms(ban.at)})
    return ban


def _read(row: Any) -> Ban:
    times = {"at": instant(row.at), "lifted_at": optional_instant(row.lifted_at)}
    return Ban.model_validate({**row._mapping, **times})
