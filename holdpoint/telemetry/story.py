"""Counters and histograms that follow the record's entries, whoever wrote them."""

from collections.abc import Callable
from typing import Any

from holdpoint.ledger.statistics import Told
from holdpoint.models.phases import Phase
from holdpoint.models.record import Entry
from holdpoint.models.ticket import HoldCode, RollbackResult, VerdictCode
from holdpoint.telemetry.bounds import CHECKS, Bounds, known, one_of
from holdpoint.telemetry.metrics import LONG, QUICK, Metrics

ENTERED = "phase.entered"
POSTCHECKED = "postcheck.finished"
APPROVALS = {"approval.given": "given", "approval.rejected": "rejected", "approval.denied": "denied"}
INTENTS = {
    "intent.opened": "opened",
    "intent.closed": None,  # how, its body says
    "intent.fenced": "fenced",
    "intent.deferred": "deferred",
}


class Story:
    """Counts one entry after the other."""

    def __init__(self, metrics: Metrics, bounds: Bounds) -> None:
        self._bounds = bounds
        counter, histogram = metrics.counter, metrics.histogram
        self._transitions = counter(
            "phase_transitions", "phases that tickets entered", "phase", "environment", "type"
        )
        self._phase_seconds = histogram(
            "phase_seconds",
            "seconds that a ticket was in a phase that it has left",
            LONG,
            "phase",
            "environment",
        )
        self._closed = counter(
            "changes_closed", "tickets that ended", "service", "environment", "type", "phase"
        )
        self._holds = counter("holds", "holds that were placed", "code")
        self._approvals = counter("approvals", "approvals that were given, rejected or denied", "result")
        self._approval_seconds = histogram(
            "approval_seconds",
            "seconds from the question to an approval or a rejection",
            LONG,
            "environment",
            "type",
        )
        self._verdicts = counter("verdicts", "verdicts of analyses", "verdict")
        self._promotions = counter("promotions", "holds without a verdict that a person decided", "code")
        self._prechecks = counter(
            "prechecks", "prechecks; `flaky` passed, but not at the first attempt", "check", "result"
        )
        self._postchecks = counter(
            "postchecks", "postchecks; `flaky` passed, but not at the first attempt", "check", "result"
        )
        self._rollbacks = counter("rollbacks", "rollbacks by what the comparison said", "result")
        self._takeovers = counter("takeovers", "targets given back by a person, by the comparison", "result")
        self._intents = counter("intents", "what became of intents", "direction", "result")
        self._acknowledged = histogram(
            "freeze_acknowledgement_seconds", "seconds from a freeze's order to its acknowledgement", QUICK
        )
        self._kinds: dict[str, Callable[[Told, dict[str, Any]], None]] = {
            ENTERED: self._entered,
            "hold.placed": self._held,
            "analysis.judged": self._judged,
            "promote.requested": self._promoted,
            "rollback.compared": self._compared,
            "takeover.ended": self._given_back,
            "precheck.finished": self._checked,
            POSTCHECKED: self._checked,
            "freeze.acknowledged": self._frozen,
            **dict.fromkeys(APPROVALS, self._decided),
            **dict.fromkeys(INTENTS, self._intent),
        }

    def count(self, told: Told) -> None:
        """Count one entry; of most kinds there is nothing to count."""
        counted = self._kinds.get(told.entry.kind)
        if counted is not None:
            counted(told, told.entry.body)

    def left(self, told: Told, entered: Entry) -> None:
        """Note how long the ticket was in the phase that it had entered, or how long its approver took."""
        seconds = max(0.0, (told.entry.at - entered.at).total_seconds())
        environment = self._bounds.environment(told.environment)
        if told.entry.kind == ENTERED:
            phase = entered.body.get("phase", Phase.EVALUATING.value)
            self._phase_seconds.labels(phase=one_of(phase, Phase), environment=environment).observe(seconds)
        else:
            kind = self._bounds.type(told.type)
            self._approval_seconds.labels(environment=environment, type=kind).observe(seconds)

    def _entered(self, told: Told, body: dict[str, Any]) -> None:
        phase = one_of(body.get("phase"), Phase)
        place = {
            "environment": self._bounds.environment(told.environment),
            "type": self._bounds.type(told.type),
        }
        self._transitions.labels(phase=phase, **place).inc()
        if phase in {str(terminal) for terminal in Phase if terminal.terminal}:
            self._closed.labels(phase=phase, service=self._bounds.service(told.service), **place).inc()

    def _checked(self, told: Told, body: dict[str, Any]) -> None:
        for check in body.get("checks") or []:
            passed = "flaky" if check.get("attempts", 1) > 1 else "passed"
            result = passed if check.get("passed") else "unknown" if check.get("unknown") else "failed"
            name = known(check.get("kind") or check.get("name"), CHECKS)
            counter = self._postchecks if told.entry.kind == POSTCHECKED else self._prechecks
            counter.labels(check=name, result=result).inc()

    def _frozen(self, told: Told, body: dict[str, Any]) -> None:
        ack_ms = (body.get("facts") or {}).get("ack_ms")
        if isinstance(ack_ms, int | float):
            self._acknowledged.observe(ack_ms / 1000)

    def _intent(self, told: Told, body: dict[str, Any]) -> None:
        request = body.get("request") or {}
        direction = known(body.get("direction") or request.get("direction"), ("forward", "undo"))
        result = INTENTS[told.entry.kind] or known(body.get("status"), ("done", "refused"))
        self._intents.labels(direction=direction, result=result).inc()

    def _decided(self, told: Told, body: dict[str, Any]) -> None:
        self._approvals.labels(result=APPROVALS[told.entry.kind]).inc()

    def _held(self, told: Told, body: dict[str, Any]) -> None:
        self._holds.labels(code=one_of(body.get("code"), HoldCode)).inc()

    def _judged(self, told: Told, body: dict[str, Any]) -> None:
        self._verdicts.labels(verdict=one_of(body.get("verdict"), VerdictCode)).inc()

    def _promoted(self, told: Told, body: dict[str, Any]) -> None:
        code = one_of(str(body.get("over")).partition(", ")[0], HoldCode)
        self._promotions.labels(code=code).inc()

    def _given_back(self, told: Told, body: dict[str, Any]) -> None:
        self._takeovers.labels(result=one_of(body.get("result"), RollbackResult)).inc()

    def _compared(self, told: Told, body: dict[str, Any]) -> None:
        self._rollbacks.labels(result=one_of(body.get("result"), RollbackResult)).inc()


def asks_when_entered(told: Told) -> bool:
    """Tell whether it matters when the ticket had come into the phase that it was in."""
    return told.entry.kind in (ENTERED, "approval.given", "approval.rejected")
