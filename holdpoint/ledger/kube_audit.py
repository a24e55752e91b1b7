"""Read a Kubernetes API server's audit log: audit.k8s.io/v1, a JSON event a line, zipped files too.

Format: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/. One request has several events,
one for each stage; only `ResponseComplete` says what came of it, so only that one counts.
"""

import gzip
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

MUTATING = frozenset({"create", "update", "patch", "apply", "delete", "deletecollection"})
COMPLETE = "ResponseComplete"
GZIP = b"\x1f\x8b"


class UnreadableLog(ValueError):
    """A file is not an audit log; the message names file and line."""


@dataclass(frozen=True)
class Write:
    """One mutating request that the API server accepted, as its log tells it."""

    audit_id: str
    user: str
    verb: str
    uri: str
    object: dict[str, Any]
    received: datetime
    finished: datetime
    place: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.verb} {urlsplit(self.uri).path} by {self.user} at {self.finished.isoformat()}"


@dataclass
class AuditLog:
    """What one or several files of a log say: the accepted writes, and the time that the log covers."""

    writes: list[Write] = field(default_factory=list)
    lines: int = 0
    requests: int = 0
    first: datetime | None = None
    last: datetime | None = None
    notes: list[str] = field(default_factory=list)

    def of(self, users: Collection[str]) -> list[Write]:
        """Return the accepted writes of these users, oldest first."""
        return [write for write in self.writes if write.user in users]


def read_logs(paths: Iterable[Path]) -> AuditLog:
    """Return what the files say together, in any order; an event that stands in two of them counts once.

    Raises UnreadableLog.
    """
    log, seen = AuditLog(), set[tuple[Any, ...]]()
    for path in paths:
        for place, event in _events(path, log):
            stage = _text(event, "stage", place)
            if stage != COMPLETE:
                continue
            write, accepted = _write(event, place)
            identity = (write.audit_id, write.user, write.verb, write.uri, write.received, write.finished)
            if identity in seen:
                continue
            seen.add(identity)
            log.requests += 1
            log.first = min(log.first or write.received, write.received)
            log.last = max(log.last or write.finished, write.finished)
            if accepted:
                log.writes.append(write)
    if log.lines and not log.requests:
        raise UnreadableLog(
            f"No event of the log has the stage {COMPLETE}, so it does not say what the API server accepted. "
            "Take the stage out of `omitStages` in the audit policy."
        )
    log.writes.sort(key=lambda write: write.finished)
    return log


def _events(path: Path, log: AuditLog) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == GZIP
            raw.seek(0)
            with gzip.open(raw) if zipped else raw as lines:
                for number, line in enumerate(lines, start=1):
                    yield from _parsed(line, f"{path}:{number}", log)
    except (OSError, EOFError) as error:
        raise UnreadableLog(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _parsed(line: bytes, place: str, log: AuditLog) -> Iterator[tuple[str, dict[str, Any]]]:
    if not line.strip():
        return
    try:
        event = json.loads(line)
    except ValueError as error:
        if not line.endswith(b"\n"):
            # The file was copied while the API server wrote to it.
            log.notes.append(f"{place}: the last line is cut off and was left out")
            return
        raise UnreadableLog(f"{place}: it is not JSON: {error}.") from error
    log.lines += 1
    batch = (
        event.get("items", []) if isinstance(event, dict) and event.get("kind") == "EventList" else [event]
    )
    for one in batch:
        if not isinstance(one, dict) or "auditID" not in one:
            raise UnreadableLog(f"{place}: it is not an event of audit.k8s.io/v1: it has no auditID.")
        yield place, one


def _write(event: dict[str, Any], place: str) -> tuple[Write, bool]:
    """Return the request of an event, and whether it changed something."""
    status = event.get("responseStatus")
    user = event.get("user")
    if not isinstance(user, dict) or not isinstance(status, dict | None):
        raise UnreadableLog(f"{place}: user and responseStatus must be objects.")
    reference = event.get("objectRef")
    write = Write(
        audit_id=_text(event, "auditID", place),
        user=_text(user, "username", place),
        verb=_text(event, "verb", place).lower(),
        uri=_text(event, "requestURI", place),
        object=reference if isinstance(reference, dict) else {},
        received=_time(event, "requestReceivedTimestamp", place),
        finished=_time(event, "stageTimestamp", place),
        place=place,
    )
    code = (status or {}).get("code")
    accepted = isinstance(code, int) and 200 <= code < 300
    return write, accepted and write.verb in MUTATING and not _dry_run(event, write.uri)


def _dry_run(event: dict[str, Any], uri: str) -> bool:
    """Tell whether nothing was written: by the query, or by the DeleteOptions where the log has bodies."""
    body = event.get("requestObject")
    options = body.get("dryRun") if isinstance(body, dict) and body.get("kind") == "DeleteOptions" else None
    in_body = isinstance(options, list) and "All" in options
    return in_body or "All" in parse_qs(urlsplit(uri).query).get("dryRun", [])


def _text(event: dict[str, Any], name: str, place: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableLog(f"{place}: it is not an event of audit.k8s.io/v1: {name} is missing.")
    return value


def _time(event: dict[str, Any], name: str, place: str) -> datetime:
    text = _text(event, name, place)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnreadableLog(f"{place}: {name} is not a time: {text}.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
