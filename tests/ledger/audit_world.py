"""A cluster's audit log and the record of the same changes, small enough to be tampered with by hand."""

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from holdpoint.ledger import entries, export, freezes, intents
from holdpoint.ledger.kube_audit import AuditLog, read_logs
from holdpoint.ledger.reconcile import Bounds, Reconciled, reconcile
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.told import parse_record
from holdpoint.models.record import EntryDraft, Freeze, Intent, IntentRequest, Opened, Record, Scope
from holdpoint.sandbox import audit

FORWARD, UNDO = "holdpoint-forward", "holdpoint-undo"


def now() -> datetime:
    return datetime.now(UTC)


def event(audit_id: str, *, at: datetime | None = None, **changes: Any) -> dict[str, Any]:
    """Return an accepted patch of the Deployment `shop`, as kube-apiserver logs it."""
    received = (at or now()).timestamp()
    accepted = audit.event(
        audit_id=audit_id,
        verb="patch",
        user=FORWARD,
        uri="/apis/apps/v1/namespaces/default/deployments/shop?fieldManager=holdpoint&timeout=14s",
        code=200,
        received=received,
        finished=received + 0.001,
        object_ref={"resource": "deployments", "namespace": "default", "name": "shop", "apiGroup": "apps"},
        user_agent="holdpoint",
        source="127.0.0.1",
        failure=None,
    )
    return {**accepted, **changes}


@dataclass
class AuditWorld:
    """Both sides: what is done through it stands in the ledger and in the log."""

    ledger: Ledger
    signer: Signer
    folder: Path
    request: Any
    lines: list[dict[str, Any]] = field(default_factory=list)

    def open(self, key: str, **changes: Any) -> Intent:
        """Open an intent without sending anything."""
        outcome = self.ledger.write_now(intents.open_intent, self.request(key, **changes))
        assert isinstance(outcome, Opened), outcome
        return outcome.intent

    def sent(self, intent: Intent, **changes: Any) -> None:
        """Let the API server log an attempt as accepted."""
        user = FORWARD if intent.request.direction == "forward" else UNDO
        self.lines.append(event(intent.audit_id, **{"user": {"username": user}, **changes}))

    def close(self, intent: Intent, status: Any = "done", **result: Any) -> None:
        """Record the answer to an attempt."""
        result = result or {"audit_id": intent.audit_id}
        attempt = None if result.get("observed") else intent.attempt
        self.ledger.write_now(intents.close_intent, intent.id, status=status, result=result, attempt=attempt)

    def write(self, key: str, **changes: Any) -> Intent:
        """Open, send and close: one write as it should be."""
        intent = self.open(key, **changes)
        self.sent(intent)
        self.close(intent)
        return intent

    def freeze(self, *, acknowledge: bool = True) -> Freeze:
        """Freeze the shop."""
        freeze = self.ledger.write_now(
            freezes.create_freeze,
            scope=Scope(service="shop"),
            reason="INC-7",
            by="commander",
            until=None,
            except_types=[],
        )
        if acknowledge:
            self.ledger.write_now(freezes.acknowledge_freeze, freeze.id, {})
        return freeze

    def defer(self, key: str) -> Intent:
        """Mint an undo as it is done while the ledger is down, send it, and record it later."""
        request: IntentRequest = self.request(key, direction="undo")
        minted = {"opened_seq": 0, "attempt": 1000, "deadline": now(), "result": {"uid": "u"}}
        intent = Intent(id=request.id, request=request, status="done", deferred=True, **minted)
        self.sent(intent)
        draft = EntryDraft(
            key=f"intent.deferred/{intent.audit_id}",
            kind="intent.deferred",
            actor="run-1",
            at=now(),
            body=intent.model_dump(mode="json"),
        )
        self.ledger.write_now(entries.append, Record(ticket="chg-1", entries=[draft]))
        return intent

    def log(self) -> AuditLog:
        """Return the log, which began before and goes on after what was done."""
        others = {"user": {"username": "kubelet"}}
        first = event("a", at=now() - timedelta(hours=1), **others)
        last = event("z", at=now() + timedelta(seconds=1), **others)
        path = self.folder / "audit.log"
        path.write_text("".join(json.dumps(one) + "\n" for one in [first, *self.lines, last]))
        return read_logs([path])

    def record(self) -> bytes:
        return self.ledger.read_now(export.export_all, signer=self.signer)

    def compare(self, **bounds: Any) -> Reconciled:
        return reconcile(self.log(), parse_record(self.record()), Bounds(**bounds))

    def codes(self, **bounds: Any) -> list[str]:
        return [finding.code for finding in self.compare(**bounds).findings]

    def again(self, place: int = -1, **changes: Any) -> None:
        """Add a line once more, changed."""
        self.lines.append({**copy.deepcopy(self.lines[place]), **changes})
