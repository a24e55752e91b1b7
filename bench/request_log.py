"""The cluster's own request log: which mutating requests it had, from whom, when, and what became of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

MUTATING = ("create", "update", "patch", "delete")


@dataclass(frozen=True)
class Write:
    """One mutating request. `received` and `answered` are in seconds since 1970.

    `object` is resource/name.
    """

    user: str
    object: str
    accepted: bool
    dry_run: bool
    received: float
    answered: float


def writes(log: Path, *, since: float = 0.0) -> Iterator[Write]:
    """Yield the accepted writes, dry runs left out, that were received at or after a moment."""
    return (write for write in mutating(log, since=since) if write.accepted and not write.dry_run)


def mutating(log: Path, *, since: float = 0.0) -> Iterator[Write]:
    """Yield every mutating request, also what was refused and dry runs, received at or after a moment."""
    with log.open() as lines:
        for line in lines:
            event = json.loads(line)
            if event["verb"] in MUTATING and event["stage"] == "ResponseComplete":
                write = _write(event)
                if write.received >= since:
                    yield write


def _write(event: dict[str, Any]) -> Write:
    about = event.get("objectRef") or {}
    return Write(
        user=event["user"]["username"],
        object=f"{about.get('resource', '')}/{about.get('name', '')}",
        accepted=200 <= event["responseStatus"]["code"] < 300,
        dry_run="dryRun" in event["requestURI"],
        received=_moment(event["requestReceivedTimestamp"]),
        answered=_moment(event["stageTimestamp"]),
    )


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
