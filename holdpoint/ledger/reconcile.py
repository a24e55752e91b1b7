"""Hold the cluster's own audit log against the record: nothing was done twice, unrecorded or under a freeze.

Two files decide, and neither needs us to be believed: the log is the API server's, and the record can be
verified with the ledger's public key. They are joined by `Audit-ID`, which is `<intent>.<attempt>` on every
request of ours (design decisions 2, 3 and 6).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from holdpoint.ledger.kube_audit import AuditLog, Write
from holdpoint.ledger.told import Told, told_by
from holdpoint.models.base import Model
from holdpoint.models.record import ELSEWHERE

Json = dict[str, Any]

FORWARD_USER, UNDO_USER = "holdpoint-forward", "holdpoint-undo"
VERBS = {
    "delete": {"delete"},
    "apply": {"patch", "create", "update", "apply"},
    "fence": {"patch"},
    "patch": {"patch"},
    **{verb: set[str]() for verb in ELSEWHERE},
}
"""Which verbs the API server logs for each of ours; a server-side apply is a patch."""


class Finding(Model):
    """One thing that speaks against it. `code` is a constant, `place` is file and line in the log."""

    code: str
    message: str
    audit_id: str | None = None
    intent: str | None = None
    ticket: str | None = None
    place: str | None = None


class Reconciled(Model):
    """What the comparison came to; without findings it is clean."""

    findings: list[Finding]
    writes: int
    matched: int
    undone: int
    fences: int
    deferred: list[str]
    expected: int
    uncovered: list[str]
    in_doubt: list[str]
    elsewhere: int = Field(description="done intents that went to no cluster: HTTP requests")
    clusters: list[str]
    covers: tuple[datetime | None, datetime | None]
    notes: list[str]


@dataclass(frozen=True)
class Bounds:
    """What the log is held to: our users, the clusters it is of, and the time it covers."""

    users: Collection[str] = (FORWARD_USER, UNDO_USER)
    clusters: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    skew: timedelta = timedelta()


def reconcile(log: AuditLog, record: Any, bounds: Bounds) -> Reconciled:
    """Compare a log with the document that `audit export --all` wrote. Raises UnreadableRecord."""
    told = told_by(record)
    writes = log.of(bounds.users)
    findings = list(_opened_under_freezes(told))
    if told.altered:
        message = "The record's intents are not those of its entries."
        findings.append(Finding(code="record_altered", message=message))
    for write in writes:
        findings.extend(_of_write(write, told, bounds.skew))
    findings.extend(_twice(writes, told))
    findings.extend(_strangers(log, told, bounds.users))
    matched = [told.attempts[write.audit_id][0] for write in writes if write.audit_id in told.attempts]
    clusters = _clusters(matched, told, bounds)
    covers = (bounds.since or log.first, bounds.until or log.last)
    expected, uncovered = _expected(told, clusters, covers)
    logged = {write.audit_id for write in log.writes}
    findings.extend(_missing(told, audit_id) for audit_id in expected if audit_id not in logged)
    return Reconciled(
        findings=findings,
        writes=len(writes),
        matched=len(matched),
        undone=sum(intent["direction"] == "undo" and intent["verb"] != "fence" for intent in matched),
        fences=sum(intent["verb"] == "fence" for intent in matched),
        deferred=sorted({intent["id"] for intent in matched if intent["deferred"]}),
        expected=len(expected),
        uncovered=[audit_id for audit_id in uncovered if audit_id not in logged],
        in_doubt=[id for id, intent in told.intents.items() if intent["status"] == "open"],
        elsewhere=sum(
            intent["verb"] in ELSEWHERE and intent["status"] == "done" for intent in told.intents.values()
        ),
        clusters=sorted(clusters),
        covers=covers,
        notes=log.notes,
    )


def _of_write(write: Write, told: Told, skew: timedelta) -> Iterator[Finding]:
    """Yield what is wrong with one accepted write by itself."""
    known = told.attempts.get(write.audit_id)
    if known is None:
        yield Finding(
            code="unrecorded",
            message=f"{write} names no attempt of any intent in the record.",
            audit_id=write.audit_id,
            place=write.place,
        )
        return
    intent, attempt = known
    if not _same_object(write, intent):
        named = intent["object"]
        message = (
            f"{write} is not what its intent announced: {intent['verb']} {named['kind']}/{named['name']}."
        )
        yield _finding("other_request", message, intent, write)
    if write.audit_id in told.refused:
        yield _finding(
            "refused_but_applied", f"{write} was accepted; the record says refused.", intent, write
        )
    for span in told.spans.over(intent):
        if span.landed_under(write, told.answered.get(write.audit_id), skew):
            message = f"{write} fell under the freeze {span.id} after its acknowledgement."
            yield _finding("under_freeze", message, intent, write)
    if _before_it_was_opened(write, attempt, intent, skew):
        message = f"{write} came before its intent was opened at {attempt['opened_at']}."
        yield _finding("before_its_intent", message, intent, write)


def _before_it_was_opened(write: Write, attempt: Json, intent: Json, skew: timedelta) -> bool:
    # A deferred intent is recorded after the fact. The clocks are two machines' own, so a second is nothing.
    slack = max(skew, timedelta(seconds=5))
    opened = datetime.fromisoformat(attempt["opened_at"])
    return not intent["deferred"] and write.finished < opened - slack


def _same_object(write: Write, intent: Json) -> bool:
    """Tell whether the log's object is the intent's; a field that the log does not have is not compared."""
    named, logged = intent["object"], write.object
    same = all(logged.get(name) in (None, "", named[name]) for name in ("namespace", "name"))
    resource = logged.get("resource")
    plural = resource is None or str(resource).startswith(str(named["kind"]).lower()[:-1])
    return same and plural and write.verb in VERBS[intent["verb"]]


def _twice(writes: list[Write], told: Told) -> Iterator[Finding]:
    """Yield the intents that were applied more than once.

    A fence may be: it changes a mark only. So may an undo that was minted while the ledger was down.
    """
    by_intent: dict[str, list[Write]] = defaultdict(list)
    for write in writes:
        if write.audit_id in told.attempts:
            by_intent[told.attempts[write.audit_id][0]["id"]].append(write)
    for id, several in by_intent.items():
        intent = told.intents[id]
        exempt = intent["verb"] == "fence" or (intent["direction"] == "undo" and intent["deferred"])
        if len(several) > 1 and not exempt:
            places = ", ".join(write.place for write in several)
            message = f"The intent {id} was applied {len(several)} times: {places}."
            yield _finding("applied_twice", message, intent, several[-1])


def _strangers(log: AuditLog, told: Told, users: Collection[str]) -> Iterator[Finding]:
    for write in log.writes:
        if write.user not in users and write.audit_id in told.attempts:
            message = f"{write} carries our intent's ID. If that user is ours, name it: --user {write.user}"
            yield _finding("foreign_user", message, told.attempts[write.audit_id][0], write)


def _opened_under_freezes(told: Told) -> Iterator[Finding]:
    """Yield the forward attempts that the record itself says were opened in a freeze's scope."""
    for intent, attempt in told.attempts.values():
        for span in told.spans.over(intent):
            if span.opened_under(attempt):
                message = f"{attempt['audit_id']} was opened under the freeze {span.id}, in its scope."
                yield Finding(
                    code="opened_under_freeze",
                    message=message,
                    audit_id=attempt["audit_id"],
                    intent=intent["id"],
                    ticket=intent["ticket"],
                )


def _clusters(matched: list[Json], told: Told, bounds: Bounds) -> set[str]:
    """Return the clusters that the log is of: as named, those that it mentions, or the only one."""
    if bounds.clusters:
        return set(bounds.clusters)
    mentioned = {str(intent["object"]["cluster"]) for intent in matched}
    recorded = {
        str(intent["object"]["cluster"])
        for intent in told.intents.values()
        if intent["verb"] not in ELSEWHERE
    }
    return mentioned or (recorded if len(recorded) == 1 else set())


def _expected(
    told: Told, clusters: set[str], covers: tuple[datetime | None, datetime | None]
) -> tuple[list[str], list[str]]:
    """Return the attempts whose line must be in the log, and those that are outside of its time."""
    first, last = covers
    inside: list[str] = []
    outside: list[str] = []
    for audit_id, (opened, answered) in told.done.items():
        intent = told.attempts[audit_id][0]
        if intent["object"]["cluster"] in clusters and intent["verb"] not in ELSEWHERE:
            covered = first is not None and last is not None and first <= opened and answered <= last
            (inside if covered else outside).append(audit_id)
    return inside, outside


def _missing(told: Told, audit_id: str) -> Finding:
    intent, attempt = told.attempts[audit_id]
    what = f"{intent['verb']} {intent['object']['kind']}/{intent['object']['name']}"
    return Finding(
        code="not_in_the_log",
        message=f"{audit_id} ({what}, opened {attempt['opened_at']}) is done by the record, "
        "and the log has no accepted request of it.",
        audit_id=audit_id,
        intent=intent["id"],
        ticket=intent["ticket"],
    )


def _finding(code: str, message: str, intent: Json, write: Write) -> Finding:
    return Finding(
        code=code,
        message=message,
        audit_id=write.audit_id,
        intent=intent["id"],
        ticket=intent["ticket"],
        place=write.place,
    )
