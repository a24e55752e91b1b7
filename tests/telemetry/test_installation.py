"""What the ledger says becomes metrics: bounded labels, nothing counted twice, and the outage is seen."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdpoint.clients.catalog import NullCatalog
from holdpoint.ledger import entries
from holdpoint.ledger.store import Ledger
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from holdpoint.telemetry.bounds import Bounds
from holdpoint.telemetry.installation import Installation
from holdpoint.telemetry.metrics import Metrics
from tests.worker.conftest import OpenTicket, enter, take

TICKET = "chg-aaaaaaaaaa"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def installation(metrics: Metrics, ledger: Ledger) -> Installation:
    return Installation(metrics, ledger, Bounds(["staging"], NullCatalog()))


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"holdpoint_{name}", labels)


def tell(ledger: Ledger, kind: str, body: dict[str, Any], *, ago: float = 0, **patch: Any) -> None:
    at = datetime.now(UTC) - timedelta(seconds=ago)
    draft = EntryDraft(key=f"{kind}/{at}", kind=kind, actor="holdpoint", at=at, body=body)
    ledger.write_now(entries.append, Record(ticket=TICKET, entries=[draft], patch=patch))


async def test_new_entries_are_counted_once_and_old_ones_not(
    installation: Installation, metrics: Metrics, ledger: Ledger, open_ticket: OpenTicket
) -> None:
    open_ticket(TICKET, age=60, phase=Phase.EXECUTING)
    await installation.look()

    tell(ledger, "phase.entered", {"phase": "RolledBack"}, phase="RolledBack")
    tell(ledger, "analysis.judged", {"verdict": "fail"})
    tell(ledger, "analysis.judged", {"verdict": "a verdict of tomorrow"})
    tell(ledger, "rollback.compared", {"result": "restored"})
    tell(ledger, "hold.placed", {"code": "frozen"})
    tell(ledger, "promote.requested", {"over": "no_data, provider_down"})
    tell(ledger, "precheck.finished", {"checks": [{"name": "health", "passed": True, "attempts": 3}]})
    own = {"name": "orders", "kind": "query", "passed": True, "attempts": 2}
    tell(ledger, "postcheck.finished", {"checks": [own]})
    tell(ledger, "intent.opened", {"direction": "forward"})
    await installation.look()
    await installation.look()

    place = {"environment": "staging", "type": "standard"}
    assert value(metrics, "phase_transitions_total", phase="RolledBack", **place) == 1
    assert value(metrics, "phase_transitions_total", phase="Executing", **place) is None
    assert value(metrics, "changes_closed_total", phase="RolledBack", service="other", **place) == 1
    assert value(metrics, "phase_seconds_count", phase="Executing", environment="staging") is None
    assert value(metrics, "verdicts_total", verdict="fail") == 1
    assert value(metrics, "verdicts_total", verdict="other") == 1
    assert value(metrics, "rollbacks_total", result="restored") == 1
    assert value(metrics, "holds_total", code="frozen") == 1
    assert value(metrics, "promotions_total", code="no_data") == 1
    assert value(metrics, "prechecks_total", check="health", result="flaky") == 1
    assert value(metrics, "postchecks_total", check="query", result="flaky") == 1
    assert value(metrics, "intents_total", direction="forward", result="opened") == 1


async def test_the_time_in_a_phase_is_from_entry_to_entry(
    installation: Installation, metrics: Metrics, ledger: Ledger, open_ticket: OpenTicket
) -> None:
    open_ticket(TICKET, age=600, phase=Phase.EVALUATING)
    await installation.look()

    tell(ledger, "phase.entered", {"phase": "AwaitingApproval"}, ago=100, phase="AwaitingApproval")
    tell(ledger, "approval.given", {}, ago=40)
    tell(ledger, "phase.entered", {"phase": "Scheduled"}, ago=10, phase="Scheduled")
    await installation.look()

    waited = value(metrics, "phase_seconds_sum", phase="AwaitingApproval", environment="staging")
    assert waited == pytest.approx(90, abs=1)
    approval = value(metrics, "approval_seconds_sum", environment="staging", type="standard")
    assert approval == pytest.approx(60, abs=1)


async def test_gauges_show_how_everything_stands(
    installation: Installation, metrics: Metrics, ledger: Ledger, open_ticket: OpenTicket
) -> None:
    open_ticket(TICKET, age=60, phase=Phase.AWAITING_APPROVAL)
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    hold = {"code": "frozen", "message": "m", "by": "b", "since": past, "lift": "l"}
    tell(ledger, "hold.placed", {"code": "frozen"}, holds=[hold], approvals={"escalate_at": past})
    await installation.look()

    place = {"environment": "staging", "type": "standard"}
    assert value(metrics, "open_tickets", phase="AwaitingApproval", **place) == 1
    assert value(metrics, "held_tickets", code="frozen") == 1
    assert value(metrics, "approvals_overdue", **place) == 1
    assert value(metrics, "outbox_pending") == 1
    assert value(metrics, "ledger_up") == 1

    enter(ledger, TICKET, Phase.SCHEDULED)
    await installation.look()
    assert value(metrics, "open_tickets", phase="AwaitingApproval", **place) is None
    assert value(metrics, "approvals_overdue", **place) is None


async def test_a_mutating_ticket_that_says_nothing_is_seen_unless_its_plan_or_a_hold_explains_it(
    installation: Installation, metrics: Metrics, ledger: Ledger, open_ticket: OpenTicket
) -> None:
    open_ticket(TICKET, age=4000, phase=Phase.EVALUATING)
    tell(ledger, "phase.entered", {"phase": "Executing"}, ago=3600, phase="Executing")
    await installation.look()
    silent = value(metrics, "mutating_silence_seconds", phase="Executing")

    hold = {"code": "paused", "message": "m", "by": "b", "since": datetime.now(UTC).isoformat(), "lift": "l"}
    tell(ledger, "hold.placed", {}, ago=3500, holds=[hold])
    await installation.look()

    assert silent == pytest.approx(3600 - 120, abs=5)  # an analysis without a deadline may take 2 minutes
    assert value(metrics, "mutating_silence_seconds", phase="Executing") == 0


async def test_a_failed_rollback_is_seen_until_somebody_has_settled_it(
    installation: Installation, metrics: Metrics, ledger: Ledger, open_ticket: OpenTicket
) -> None:
    open_ticket(TICKET, phase=Phase.EXECUTING)
    take(ledger, TICKET)
    enter(ledger, TICKET, Phase.ROLLBACK_FAILED)
    await installation.look()
    failed = value(metrics, "rollbacks_failed")

    enter(ledger, TICKET, Phase.ROLLED_BACK)
    await installation.look()

    assert (failed, value(metrics, "rollbacks_failed")) == (1, 0)


async def test_an_archive_that_is_missing_is_seen(
    installation: Installation, metrics: Metrics, ledger: Ledger, open_ticket: OpenTicket
) -> None:
    open_ticket(TICKET, age=900, phase=Phase.EVALUATING)
    closed = (datetime.now(UTC) - timedelta(seconds=600)).isoformat()
    tell(ledger, "phase.entered", {"phase": "Failed"}, phase="Failed", closed_at=closed)
    await installation.look()
    missing, lag = value(metrics, "archives_missing"), value(metrics, "archive_lag_seconds")

    tell(ledger, "ticket.archived", {})
    await installation.look()

    assert missing == 1
    assert lag == pytest.approx(600, abs=10)
    assert value(metrics, "archives_missing") == 0


async def test_a_ledger_that_is_away_is_seen(installation: Installation, metrics: Metrics) -> None:
    await installation.look()
    away = Installation(
        metrics2 := Metrics(), Ledger("sqlite:////nowhere/ledger.db"), Bounds([], NullCatalog())
    )

    await away.look()

    assert value(metrics, "ledger_up") == 1
    assert value(metrics2, "ledger_up") == 0
