"""An edited catalog wakes who waits for a window, and nobody else."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdpoint.ledger import entries, outbox
from holdpoint.ledger.store import Ledger
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from holdpoint.models.ticket import Hold, HoldCode
from tests.worker.conftest import OpenTicket
from worker.catalog_watch import CatalogWatch


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    file = tmp_path / "catalog.yaml"
    file.write_text("windows: []\n")
    return file


async def hold(ledger: Ledger, ticket: str, code: HoldCode) -> None:
    now = datetime.now(UTC)
    placed = Hold(code=code, message="Waits.", by="policy", since=now, lift="the opening")
    draft = EntryDraft(key="run/1", kind="hold.placed", actor="policy", at=now, body={})
    record = Record(ticket=ticket, entries=[draft], patch={"holds": [placed.model_dump(mode="json")]})
    await ledger.write(entries.append, record)


async def wakes(ledger: Ledger) -> list[str]:
    rows = await ledger.write(outbox.take, limit=50, lease=0.0)
    return [row.ticket for row in rows if row.kind == "wake"]


def edit(file: Path) -> None:
    status = file.stat()
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


async def test_an_edit_wakes_the_tickets_that_a_window_holds(
    ledger: Ledger, open_ticket: OpenTicket, catalog: Path
) -> None:
    watch = CatalogWatch(ledger=ledger, path=catalog)
    await watch.look()
    for ticket, code in (("chg-1", HoldCode.WINDOW), ("chg-2", HoldCode.LANE)):
        open_ticket(ticket, phase=Phase.SCHEDULED)
        await hold(ledger, ticket, code)
    assert await watch.look() == []

    edit(catalog)

    assert await watch.look() == ["chg-1"]
    assert await wakes(ledger) == ["chg-1"]


async def test_two_workers_wake_a_ticket_once_for_one_edit(
    ledger: Ledger, open_ticket: OpenTicket, catalog: Path
) -> None:
    open_ticket("chg-1", phase=Phase.SCHEDULED)
    await hold(ledger, "chg-1", HoldCode.WINDOW)

    for watch in (CatalogWatch(ledger=ledger, path=catalog), CatalogWatch(ledger=ledger, path=catalog)):
        await watch.look()

    assert await wakes(ledger) == ["chg-1"]


async def test_a_catalog_that_is_not_there_wakes_nobody(ledger: Ledger, tmp_path: Path) -> None:
    watch = CatalogWatch(ledger=ledger, path=tmp_path / "none.yaml")

    assert await watch.look() == []
