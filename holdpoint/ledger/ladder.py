"""Where an artifact has run, environment by environment: since when, how long, and what ended it.

Told by the tickets that have succeeded and by the bans that were ever made: a ban that was lifted has ended
the run all the same, and the artifact must succeed there anew. The clock that counts is the caller's.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from holdpoint.ledger import head, many, outbox, schema
from holdpoint.ledger.clock import instant
from holdpoint.models.artifact import Breach, Rung, Soak, Unknown
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import TicketView

_T, _B, _TG = schema.tickets, schema.bans, schema.targets
_AT = many.places()
_SUCCEEDED = _T.c.phase == Phase.SUCCEEDED.value


class _Event(NamedTuple):
    """A success of some artifact on a target, or a breach of the one that is asked about."""

    at: int
    breach: bool
    environment: str
    ticket: str
    artifact: str
    code: str


class _Run:
    """One run while its events are gone through."""

    def __init__(self) -> None:
        self.since: int | None = None
        self.last: _Event | None = None
        self.ended: _Event | None = None
        self.breach: _Event | None = None

    def take(self, event: _Event, artifact: str, environment: str) -> None:
        """Take in the next event of the target."""
        if event.breach:
            self.breach = event
            self.ended = self.ended or event
        elif event.artifact != artifact:
            self.ended = self.ended or (event if self.since is not None else None)
        elif event.environment == environment:
            if self.since is None or self.ended is not None:
                self.since, self.ended, self.breach = event.at, None, None
            self.last = event


def ladder_of(
    db: Connection, *, service: str, artifact: str, now: datetime, submitted: datetime | None = None
) -> list[Rung]:
    """Return the last run of an artifact on every target where it succeeded or was rolled back."""
    breaches = _breaches(db, service, artifact)
    places = {(row.environment, row.target) for row in db.execute(_places(service, artifact))} | set(breaches)
    targets = {target for _, target in places}
    events, unsettled = _successes(db, targets), _unsettled(db, targets)
    rungs = []
    for environment, target in sorted(places):
        run = _Run()
        for event in sorted(events[target] + breaches[environment, target], key=_order):
            run.take(event, artifact, environment)
        rungs.append(_rung(db, run, environment, target, target in unsettled, now, submitted or now))
    return rungs


def _order(event: _Event) -> tuple[int, bool, str]:
    # Of two at one moment the breach comes first: a rollback after success is told as what it takes away.
    return event.at, not event.breach, event.ticket


def soaked_at(rungs: Collection[Rung], soak: Soak, now: datetime) -> datetime | None:
    """Return when the soak is over if nothing happens; None where there is nothing to wait for.

    That is so when it is over, and also when it cannot be any more: the policy says what then.
    """
    there = [rung for rung in rungs if rung.environment == soak.environment and rung.breach is None]
    if any(isinstance(rung.soak, float) and rung.soak >= soak.seconds for rung in there):
        return None
    begun = [rung.since for rung in there if rung.running is True and rung.since is not None]
    return min((since + timedelta(seconds=soak.seconds) for since in begun), default=None)


def tell(db: Connection, closed: TicketView) -> None:
    """Wake the scheduled tickets of the service elsewhere: what they wait for may have begun, or ended."""
    if closed.artifact is None:
        return
    waiting = select(_T.c.id).where(
        _T.c.service == closed.service,
        _T.c.environment != closed.environment,
        _T.c.phase == Phase.SCHEDULED.value,
    )
    for ticket in db.execute(waiting.order_by(_T.c.id)).scalars().all():
        key = f"wake/{ticket}/ladder/{closed.id}/{head.lock(db).seq}"
        outbox.post(db, kind="wake", ticket=ticket, body={"cause": f"ladder {closed.id}"}, key=key)


def last_success(db: Connection, *, service: str, environment: str) -> str | None:
    """Return the ticket that succeeded last for a service in an environment, of those that wrote anything."""
    query = select(_T.c.id).where(
        _T.c.service == service, _T.c.environment == environment, _SUCCEEDED, _T.c.artifact.is_not(None)
    )
    return db.execute(query.order_by(_T.c.closed_at.desc(), _T.c.id).limit(1)).scalar_one_or_none()


def _places(service: str, artifact: str) -> Any:
    query = select(_T.c.environment, _AT.c.target).join(_AT, _AT.c.ticket == _T.c.id).distinct()
    return query.where(_T.c.service == service, _T.c.artifact == artifact, _SUCCEEDED)


def _breaches(db: Connection, service: str, artifact: str) -> defaultdict[tuple[str, str], list[_Event]]:
    query = select(_B).where(_B.c.service == service, _B.c.digest == artifact, _B.c.covers == "artifact")
    found = defaultdict[tuple[str, str], list[_Event]](list)
    for row in db.execute(query):
        event = _Event(row.at, True, row.environment, row.ticket, artifact, row.code)
        found[row.environment, row.target].append(event)
    return found


def _successes(db: Connection, targets: Collection[str]) -> defaultdict[str, list[_Event]]:
    """Return every success on these targets of which the artifact is known."""
    query = select(_T.c.id, _T.c.environment, _AT.c.target, _T.c.artifact, _T.c.closed_at)
    query = query.join(_AT, _AT.c.ticket == _T.c.id)
    query = query.where(_AT.c.target.in_(sorted(targets)), _SUCCEEDED, _T.c.artifact.is_not(None))
    found = defaultdict[str, list[_Event]](list)
    for row in db.execute(query):
        event = _Event(row.closed_at, False, row.environment, row.id, row.artifact, "")
        found[row.target].append(event)
    return found


def _unsettled(db: Connection, targets: Collection[str]) -> set[str]:
    """Return the targets that a ticket has left half undone: nobody can say what runs there."""
    query = (
        select(_TG.c.target)
        .join(_T, _T.c.id == _TG.c.holder_ticket)
        .where(_TG.c.target.in_(sorted(targets)), _TG.c.dirty, _T.c.phase == Phase.ROLLBACK_FAILED.value)
    )
    return set(db.execute(query).scalars())


def _rung(
    db: Connection,
    run: _Run,
    environment: str,
    target: str,
    unsettled: bool,
    now: datetime,
    submitted: datetime,
) -> Rung:
    ended, breach = run.ended, run.breach
    running: bool | Unknown = run.since is not None and ended is None
    running = "unknown" if running and unsettled else running
    return Rung(
        environment=environment,
        target=target,
        ticket=run.last.ticket if run.last else None,
        succeeded_at=instant(run.last.at) if run.last else None,
        verdicts=_verdicts(db, run.last.ticket) if run.last else {},
        running=running,
        since=None if run.since is None else instant(run.since),
        ended_at=None if ended is None else instant(ended.at),
        ended_by=None if ended is None else ended.ticket,
        breach=Breach(ticket=breach.ticket, code=breach.code, at=instant(breach.at)) if breach else None,
        soak="unknown" if running == "unknown" else _lasted(run, now),
        soak_at_submit="unknown" if running == "unknown" else _lasted(run, submitted),
    )


def _lasted(run: _Run, until: datetime) -> float:
    """Return for how many seconds the run counts: none after a breach."""
    if run.since is None or run.breach is not None:
        return 0.0
    end = until if run.ended is None else min(until, instant(run.ended.at))
    return max(0.0, (end - instant(run.since)).total_seconds())


def _verdicts(db: Connection, ticket: str) -> dict[str, int]:
    text = db.execute(select(_T.c.view).where(_T.c.id == ticket)).scalar_one()
    view = TicketView.model_validate_json(text)
    codes = [verdict.verdict.value for step in view.steps for verdict in step.verdicts]
    return {code: codes.count(code) for code in sorted(set(codes))}
