"""The proof that nothing was applied twice, as a stranger would make it: two files, joined by Audit-ID.

One is the cluster's own request log, which none of our code writes; the other is the exported record.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

FORWARD = "holdpoint-forward"
OURS = (FORWARD, "holdpoint-undo")
MUTATING = ("create", "update", "patch", "delete", "deletecollection", "apply")


def applied(audit_log: Path) -> list[dict[str, Any]]:
    """Return the lines of the request log in which the cluster accepted a write of ours."""
    lines = [json.loads(line) for line in audit_log.read_text().splitlines() if line.strip()]
    return [
        line
        for line in lines
        if line["user"]["username"] in OURS
        and line["verb"] in MUTATING
        and 200 <= line["responseStatus"]["code"] < 300
        and "All" not in parse_qs(urlsplit(line["requestURI"]).query).get("dryRun", [])
    ]


def objections(writes: list[dict[str, Any]], export: dict[str, Any]) -> list[str]:
    """Return what speaks against it: writes without an intent, and intents that were applied twice."""
    attempts = {
        attempt["audit_id"]: intent["id"] for intent in export["intents"] for attempt in intent["attempts"]
    }
    found = [
        f"{line['verb']} {line['requestURI']} has no intent in the record ({line['auditID']})"
        for line in writes
        if line["auditID"] not in attempts
    ]
    times = Counter(attempts[line["auditID"]] for line in writes if line["auditID"] in attempts)
    return found + [
        f"intent {intent} was applied {count} times" for intent, count in times.items() if count > 1
    ]
