"""The projection of tickets, for lists and for `show`. The entries are the record; this is a view of it."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, bindparam, insert, select, update

from holdpoint.ledger import bans, dependencies, head, keys, ladder, many, outbox, schema, targets
from holdpoint.ledger.clock import instant, read_ms, to_ms
from holdpoint.ledger.writer import append_once
from holdpoint.models.base import Digest, Model
from holdpoint.models.change import Change
from holdpoint.models.errors import NotFound
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, freeze_type
from holdpoint.models.ticket import REHEARSED, RollsBack, TicketView, most_severe
from holdpoint.models.waves import WavePlan, wave_plan
from holdpoint.models.workflow_messages import TicketStart

FAILURES = (Phase.FAILED, Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED, Phase.ERRORED)
"""Phases that count as a failed change when risk is assessed."""

_T = schema.tickets
_BY_ID = select(_T.c.view, _T.c.stored).where(_T.c.id == bindparam("wanted"))
_VIEW = select(_T.c.view).where(_T.c.id == bindparam("wanted"))
_UPDATE = update(_T).where(_T.c.id == bindparam("wanted"))
_OF_SERVICE = select(_T.c.id).where(
    _T.c.service == bindparam("named"), _T.c.environment == bindparam("where")
)
_FAILED_SINCE = _OF_SERVICE.with_only_columns(_T.c.view).where(
    _T.c.phase.in_([phase.value for phase in FAILURES]), _T.c.closed_at >= bindparam("since")
)
_FLAKY_SINCE = _OF_SERVICE.where(
    _T.c.created_at >= bindparam("since"), _T.c.view.contains('"status":"flaky"', autoescape=True)
)
_OF_SHAPE = _OF_SERVICE.where(
    _T.c.phase == Phase.SUCCEEDED.value, _T.c.plan_shape == bindparam("shape")
).limit(1)
_LAST_SUCCEEDED = (
    select(_T.c.stored)
    .where(many.goes_to(bindparam("wanted")), _T.c.phase == Phase.SUCCEEDED.value)
    .order_by(_T.c.closed_at.desc(), _T.c.id)
    .limit(bindparam("most"))
)
WROTE_NOTHING = 20
"""Changes in a row that may have written nothing before one that did is not looked for any more: each is a
whole document to read, at every evaluation."""


class StoredChange(Model):
    """A change as it was submitted, with what was resolved once at submit."""

    ticket: str
    change: Change
    commit: str
    repository: str
    requester: str
    digest: Digest
    rolls_back: RollsBack | None = None
    retries: str | None = None
    depends_on: list[str] = []
    promoted_from: str | None = None
    rehearsal: bool = False
    targets: list[str] = Field(
        default=[], description="where there are many: their keys, in the order of the waves"
    )

    @property
    def waves(self) -> WavePlan | None:
        """Return the waves; None where there is one target."""
        return wave_plan(self.targets, self.change.spec.plan.waves) if self.targets else None

    def at(self, target: str) -> "StoredChange":
        """Return this for one of its targets, as if it went only there."""
        if not self.targets:
            return self
        spec = self.change.spec.at(target.partition("/")[0])
        return self.model_copy(
            update={"change": self.change.model_copy(update={"spec": spec}), "targets": []}
        )

    @property
    def freeze_type(self) -> str:
        """Return the type that a freeze looks at."""
        return freeze_type(self.change.metadata.type, rolls_back=self.rolls_back is not None)


class TicketRow(NamedTuple):
    """What the columns say of a ticket; its view is a long document."""

    id: str
    target: str
    phase: Phase
    created_at: datetime


def get_ticket(db: Connection, id: str) -> TicketView:
    """Return one ticket as shown. Raises NotFound."""
    return TicketView.model_validate_json(_row(db, id).view)


def change_of(db: Connection, ticket: str) -> StoredChange:
    """Return what was submitted. Raises NotFound."""
    return StoredChange.model_validate_json(_row(db, ticket).stored)


def list_tickets(
    db: Connection,
    *,
    phase: str | None = None,
    service: str | None = None,
    environment: str | None = None,
    limit: int = 50,
    open_only: bool = False,
) -> list[TicketView]:
    """Return tickets, newest first."""
    query = select(_T.c.view).order_by(_T.c.created_at.desc(), _T.c.id.desc()).limit(limit)
    for column, wanted in ((_T.c.phase, phase), (_T.c.service, service), (_T.c.environment, environment)):
        if wanted is not None:
            query = query.where(column == wanted)
    if open_only:
        query = query.where(_T.c.open)
    return [TicketView.model_validate_json(view) for (view,) in db.execute(query)]


def in_phases(db: Connection, phases: Collection[Phase]) -> list[TicketView]:
    """Return every ticket that is in one of these phases, newest first."""
    query = select(_T.c.view).where(_T.c.phase.in_([phase.value for phase in phases]))
    newest = query.order_by(_T.c.created_at.desc(), _T.c.id.desc())
    return [TicketView.model_validate_json(view) for (view,) in db.execute(newest)]


def list_rows(
    db: Connection, *, limit: int, open_only: bool = False, ids: Collection[str] | None = None
) -> list[TicketRow]:
    """Return tickets, newest first, without their views; with `ids` only those of them that there are."""
    query = select(_T.c.id, _T.c.target, _T.c.phase, _T.c.created_at)
    query = query.order_by(_T.c.created_at.desc(), _T.c.id.desc()).limit(limit)
    if open_only:
        query = query.where(_T.c.open)
    if ids is not None:
        query = query.where(_T.c.id.in_(ids))
    return [
        TicketRow(row.id, row.target, Phase(row.phase), instant(row.created_at)) for row in db.execute(query)
    ]


def opened_by(db: Connection, *, key: str, content: str) -> TicketView | None:
    """Return the ticket that an idempotency key opened. Raises Conflict when it came with other content."""
    earlier = keys.ticket_of(db, key=key, content=content)
    return None if earlier is None else get_ticket(db, earlier)


def open_ticket(
    db: Connection,
    *,
    view: TicketView,
    stored: StoredChange,
    key: str,
    content: str,
    scope_open_only: bool,
    draft: EntryDraft,
) -> tuple[TicketView, bool]:
    """Open a ticket with its first entry and its start in the outbox; return it and True.

    The ticket that the idempotency key opened before is returned with False. Raises Conflict when the key
    came with other content, and InvalidChange when it depends on what cannot succeed. A key with
    `scope_open_only` joins only a ticket that is still open; the new one names the old.
    """
    head.lock(db)
    earlier = keys.ticket_of(db, key=key, content=content)
    if earlier is not None:
        before = get_ticket(db, earlier)
        if not (scope_open_only and before.phase.terminal):
            return before, False
        view = view.model_copy(update={"previous": view.previous or earlier})
    needs = dependencies.bind(db, stored.change.spec.dependsOn)
    view = view.model_copy(update={"depends_on": needs})
    stored = stored.model_copy(update={"depends_on": needs})
    row = {"id": view.id, "target": view.target, "created_at": to_ms(view.created_at), **_columns(view)}
    db.execute(insert(_T), {**row, "stored": stored.model_dump_json(by_alias=True)})
    keys.remember(db, key=key, content=content, ticket=view.id)
    dependencies.remember(db, ticket=view.id, needs=needs)
    many.remember(db, ticket=view.id, targets=stored.targets)
    append_once(db, draft, view.id)
    start = _start(view, stored).model_dump(mode="json")
    outbox.post(db, kind="start", ticket=view.id, body=start, key=f"start/{view.id}")
    return view, True


def _start(view: TicketView, stored: StoredChange) -> TicketStart:
    return TicketStart(
        ticket=view.id,
        title=view.title,
        service=view.service,
        environment=view.environment,
        type=view.type,
        requester=view.requester,
        target=view.target,
        verify=stored.change.verify_seconds,
        analysis=stored.change.spec.analysis,
        rolls_back=view.rolls_back,
        rehearsal=stored.rehearsal,
        waves=stored.waves,
    )


def patch_ticket(db: Connection, ticket: str, patch: dict[str, Any]) -> None:
    """Replace whole top-level fields of a ticket's view; a ticket that is not there is left so.

    Of its many targets only those fields that the patch has of a target (`many.merged`).
    What follows from the phase and from the holds is filled in here: `hold`, `closed_at`, and at the end of
    its life the ticket's places in the lanes.
    """
    row = db.execute(_VIEW, {"wanted": ticket}).first()
    if row is None:
        return
    shape = patch.get("plan_shape")
    view = TicketView.model_validate(many.merged(json.loads(row.view), patch))
    changes: dict[str, Any] = {"hold": most_severe(view.holds)} if {"holds", "targets"} & set(patch) else {}
    if not view.phase.terminal:
        changes["closed_at"] = None
    elif view.closed_at is None:
        changes["closed_at"] = instant(read_ms(db))
    view = view.model_copy(update=changes)
    columns = {**_columns(view), **({} if shape is None else {"plan_shape": str(shape)})}
    if view.artifact is not None:
        columns |= {"artifact": view.artifact.digest, "content": view.artifact.content}
    db.execute(_UPDATE, {**columns, "wanted": ticket})
    if view.phase.terminal:
        targets.leave_all(db, ticket=ticket)
        dependencies.tell(db, view)
        bans.learn(db, view)
        ladder.tell(db, view)
        _tell_undone(db, view)


def _tell_undone(db: Connection, view: TicketView) -> None:
    """Record with the ticket that this one rolls back how that has ended."""
    if view.rolls_back is None:
        return
    succeeded = view.phase is Phase.SUCCEEDED
    draft = EntryDraft(
        key=f"rollback.ended/{view.id}/{view.phase}",
        kind="rollback.ended",
        actor=view.id,
        at=instant(read_ms(db)),
        body={"ticket": view.id, "phase": view.phase.value},
    )
    if append_once(db, draft, view.rolls_back)[1]:
        patch_ticket(db, view.rolls_back, {"rolled_back_by": view.id if succeeded else None})


def recent_failures(db: Connection, *, service: str, environment: str, within: float) -> int:
    """Count the changes of this service and environment that failed in the last `within` seconds.

    A rehearsal that went well is rolled back, and has not failed.
    """
    asked = {"named": service, "where": environment, "since": read_ms(db) - round(within * 1000)}
    reasons = [json.loads(view).get("reason") or {} for view in db.execute(_FAILED_SINCE, asked).scalars()]
    return sum(reason.get("code") != REHEARSED for reason in reasons)


def recent_flakes(db: Connection, *, service: str, environment: str, within: float) -> int:
    """Count the changes of this service and environment, of the last `within` seconds, with a flaky check."""
    since = read_ms(db) - round(within * 1000)
    return len(db.execute(_FLAKY_SINCE, {"named": service, "where": environment, "since": since}).all())


def shape_succeeded(db: Connection, *, service: str, environment: str, shape: str) -> bool:
    """Tell whether a plan of this shape has succeeded for this service and environment before."""
    asked = {"named": service, "where": environment, "shape": shape}
    return db.execute(_OF_SHAPE, asked).first() is not None


def last_succeeded(db: Connection, target: str) -> StoredChange | None:
    """Return the change that succeeded last on this target, of those that wrote to it."""
    for (stored,) in db.execute(_LAST_SUCCEEDED, {"wanted": target, "most": WROTE_NOTHING}):
        change = StoredChange.model_validate_json(stored)
        if change.change.spec.plan.writes:
            return change.at(target)
    return None


def _row(db: Connection, id: str) -> Any:
    row = db.execute(_BY_ID, {"wanted": id}).first()
    if row is None:
        raise NotFound(f"There is no ticket {id!r}. `holdpoint list` shows what there is.")
    return row


def _columns(view: TicketView) -> dict[str, Any]:
    return {
        "phase": view.phase.value,
        "open": not view.phase.terminal,
        "service": view.service,
        "environment": view.environment,
        "closed_at": None if view.closed_at is None else to_ms(view.closed_at),
        "view": view.model_dump_json(),
    }
