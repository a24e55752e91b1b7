"""Evidence for auditors: who gets it, and that a large ledger can be exported."""

from pathlib import Path

import pytest

from holdpoint.ledger.signing import Signer
from holdpoint.ledger.verify import verify_file
from holdpoint.models.errors import AccessDenied
from holdpoint.service.export import everything
from holdpoint.service.roles import Actor
from holdpoint.telemetry.measured import MeasuredLedger
from holdpoint.telemetry.metrics import Metrics
from tests.service.world import World

AUDITOR = Actor(account="auditor", roles=frozenset({"auditor"}))


async def test_an_export_may_take_longer_than_a_request_waits_for_the_ledger(
    world: World, tmp_path: Path
) -> None:
    signer = Signer.load_or_create(tmp_path)
    impatient = MeasuredLedger(str(world.ledger._reading.url), None, Metrics(), patience=0)

    data = await everything(AUDITOR, ledger=impatient, signer=signer)
    impatient.close()

    assert verify_file(data, signer.public.pem) == []


async def test_an_approver_exports_nothing(world: World, tmp_path: Path) -> None:
    with pytest.raises(AccessDenied):
        await everything(
            Actor(account="approver", roles=frozenset({"approver"})),
            ledger=world.ledger,
            signer=Signer.load_or_create(tmp_path),
        )
