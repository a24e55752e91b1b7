"""What an exported record tells of intents, answers and freezes: the one side of a reconciliation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdpoint.ledger.canonical import parse
from holdpoint.ledger.derived import intents_of_entries
from holdpoint.ledger.freeze_spans import Spans, spans_of_entries
from holdpoint.ledger.statement import EXPORT

Json = dict[str, Any]


class UnreadableRecord(ValueError):
    """The record is not what `audit export --all` writes."""


@dataclass
class Told:
    """What the record tells, by the intent's ID or by `<intent>.<attempt>`.

    `answered` has the entry that answered an attempt, `done` from when to when a successful one was
    under way.
    """

    intents: dict[str, Json]
    attempts: dict[str, tuple[Json, Json]]
    answered: dict[str, int]
    done: dict[str, tuple[datetime, datetime]]
    refused: set[str]
    spans: Spans
    altered: bool


def parse_record(data: bytes) -> Any:
    """Return the document of an export. Raises UnreadableRecord."""
    try:
        return parse(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecord(f"The record is not JSON: {error}.") from error


def told_by(record: Any) -> Told:
    """Return what an exported record tells. Raises UnreadableRecord."""
    try:
        if record["format"] != EXPORT:
            raise UnreadableRecord(
                "The record is not that of `holdpoint audit export --all`: one ticket is not enough."
            )
        entries = record["entries"]
        intents = {intent["id"]: intent for intent in intents_of_entries(entries)}
        attempts = {
            one["audit_id"]: (intent, one) for intent in intents.values() for one in intent["attempts"]
        }
        told = Told(
            intents=intents,
            attempts=attempts,
            answered={},
            done={},
            refused=set(),
            spans=spans_of_entries(entries),
            altered=list(intents.values()) != record["intents"],
        )
        for entry in entries:
            _take_answer(told, entry)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, UnreadableRecord):
            raise
        message = "The record is not a file of `holdpoint audit export --all`, or was altered"
        raise UnreadableRecord(f"{message}: {type(error).__name__}: {error}.") from error
    return told


def _take_answer(told: Told, entry: Json) -> None:
    """Note which attempt the API server answered, and how; an observation answers none by itself."""
    body = entry["body"]
    if entry["kind"] == "intent.deferred":
        id, status, result = body["id"], body["status"], body["result"] or {}
    elif entry["kind"] in ("intent.closed", "intent.answered"):
        id, status, result = body["intent"], body["status"], body["result"] or {}
    else:
        return
    audit_id = f"{id}.{body['attempt']}"
    if result.get("observed"):
        # The mark on the object says which attempt landed. Another's, or none: the world was so already.
        audit_id = str(result.get("landed"))
        if audit_id not in told.attempts or told.attempts[audit_id][0]["id"] != id:
            return
    told.answered.setdefault(audit_id, entry["seq"])
    if status == "done" and audit_id in told.attempts:
        # What was minted while the ledger was down was recorded later: its own time is when it was minted.
        minted = entry["at"] if entry["kind"] == "intent.deferred" else None
        opened = minted or told.attempts[audit_id][1]["opened_at"]
        span = (datetime.fromisoformat(opened), datetime.fromisoformat(minted or entry["recorded"]))
        told.done.setdefault(audit_id, span)
    elif status == "refused":
        told.refused.add(audit_id)
