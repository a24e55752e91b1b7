"""Submitting: one ticket for one key, however the connection behaves; and exit codes that do not lie."""

import json
from pathlib import Path

import pytest

from holdpoint.cli import exit_codes
from holdpoint.models.ticket import REHEARSED as REHEARSED_CODE
from tests.cli.conftest import CHANGE, FakeApi, Holdpoint, a_view

SUBMIT = "POST /v1/changes"
SHOW = "GET /v1/changes/chg-abcdefghij"
NEWS = "GET /v1/changes/chg-abcdefghij/entries"


def test_submit_prints_the_ticket_and_exits_0(api: FakeApi, holdpoint: Holdpoint, change_file: Path) -> None:
    api.will(SUBMIT, (201, a_view()))

    done = holdpoint("submit", str(change_file), "--output", "json")

    assert done.code == 0
    assert done.json == a_view()
    (sent,) = api.sent(SUBMIT)
    assert sent.body == {"change": CHANGE, "base": str(change_file.parent)}
    assert sent.headers["Authorization"] == "Bearer a-token"
    assert sent.headers["idempotency-key"].startswith("content:")


def test_the_key_in_ci_is_run_attempt_and_content(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "2"}.items():
        monkeypatch.setenv(name, value)
    api.will(SUBMIT, (201, a_view()))

    holdpoint("submit", str(change_file))
    change_file.write_text("# the same in other words\n" + CHANGE)
    holdpoint("submit", str(change_file))

    first, second = (one.headers["idempotency-key"] for one in api.sent(SUBMIT))
    assert first.startswith("ci:github:77:2:")
    assert second == first


def test_an_explicit_key_is_sent_as_it_is(api: FakeApi, holdpoint: Holdpoint, change_file: Path) -> None:
    api.will(SUBMIT, (200, a_view()))

    done = holdpoint("submit", str(change_file), "--idempotency-key", "release-7")

    assert api.sent(SUBMIT)[0].headers["idempotency-key"] == "release-7"
    assert "joined chg-abcdefghij" in done.err


@pytest.mark.parametrize("key", ["", " x", "ü", "content:abc", "x" * 256], ids=ascii)
def test_a_key_that_cannot_be_one_is_a_usage_error(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path, key: str
) -> None:
    done = holdpoint("submit", str(change_file), "--idempotency-key", key, "--output", "json")

    assert (done.code, done.json["code"], api.requests) == (2, "usage", [])


def test_a_lost_connection_is_retried_with_the_same_key(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path
) -> None:
    ill = (503, {"title": "Service Unavailable", "status": 503, "detail": "The ledger is busy.", "code": "x"})
    api.will(SUBMIT, None, ill, (201, a_view()))

    done = holdpoint("submit", str(change_file), "--output", "json")

    assert done.code == 0
    keys = {one.headers["idempotency-key"] for one in api.sent(SUBMIT)}
    assert len(api.sent(SUBMIT)) >= 3
    assert len(keys) == 1


def test_a_conflict_is_not_retried(api: FakeApi, holdpoint: Holdpoint, change_file: Path) -> None:
    problem = {"title": "Conflict", "status": 409, "detail": "The key has other content.", "code": "conflict"}
    api.will(SUBMIT, (409, problem))

    done = holdpoint("submit", str(change_file), "--output", "json")

    assert (done.code, done.json) == (5, problem)
    assert len(api.sent(SUBMIT)) == 1
    assert "error: The key has other content." in done.err


def test_an_invalid_file_is_refused_without_a_server(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path
) -> None:
    change_file.write_text(CHANGE.replace("title", "tilte"))

    done = holdpoint("submit", str(change_file), "--output", "json")

    assert (done.code, done.json["code"], done.json["status"]) == (2, "invalid_change", 422)
    assert {one["field"] for one in done.json["errors"]} == {"metadata.tilte", "metadata.title"}
    assert all(one["file"] == str(change_file) and one["line"] == 3 for one in done.json["errors"])
    assert api.requests == []


def test_nobody_there_is_exit_3_with_the_way_out(
    holdpoint: Holdpoint, change_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDPOINT_URL", "http://127.0.0.1:9")

    done = holdpoint("submit", str(change_file), "--timeout", "1s", "--output", "json")

    assert (done.code, done.json["code"]) == (3, "upstream_unavailable")
    assert "start one with `holdpoint up`" in done.json["detail"]


def test_a_dry_run_shows_plan_and_decision(api: FakeApi, holdpoint: Holdpoint, change_file: Path) -> None:
    weights = [{"asked": 10, "reached": 50.0, "canary": 1, "stable": 1}]
    step = {"name": "1-canary", "kind": "canary", "weights": weights, "warnings": ["10 % is 50 %"]}
    decision = {"deny": ["a floating tag"], "risk": {"level": "high", "reasons": ["new"]}, "revision": "r1"}
    api.will(SUBMIT, (200, {"plan": [step], "decision": decision, "warnings": []}))

    done = holdpoint("submit", str(change_file), "--dry-run")

    assert done.code == 0
    assert api.sent(SUBMIT)[0].path == "/v1/changes?dry_run=true"
    for said in (
        "Nothing was submitted",
        "asked 10 %, reaches 50 %",
        "DENIED",
        "a floating tag",
        "high (new)",
    ):
        assert said in done.out


@pytest.mark.parametrize(
    ("phase", "code"),
    [
        ("Succeeded", 0),
        ("Rejected", 1),
        ("Expired", 1),
        ("Failed", 1),
        ("Aborted", 1),
        ("RolledBack", 1),
        ("RollbackFailed", 4),
        ("Errored", 4),
    ],
)
def test_wait_exits_by_the_phase(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path, phase: str, code: int
) -> None:
    ended = a_view(phase=phase, reason={"code": "because", "message": "It is so."})
    api.will(SUBMIT, (201, a_view()))
    api.will(SHOW, (200, a_view()))
    api.will(NEWS, (200, {"entries": [{"seq": 3}], "view": ended}))

    done = holdpoint("submit", str(change_file), "--wait", "--output", "json")

    assert (done.code, done.json) == (code, ended)
    assert f"{phase} (because): It is so." in done.err


def test_wait_tells_phase_step_weight_verdict_and_holds_as_lines(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path
) -> None:
    step = {"name": "1-canary", "kind": "canary", "status": "running", "weight": 10.0, "verdicts": []}
    verdict = {"verdict": "pass", "weight": 10.0, "message": "3 of 4,000 failed"}
    hold = {
        "code": "frozen",
        "message": "INC-7",
        "by": "commander",
        "since": "2027-01-01T10:00:00Z",
        "lift": "holdpoint freeze lift frz-1",
    }
    views = [
        a_view(phase="Executing", steps=[step]),
        a_view(phase="Executing", steps=[{**step, "verdicts": [verdict]}], hold=hold, holds=[hold]),
        a_view(phase="Verifying", steps=[{**step, "status": "succeeded", "weight": 100}]),
        a_view(phase="Succeeded"),
    ]
    api.will(SUBMIT, (201, a_view()))
    api.will(SHOW, (200, a_view()))
    api.will(NEWS, *((200, {"entries": [{"seq": i}], "view": one}) for i, one in enumerate(views, 1)))

    done = holdpoint("submit", str(change_file), "--wait", "--output", "json")

    for line in (
        "Evaluating",
        "Executing",
        "1-canary: running at 10 %",
        "1-canary: pass at 10 %: 3 of 4,000 failed",
        "held by frozen: INC-7",
        "lifted by: holdpoint freeze lift frz-1",
        "no longer held by frozen",
        "1-canary: succeeded at 100 %",
        "Succeeded",
    ):
        assert line in done.err
    assert json.loads(done.out)["phase"] == "Succeeded"
    assert [one.path.partition("after=")[2].partition("&")[0] for one in api.sent(NEWS)] == list("0123")


def test_the_timeout_is_exit_3_still_open_with_the_id(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path
) -> None:
    waiting = a_view(phase="AwaitingApproval")
    api.will(SUBMIT, (201, a_view()))
    api.will(SHOW, (200, waiting))
    api.will(NEWS, (200, {"entries": [], "view": waiting}))

    done = holdpoint("submit", str(change_file), "--wait", "--timeout", "300ms", "--output", "json")

    assert (done.code, done.json["id"], done.json["phase"]) == (3, "chg-abcdefghij", "AwaitingApproval")
    assert done.json["reason"]["code"] == "still_open"
    assert "holdpoint watch chg-abcdefghij" in done.err


def test_an_outage_while_waiting_is_bridged(api: FakeApi, holdpoint: Holdpoint, change_file: Path) -> None:
    api.will(SUBMIT, (201, a_view()))
    api.will(SHOW, None, (200, a_view()))
    api.will(NEWS, None, None, (200, {"entries": [], "view": a_view(phase="Succeeded")}))

    done = holdpoint("submit", str(change_file), "--wait", "--output", "json")

    assert (done.code, done.json["phase"]) == (0, "Succeeded")


def test_a_ticket_that_cannot_be_watched_is_named_in_the_error(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path
) -> None:
    api.will(SUBMIT, (201, a_view()))
    api.will(
        SHOW, (401, {"title": "Unauthorized", "status": 401, "detail": "Expired.", "code": "unauthenticated"})
    )

    done = holdpoint("submit", str(change_file), "--wait", "--output", "json")

    assert (done.code, done.json["code"], done.json["id"]) == (5, "unauthenticated", "chg-abcdefghij")


def test_a_file_from_standard_input_is_relative_to_the_folder_we_are_in(
    api: FakeApi, process: Holdpoint, tmp_path: Path
) -> None:
    api.will(SUBMIT, (201, a_view()))

    done = process("submit", "-", "--output", "json", stdin=CHANGE)

    assert (done.code, done.json["id"]) == (0, "chg-abcdefghij")
    assert api.sent(SUBMIT)[0].body["base"] == str(tmp_path)


@pytest.mark.parametrize("timeout", ["0s", "-1s", "soon", "inf"])
def test_a_timeout_that_is_none_is_a_usage_error(
    holdpoint: Holdpoint, change_file: Path, timeout: str
) -> None:
    done = holdpoint("submit", str(change_file), "--wait", f"--timeout={timeout}", "--output", "json")

    assert (done.code, done.json["code"]) == (2, "usage")


def test_mistakes_that_the_server_finds_are_said_with_their_lines(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path
) -> None:
    mistake = {
        "field": "spec.target.cluster",
        "line": 6,
        "column": 21,
        "found": "eu-9",
        "allowed": "sandbox",
        "message": "Unknown cluster: spec.target.cluster is eu-9.",
    }
    problem = {
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "The change file has 1 mistake.",
        "code": "invalid_change",
        "errors": [mistake],
    }
    api.will(SUBMIT, (422, problem))

    done = holdpoint("submit", str(change_file), "--output", "json")

    assert (done.code, done.json) == (2, problem)
    assert "  line 6, column 21: Unknown cluster: spec.target.cluster is eu-9." in done.err


REHEARSE = "POST /v1/rehearsals"


def rehearsed(**changes: object) -> dict[str, object]:
    reason = {"code": "rehearsed", "message": "A rehearsal."}
    return a_view(**{"phase": "RolledBack", "is_rehearsal": True, "reason": reason, **changes})


def test_rehearse_names_where_and_has_a_key_of_its_own(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path
) -> None:
    api.will(REHEARSE, (201, a_view(is_rehearsal=True)))

    nowhere = holdpoint("rehearse", str(change_file))
    done = holdpoint("rehearse", str(change_file), "--target", "eu-1/stage", "--idempotency-key", "run-7")

    assert (nowhere.code, done.code) == (2, 0)
    assert "--target" in nowhere.err
    (sent,) = api.sent(REHEARSE)
    assert sent.body["target"] == "eu-1/stage"
    assert sent.body["environment"] == "staging"
    assert sent.headers["idempotency-key"] == "rehearse/run-7"
    assert "this is one: when everything has run, it is undone" in done.out


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        (rehearsed(), 0),
        (rehearsed(reason={"code": "analysis_failed", "message": "It fails."}), 1),
        (rehearsed(phase="RollbackFailed"), 4),
    ],
    ids=["well", "rolled back for another reason", "not restored"],
)
def test_rehearse_exits_0_only_where_it_went_well(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path, ended: dict[str, object], code: int
) -> None:
    api.will(REHEARSE, (201, a_view(is_rehearsal=True)))
    api.will(SHOW, (200, ended))
    api.will(NEWS, (200, {"entries": [], "view": ended}))

    done = holdpoint("rehearse", str(change_file), "--target", "eu-1/stage", "--wait", "--output", "json")

    assert (done.code, done.json["phase"]) == (code, ended["phase"])


def test_the_code_of_a_rehearsal_is_the_models() -> None:
    assert exit_codes.REHEARSED == REHEARSED_CODE
