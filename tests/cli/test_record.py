"""Evidence in and out, and the policies' own tests."""

import json
from pathlib import Path

import pytest

from holdpoint.ledger.signing import Signer
from tests.cli.conftest import FakeApi, Holdpoint

EVIDENCE = "GET /v1/changes/chg-abcdefghij/evidence"


def test_export_writes_the_bytes_as_they_came(api: FakeApi, holdpoint: Holdpoint, tmp_path: Path) -> None:
    evidence = b'{"a":1,  "b":"\xc3\xa4"}'
    api.will(EVIDENCE, evidence)

    done = holdpoint("audit", "export", "chg-abcdefghij", "-o", "evidence.json", "--output", "json")

    assert (tmp_path / "evidence.json").read_bytes() == evidence
    assert (done.code, done.json["bytes"], done.json["file"]) == (
        0,
        len(evidence),
        str(tmp_path / "evidence.json"),
    )
    assert [one.name for one in tmp_path.iterdir()] == ["evidence.json"]


def test_export_of_everything_asks_for_the_whole_record(
    api: FakeApi, holdpoint: Holdpoint, tmp_path: Path
) -> None:
    api.will("GET /v1/audit/export", b"{}")

    done = holdpoint("audit", "export", "--all", "-o", str(tmp_path / "all.json"), "--output", "json")

    assert (done.code, done.json["id"]) == (0, None)


def test_a_refused_export_leaves_no_file(api: FakeApi, holdpoint: Holdpoint, tmp_path: Path) -> None:
    api.will(EVIDENCE, (403, {"title": "Forbidden", "status": 403, "detail": "Not you."}))

    done = holdpoint("audit", "export", "chg-abcdefghij", "-o", "evidence.json")

    assert done.code == 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["no/such/folder.json", "file/below.json", "n" * 300])
def test_an_export_that_cannot_be_written_is_exit_2(
    api: FakeApi, holdpoint: Holdpoint, tmp_path: Path, file: str
) -> None:
    api.will(EVIDENCE, b"{}")
    (tmp_path / "file").touch()

    done = holdpoint("audit", "export", "chg-abcdefghij", "-o", file, "--output", "json")

    assert (done.code, done.json["code"]) == (2, "file")


@pytest.mark.parametrize(("problems", "code"), [([], 0), (["entry 3 was changed"], 1)])
def test_verify_exits_by_its_finding(
    holdpoint: Holdpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problems: list[str], code: int
) -> None:
    monkeypatch.setattr("holdpoint.ledger.verify.verify_file", lambda data, key: problems)
    (tmp_path / "f").write_text("{}")
    Signer.load_or_create(tmp_path / "keys")

    done = holdpoint("audit", "verify", "f", "--key", "keys/ledger.pub", "--output", "json")

    assert (done.code, done.json["verified"], done.json["problems"]) == (code, not problems, problems)


def test_verify_needs_no_server(api: FakeApi, holdpoint: Holdpoint, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("{}")
    Signer.load_or_create(tmp_path / "keys")

    assert holdpoint("audit", "verify", "f", "--key", "keys/ledger.pub").code == 1
    assert holdpoint("audit", "verify", "missing", "--key", "keys/ledger.pub").code == 2
    assert api.requests == []


def test_evidence_that_is_too_large_is_not_verified_by_its_beginning(
    holdpoint: Holdpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdpoint.cli.files.LONGEST", 200)
    Signer.load_or_create(tmp_path / "keys")
    (tmp_path / "f").write_text(" " * 201)

    done = holdpoint("audit", "verify", "f", "--key", "keys/ledger.pub", "--output", "json")

    assert (done.code, done.json["code"]) == (2, "file")
    assert "larger than 200 bytes" in done.json["detail"]


@pytest.mark.parametrize("name", ["keys/ledger.key", "empty", "garbage.pem", "missing", "keys"])
def test_verify_with_a_key_that_is_none_finds_nothing_out(
    holdpoint: Holdpoint, tmp_path: Path, name: str
) -> None:
    (tmp_path / "f").write_text("{}")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "garbage.pem").write_bytes(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    Signer.load_or_create(tmp_path / "keys")

    done = holdpoint("audit", "verify", "f", "--key", name, "--output", "json")

    assert (done.code, done.json["code"]) == (2, "file")
    assert name in done.json["detail"]


def an_opa(tmp_path: Path, report: str, code: int = 0) -> Path:
    """Return a program that answers as OPA does."""
    program = tmp_path / "opa"
    (tmp_path / "report.json").write_text(report)
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = version ]; then echo "Version: 1.22.0"; exit 0; fi\n'
        f"cat {tmp_path}/report.json\nexit {code}\n"
    )
    program.chmod(0o755)
    return program


def test_policy_test_counts_and_names_what_failed(
    holdpoint: Holdpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = [
        {"package": "data.rules.images", "name": "test_deny_latest", "duration": 2_000_000},
        {"package": "data.rules.images", "name": "test_allow_digest", "fail": True, "duration": 1},
    ]
    monkeypatch.setenv("HOLDPOINT_OPA", str(an_opa(tmp_path, json.dumps(tests), code=2)))

    text = holdpoint("policy", "test", "--policies", str(tmp_path))
    document = holdpoint("policy", "test", "--policies", str(tmp_path), "--output", "json")

    assert (text.code, document.code) == (1, 1)
    assert "FAIL rules.images.test_allow_digest" in text.out
    assert (document.json["passed"], document.json["failed"]) == (1, 1)


def test_policies_that_do_not_compile_are_no_passed_tests(
    holdpoint: Holdpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDPOINT_OPA", str(an_opa(tmp_path, "1 error occurred: rego_parse_error", code=1)))

    done = holdpoint("policy", "test", "--policies", str(tmp_path), "--output", "json")

    assert (done.code, done.json["code"]) == (2, "policy_bundle")
    assert "rego_parse_error" in done.json["detail"]


def test_policy_check_shows_what_would_be_decided(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path
) -> None:
    decision = {
        "deny": [],
        "warn": ["no backup owner"],
        "risk": {"level": "high", "reasons": ["large diff"]},
        "approvals": {"count": 2, "groups": ["approver", "approver2"]},
        "obligations": {"window": True, "checks": ["drift"], "review_within": 86400},
        "revision": "r7",
    }
    api.will("POST /v1/policy/check", (200, decision))

    done = holdpoint("policy", "check", str(change_file))

    assert done.code == 0
    for said in (
        "allowed",
        "no backup owner",
        "2 from approver or approver2",
        "change window",
        "drift",
        "r7",
    ):
        assert said in done.out
