"""The request log, in the Kubernetes audit format (audit.k8s.io/v1), one event a line.

A line is on disk before its answer is sent, so that whoever saw an answer finds its line, also after SIGKILL.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdpoint.sandbox.clock import micros_text


class AuditLog:
    """An append-only file of audit events."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._end_torn_line()

    def write(self, event: Mapping[str, Any]) -> None:
        """Append one event with a single write call and have it on disk before returning."""
        os.write(self._file, json.dumps(event, separators=(",", ":")).encode() + b"\n")
        os.fdatasync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _end_torn_line(self) -> None:
        """End a line that a killed machine left half written, so that it spoils no other."""
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")


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
