"""Gauges: how the installation stands, as the ledger says."""

import time
from collections import Counter as Tally
from collections.abc import Callable, Mapping
from datetime import datetime

from prometheus_client import Gauge

from holdpoint.ledger.statistics import OpenTicket, Standing
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import HoldCode
from holdpoint.telemetry.bounds import Bounds, one_of
from holdpoint.telemetry.metrics import Metrics

OPEN = tuple(phase for phase in Phase if not phase.terminal)


class Gauges:
    """Shows one standing after the other."""

    def __init__(
        self, metrics: Metrics, bounds: Bounds, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bounds, self._clock = bounds, clock
        self._first_in_box: tuple[int | None, float] = (None, 0.0)
        gauge = metrics.gauge
        self.ledger_up = gauge("ledger_up", "1 while the ledger answers this process, else 0")
        self._sequence = gauge("ledger_sequence", "number of the record's last entry")
        self._tickets = gauge("open_tickets", "open tickets", "phase", "environment", "type")
        self._held = gauge("held_tickets", "open tickets with a hold of this code", "code")
        self._overdue_approvals = gauge(
            "approvals_overdue",
            "tickets that wait for an approval past its escalation",
            "environment",
            "type",
        )
        self._silence = gauge(
            "mutating_silence_seconds",
            "longest time that a mutating ticket without a hold has recorded nothing, beyond what its own "
            "plan explains",
            "phase",
        )
        self._intents = gauge("intents_open", "intents that are open", "direction")
        self._in_doubt = gauge("intents_in_doubt", "open intents past their deadline", "direction")
        self._dirty = gauge(
            "targets_dirty", "targets that are not as they were and not yet what they shall be"
        )
        self._failed = gauge("rollbacks_failed", "targets that a failed rollback has left to a person")
        self._taken_over = gauge("targets_taken_over", "targets that a person has in hand after that")
        self._freezes = gauge("freezes_active", "freezes in force")
        self._unacknowledged = gauge(
            "freezes_unacknowledged", "freezes in force that leave something in doubt"
        )
        self._outbox = gauge(
            "outbox_pending", "messages that the ledger has ordered and that have not arrived"
        )
        self._outbox_age = gauge(
            "outbox_oldest_seconds", "for how long the oldest such message has been seen waiting"
        )
        self._missing = gauge("archives_missing", "closed tickets whose evidence is not archived")
        self._lag = gauge("archive_lag_seconds", "time since the first of these was closed")

    def show(self, now: Standing) -> None:
        """Show how everything stands."""
        self.ledger_up.set(1)
        self._sequence.set(now.seq)
        self._show_tickets(now.open_tickets, now.now)
        for direction in ("forward", "undo"):
            self._intents.labels(direction=direction).set(now.intents_open.get(direction, 0))
            self._in_doubt.labels(direction=direction).set(now.intents_in_doubt.get(direction, 0))
        self._dirty.set(now.targets_dirty)
        self._failed.set(now.rollbacks_failed)
        self._taken_over.set(now.taken_over)
        self._freezes.set(now.freezes_active)
        self._unacknowledged.set(now.freezes_unacknowledged)
        self._outbox.set(now.outbox_pending)
        self._outbox_age.set(self._waiting(now.outbox_first))
        self._missing.set(now.archives_missing)
        self._lag.set(now.archive_oldest)

    def _show_tickets(self, tickets: list[OpenTicket], now: datetime) -> None:
        by_place: Tally[tuple[str, ...]] = Tally(
            (str(t.phase), self._bounds.environment(t.environment), self._bounds.type(t.type))
            for t in tickets
        )
        _replace(self._tickets, by_place)
        _replace(self._held, Tally((one_of(code, HoldCode),) for t in tickets for code in set(t.holds)))
        overdue = (
            t for t in tickets if t.phase == Phase.AWAITING_APPROVAL and t.escalate_at and t.escalate_at < now
        )
        _replace(
            self._overdue_approvals,
            Tally((self._bounds.environment(t.environment), self._bounds.type(t.type)) for t in overdue),
        )
        for phase in (Phase.EXECUTING, Phase.VERIFYING, Phase.ROLLING_BACK):
            silences = (_silence(t, now) for t in tickets if t.phase == phase and not t.holds)
            self._silence.labels(phase=phase.value).set(max(silences, default=0.0))

    def _waiting(self, first: int | None) -> float:
        """Return for how long this message has been the first: rows tell when they are due, not how old."""
        if first is None or first != self._first_in_box[0]:
            self._first_in_box = (first, self._clock())
        return 0.0 if first is None else self._clock() - self._first_in_box[1]


def _silence(ticket: OpenTicket, now: datetime) -> float:
    quiet = (now - ticket.spoke_at).total_seconds() if ticket.spoke_at else 0.0
    return max(0.0, quiet - ticket.patience)


def _replace(gauge: Gauge, counts: Mapping[tuple[str, ...], int]) -> None:
    """Show these counts, and nothing of what was shown before."""
    gauge.clear()
    for labels, count in counts.items():
        gauge.labels(*labels).set(count)
