"""The API server's own audit log against the ledger, after a canary and its rollback on a real cluster."""

import json
from pathlib import Path
from typing import Any

import pytest

from holdpoint.ledger import export
from holdpoint.ledger.kube_audit import read_logs
from holdpoint.ledger.reconcile import Bounds, Reconciled, reconcile
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.told import parse_record
from tests.activities.world import BETTER, World, deployment, service

pytestmark = pytest.mark.real
USERS = tuple(f"system:serviceaccount:holdpoint:holdpoint-{identity}" for identity in ("forward", "undo"))


@pytest.fixture
def audit_log(real_stack: dict[str, Any]) -> Path:
    return Path(real_stack["kubernetes"]["audit_log"])


def lines_of(log: Path, namespace: str) -> list[str]:
    """Return the log's lines about one namespace: other tests write with the same identities elsewhere."""
    lines = [line for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in lines if json.loads(line).get("objectRef", {}).get("namespace") == namespace]


def compare(world: World, lines: list[str], folder: Path) -> Reconciled:
    (folder / "audit.log").write_text("".join(lines))
    signer = Signer.load_or_create(folder / "keys")
    record: Any = parse_record(world.ledger.read_now(export.export_all, signer=signer))
    return reconcile(read_logs([folder / "audit.log"]), record, Bounds(users=USERS))


async def test_every_write_of_a_canary_and_its_rollback_names_its_intent(
    world: World, namespace: str, audit_log: Path, tmp_path: Path
) -> None:
    await world.deploy("chg-1", deployment(), service())
    await world.submit("chg-2", deployment(image=BETTER), service(port=81))
    await world.begin()
    await world.weight(0)
    assert (await world.undo()).complete

    lines = lines_of(audit_log, namespace)
    whole = compare(world, lines, tmp_path)
    ours = [index for index, line in enumerate(lines) if _counts(line)]
    lacking = compare(world, [line for index, line in enumerate(lines) if index != ours[1]], tmp_path)
    doubled = [*lines, lines[ours[1]].replace('"stageTimestamp":"2', '"stageTimestamp":"3')]

    assert whole.findings == []
    assert whole.writes == whole.matched == len(ours) > 3
    assert whole.undone > 0
    assert [one.code for one in lacking.findings] == ["not_in_the_log"]
    assert "applied_twice" in [one.code for one in compare(world, doubled, tmp_path).findings]


def _counts(line: str) -> bool:
    event = json.loads(line)
    mutating = event["verb"] in ("create", "update", "patch", "delete")
    wrote = mutating and event["stage"] == "ResponseComplete" and "dryRun=All" not in event["requestURI"]
    return wrote and event["user"]["username"] in USERS and event["responseStatus"]["code"] < 300
