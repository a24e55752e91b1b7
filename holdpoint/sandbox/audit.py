"""The request log, in the Kubernetes audit format (audit.k8s.io/v1), one event a line.

A line is written before its answer is sent, so that whoever saw an answer finds its line, also after
SIGKILL. The event of a write is committed with the write itself; a line that a kill kept from the file is
added at the start.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdpoint.sandbox.clock import micros_text

TAIL = 1 << 20
"""Bytes at the end of the file among which the last event's line is."""


class AuditLog:
    """An append-only file of audit events."""

    def __init__(self, path: Path, last: Mapping[str, Any] | None) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._mend(last)

    def write(self, event: Mapping[str, Any]) -> None:
        """Append one event with a single write call."""
        os.write(self._file, _line(event))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _mend(self, last: Mapping[str, Any] | None) -> None:
        """Cut a half-written line off, and add the event that was committed without its line."""
        size = os.fstat(self._file).st_size
        tail = os.pread(self._file, TAIL, max(0, size - TAIL))
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn:
            os.ftruncate(self._file, size - torn)
        if last is not None and _line(last) not in tail:
            self.write(last)


def _line(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def event(
    *,
    audit_id: str,
    verb: str,
    user: str,
    uri: str,
    code: int,
    received: float,
    finished: float,
    object_ref: Mapping[str, str],
    user_agent: str,
    source: str,
    failure: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return one `ResponseComplete` event at level Metadata; times are Unix seconds."""
    status: dict[str, Any] = {"metadata": {}, "code": code}
    if failure:
        status |= {key: failure[key] for key in ("status", "message", "reason") if key in failure}
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": audit_id,
        "stage": "ResponseComplete",
        "requestURI": uri,
        "verb": verb,
        "user": {"username": user, "groups": ["system:authenticated"]},
        "sourceIPs": [source],
        "userAgent": user_agent,
        "objectRef": dict(object_ref),
        "responseStatus": status,
        "requestReceivedTimestamp": micros_text(received),
        "stageTimestamp": micros_text(finished),
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    }
