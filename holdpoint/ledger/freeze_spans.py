"""Which freezes the record tells of, from which moment each held, and whether a write fell under one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from holdpoint.ledger.kube_audit import Write
from holdpoint.models.record import Scope

Json = dict[str, Any]


@dataclass
class Span:
    """One freeze: declared, acknowledged when nothing forward was open in its scope any more, ended."""

    id: str
    scope: Scope
    except_types: list[str]
    seq: int
    until: datetime | None
    acknowledged_seq: int | None = None
    acknowledged_at: datetime | None = None
    ended_seq: int | None = None
    ended_at: datetime | None = None

    def stops(self, intent: Json) -> bool:
        """Tell whether it stops the intent: forward, in scope, and not of an excepted type."""
        return (
            intent["direction"] == "forward"
            and intent["change_type"] not in self.except_types
            and self.scope.covers(service=intent["service"], environment=intent["environment"])
        )

    def opened_under(self, attempt: Json) -> bool:
        """Tell whether the attempt was opened while this freeze was in force, by the record's own order."""
        if attempt["opened_seq"] < self.seq:
            return False
        if self.until is not None and _moment(attempt["opened_at"]) >= self.until:
            return False  # past its end, though the end itself is recorded a moment later
        return self.ended_seq is None or attempt["opened_seq"] < self.ended_seq

    def landed_under(self, write: Write, answered_seq: int | None, skew: timedelta) -> bool:
        """Tell whether a write may have landed after the acknowledgement and before the end.

        The record's order decides where it can: what was answered before the acknowledgement landed before
        it, whatever the clocks say. Else the API server's clock is held against the database's, with `skew`.
        """
        if self.acknowledged_seq is None or self.acknowledged_at is None:
            return False
        if answered_seq is not None and answered_seq < self.acknowledged_seq:
            return False
        ended = min((end for end in (self.ended_at, self.until) if end is not None), default=None)
        if ended is not None and write.received >= ended - skew:
            return False
        return write.finished > self.acknowledged_at + skew


@dataclass
class Spans:
    """All freezes of a record, oldest first."""

    all: list[Span] = field(default_factory=list)

    def over(self, intent: Json) -> list[Span]:
        """Return the freezes that stop such an intent while they are in force."""
        return [span for span in self.all if span.stops(intent)]


def spans_of_entries(entries: Iterable[Json]) -> Spans:
    """Return the freezes. Raises KeyError, TypeError or ValueError when an entry is not the ledger's."""
    found: dict[str, Span] = {}
    for entry in entries:
        body = entry["body"]
        match entry["kind"]:
            case "freeze.created":
                found[body["freeze"]] = Span(
                    id=body["freeze"],
                    scope=Scope.model_validate(body["scope"]),
                    except_types=list(body["except_types"]),
                    seq=entry["seq"],
                    until=None if body["until"] is None else _moment(body["until"]),
                )
            case "freeze.acknowledged":
                span = found[body["freeze"]]
                if not body["open_intents"] and span.acknowledged_seq is None:
                    span.acknowledged_seq, span.acknowledged_at = entry["seq"], _moment(entry["recorded"])
            case "freeze.lifted" | "freeze.expired":
                span = found[body["freeze"]]
                span.ended_seq, span.ended_at = entry["seq"], _moment(entry["recorded"])
    return Spans(list(found.values()))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
