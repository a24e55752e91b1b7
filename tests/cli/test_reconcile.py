import json
from pathlib import Path
from typing import Any

import pytest

from holdpoint.ledger.derived import intents_of_entries
from holdpoint.ledger.signing import Signer
from holdpoint.ledger.statement import EXPORT
from tests.cli.conftest import FakeApi, Holdpoint
from tests.ledger.audit_world import event, now


def _record() -> dict[str, Any]:
    """Return the export of a ledger in which one write was made."""
    request = {
        "target": "sandbox/default/shop",
        "run": "run-1",
        "key": "a",
        "direction": "forward",
        "verb": "apply",
        "object": {"cluster": "sandbox", "kind": "Deployment", "namespace": "default", "name": "shop"},
        "resource_version": "1",
        "service": "shop",
        "environment": "staging",
        "change_type": "standard",
    }
    opened = {"intent": "i1", "attempt": 1, "audit_id": "i1.1", "deadline": "", "request": request}
    closed = {"intent": "i1", "attempt": 1, "status": "done", "result": {"audit_id": "i1.1"}}
    common = {"ticket": "chg-1", "recorded": now().isoformat(), "at": now().isoformat()}
    entries = [
        {**common, "seq": 1, "kind": "intent.opened", "body": opened},
        {**common, "seq": 2, "kind": "intent.closed", "body": closed},
    ]
    return {"format": EXPORT, "entries": entries, "intents": intents_of_entries(entries)}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "record.json").write_text(json.dumps(_record()))
    (tmp_path / "audit.log").write_text(json.dumps(event("i1.1")) + "\n")
    return tmp_path


RECONCILE = ("audit", "reconcile", "--kube-audit", "audit.log")


def test_a_clean_log_exits_0_and_says_what_was_compared(holdpoint: Holdpoint, files: Path) -> None:
    done = holdpoint(*RECONCILE, "--record", "record.json", "--output", "json")

    assert (done.code, done.json["clean"], done.json["findings"]) == (0, True, [])
    assert (done.json["writes"], done.json["matched"], done.json["verified"]) == (1, 1, None)


def test_findings_exit_1_and_are_named_with_their_place(holdpoint: Holdpoint, files: Path) -> None:
    (files / "audit.log").write_text(json.dumps(event("other")) + "\n")

    told = holdpoint(*RECONCILE, "--record", "record.json", "--output", "json")
    text = holdpoint(*RECONCILE, "--record", "record.json")

    assert (told.code, [one["code"] for one in told.json["findings"]]) == (1, ["unrecorded"])
    assert "audit.log:1" in text.out
    assert "NOT clean: 1 findings" in text.out


def test_the_api_is_asked_for_the_record_that_was_not_given(
    api: FakeApi, holdpoint: Holdpoint, files: Path
) -> None:
    api.will("GET /v1/audit/export", json.dumps(_record()).encode())

    assert holdpoint(*RECONCILE).code == 0


def test_a_record_that_does_not_verify_is_a_finding(
    holdpoint: Holdpoint, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdpoint.ledger.verify.verify_file", lambda data, key: ["entry 3 was changed"])
    Signer.load_or_create(files)

    done = holdpoint(*RECONCILE, "--record", "record.json", "--key", "ledger.pub", "--output", "json")

    assert (done.code, done.json["verified"]) == (1, False)
    assert done.json["findings"][0]["message"] == "The record: entry 3 was changed."


def test_a_key_that_is_none_exits_2_and_finds_nothing_out(holdpoint: Holdpoint, files: Path) -> None:
    (files / "ledger.pub").write_text("nonsense")

    done = holdpoint(*RECONCILE, "--record", "record.json", "--key", "ledger.pub", "--output", "json")

    assert (done.code, done.json["code"]) == (2, "file")


@pytest.mark.parametrize("file", ["audit.log", "record.json"])
def test_what_cannot_be_read_exits_2_and_names_the_file_or_the_record(
    holdpoint: Holdpoint, files: Path, file: str
) -> None:
    (files / file).write_text("nonsense\n")

    done = holdpoint(*RECONCILE, "--record", "record.json", "--output", "json")

    assert (done.code, done.json["code"]) == (2, "file")
    assert file.removesuffix(".json") in done.json["detail"].lower()


def test_options_reach_the_comparison(holdpoint: Holdpoint, files: Path) -> None:
    (files / "audit.log").write_text(json.dumps(event("x", user={"username": "us"})) + "\n")

    named = holdpoint(*RECONCILE, "--record", "record.json", "--user", "us", "--cluster", "eu-1")
    late = holdpoint(*RECONCILE, "--record", "record.json", "--until", "2020-01-01", "--output", "json")

    assert named.code == 1
    assert late.code == 2
