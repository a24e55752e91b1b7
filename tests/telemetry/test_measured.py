"""The measured ledger: the caller is answered in time, and every verb is counted by how it ended."""

import threading
from contextvars import ContextVar

import pytest
from sqlalchemy import Connection

from holdpoint.ledger.store import Ledger
from holdpoint.models.errors import Conflict, UpstreamUnavailable
from holdpoint.telemetry.measured import MeasuredLedger
from holdpoint.telemetry.metrics import Metrics


async def test_a_ledger_that_hangs_is_an_outage_and_not_a_hang(ledger: Ledger) -> None:
    metrics, release = Metrics(), threading.Event()
    measured = MeasuredLedger(str(ledger._reading.url), None, metrics, patience=0.05)

    def hang(db: Connection) -> None:
        release.wait(10)

    with pytest.raises(UpstreamUnavailable, match=r"within 0\.05 s"):
        await measured.read(hang)
    release.set()
    measured.close()

    assert counted(metrics, "read", "down") == 1


async def test_a_refusal_is_an_answer_of_the_ledger(ledger: Ledger) -> None:
    metrics = Metrics()
    measured = MeasuredLedger(str(ledger._reading.url), None, metrics)

    def refuse(db: Connection) -> None:
        raise Conflict("No.")

    with pytest.raises(Conflict):
        await measured.write(refuse)
    assert await measured.write(lambda db: 7) == 7
    measured.close()

    assert (counted(metrics, "write", "refused"), counted(metrics, "write", "ok")) == (1, 1)


async def test_a_verb_runs_in_the_context_of_its_caller(ledger: Ledger) -> None:
    who = ContextVar("who", default="nobody")
    who.set("the caller")

    assert await ledger.write(lambda db: who.get()) == "the caller"
    assert await ledger.read(lambda db: who.get()) == "the caller"


def counted(metrics: Metrics, operation: str, result: str) -> float | None:
    labels = {"operation": operation, "result": result}
    return metrics.registry.get_sample_value("holdpoint_ledger_seconds_count", labels)
