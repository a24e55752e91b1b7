"""The cluster's own request log: which writes it accepted, from whom and when."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

MUTATING = ("create", "update", "patch", "delete")


@dataclass(frozen=True)
class Write:
    """One write that the cluster accepted. `received` and `answered` are in seconds since 1970."""

    user: str
    received: float
    answered: float


def writes(log: Path, *, since: float = 0.0) -> Iterator[Write]:
    """Yield the accepted writes, dry runs left out, that were received at or after a moment."""
    for line in log.read_text().splitlines():
        event = json.loads(line)
        if event["verb"] not in MUTATING or "dryRun" in event["requestURI"]:
            continue
        if event["stage"] != "ResponseComplete" or not 200 <= event["responseStatus"]["code"] < 300:
            continue
        write = Write(
            user=event["user"]["username"],
            received=_moment(event["requestReceivedTimestamp"]),
            answered=_moment(event["stageTimestamp"]),
        )
        if write.received >= since:
            yield write


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
