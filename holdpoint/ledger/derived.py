"""The intents as the entries alone tell them: what an export lists, and what a verifier works out again."""

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def intents_of_entries(entries: Iterable[Json]) -> list[Json]:
    """Return every intent in the order of its first opening, each with all its attempts and how it ended.

    Raises KeyError, TypeError or ValueError when an entry of an intent is not as the ledger writes it.
    """
    found: dict[str, Json] = {}
    for entry in entries:
        body = entry["body"]
        match entry["kind"]:
            case "intent.opened":
                intent = found.setdefault(body["intent"], _opened(entry, body["intent"], body["request"]))
                intent["attempts"].append(_attempt(entry, body))
                intent |= {"status": "open", "closed_seq": None, "result": None}
            case "intent.deferred":
                intent = found.setdefault(body["id"], _opened(entry, body["id"], body["request"]))
                _deferred(intent, entry, body)
            case "intent.closed":
                _end(found[body["intent"]], entry, body["status"], body["result"])
            case "intent.fenced":
                _end(found[body["intent"]], entry, "fenced", {"by": body["by"]})
            case "intent.answered":
                found[body["intent"]]["late_answers"].append(
                    {name: body[name] for name in ("attempt", "status", "result")} | {"seq": entry["seq"]}
                )
    return list(found.values())


def _opened(entry: Json, id: str, request: Json) -> Json:
    told = ("target", "run", "key", "direction", "verb", "object", "service", "environment", "change_type")
    return {
        "id": id,
        "ticket": entry["ticket"],
        **{name: request[name] for name in told},
        "status": "open",
        "closed_seq": None,
        "result": None,
        "deferred": False,
        "attempts": [],
        "late_answers": [],
    }


def _deferred(intent: Json, entry: Json, body: Json) -> None:
    # Either minted while the ledger was down, or opened in it before: then only the answer is deferred.
    audit_id = f"{body['id']}.{body['attempt']}"
    if audit_id not in [attempt["audit_id"] for attempt in intent["attempts"]]:
        intent["attempts"].append(_attempt(entry, {**body, "audit_id": audit_id}))
    last = max(attempt["attempt"] for attempt in intent["attempts"])
    if intent["status"] != "done" and (body["attempt"] == last or body["status"] == "done"):
        _end(intent, entry, body["status"], body["result"])
        intent["deferred"] = True


def _attempt(entry: Json, body: Json) -> Json:
    return {
        "attempt": body["attempt"],
        "audit_id": body["audit_id"],
        "opened_seq": entry["seq"],
        "opened_at": entry["recorded"],
        "deadline": body["deadline"],
        "resource_version": body["request"]["resource_version"],
    }


def _end(intent: Json, entry: Json, status: str, result: Any) -> None:
    intent |= {
        "status": status,
        "closed_seq": None if status == "open" else entry["seq"],
        "result": result,
    }
