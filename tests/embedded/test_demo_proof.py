import json
from pathlib import Path
from typing import Any

from holdpoint.embedded.demo.proof import applied, objections


def _line(audit_id: str, *, code: int = 200, user: str = "holdpoint-forward", uri: str = "/apis/x") -> Any:
    return {
        "auditID": audit_id,
        "verb": "patch",
        "user": {"username": user},
        "requestURI": uri,
        "responseStatus": {"code": code},
    }


def _export(*audit_ids: str) -> Any:
    attempts = [{"audit_id": audit_id} for audit_id in audit_ids]
    return {"intents": [{"id": "i1", "attempts": attempts}]}


def test_refused_and_dry_run_and_foreign_writes_do_not_count(tmp_path: Path) -> None:
    lines = [
        _line("i1.1"),
        _line("i1.2", code=409),
        _line("i1.3", uri="/apis/x?dryRun=All&force=true"),
        _line("i1.4", user="kubelet"),
    ]
    (tmp_path / "audit.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert [line["auditID"] for line in applied(tmp_path / "audit.jsonl")] == ["i1.1"]


def test_one_write_for_one_intent_is_proved() -> None:
    assert objections([_line("i1.2")], _export("i1.1", "i1.2")) == []


def test_a_write_without_an_intent_is_found() -> None:
    assert "no intent" in objections([_line("unknown")], _export("i1.1"))[0]


def test_an_intent_that_was_applied_in_two_attempts_is_found() -> None:
    assert "2 times" in objections([_line("i1.1"), _line("i1.2")], _export("i1.1", "i1.2"))[0]
