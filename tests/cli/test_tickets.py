"""Reading tickets and having a word on them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cli.conftest import DIGEST, FakeApi, Holdpoint, a_view

TICKET = "chg-abcdefghij"
PATH = f"/v1/changes/{TICKET}"


def test_show_in_text_names_everything_a_person_asks_for(api: FakeApi, holdpoint: Holdpoint) -> None:
    step = {
        "name": "1-canary",
        "kind": "canary",
        "status": "running",
        "weight": 33.33,
        "planned": [{"asked": 10, "reached": 50.0, "canary": 1, "stable": 1}],
        "warnings": ["10 % cannot be had"],
        "verdicts": [{"verdict": "no_data", "weight": 50.0, "message": "no request"}],
    }
    given = [{"by": "approver", "decision": "approve", "digest": DIGEST, "void": False}]
    view = a_view(
        phase="RollbackFailed",
        steps=[step],
        approvals={"required": 2, "groups": ["approver"], "given": given},
        rollback={"result": "diverged", "differences": ["Deployment/shop: spec.replicas: 3 -> 4"]},
        reason={"code": "analysis_failed", "message": "5 of 100 failed"},
    )
    api.will(f"GET {PATH}", (200, view))

    done = holdpoint("show", TICKET)

    assert done.code == 0
    for said in (
        "RollbackFailed",
        "analysis_failed: 5 of 100 failed",
        "1 of 2 of approver",
        "asked 10 %, reaches 50 % (1 new beside 1 old)",
        "no_data at 50 %: no request",
        "diverged, 1 difference",
        "spec.replicas: 3 -> 4",
    ):
        assert said in done.out
    assert done.err == ""


def test_a_title_cannot_steer_the_terminal(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(f"GET {PATH}", (200, a_view(title="nice\x1b[2J\r\ntitle\u202e")))

    text, document = holdpoint("show", TICKET), holdpoint("show", TICKET, "--output", "json")

    assert "nice?[2J? title?" in text.out
    assert document.json["title"] == "nice\x1b[2J\r\ntitle\u202e"


def test_options_are_accepted_before_and_after_the_argument(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(f"GET {PATH}", (200, a_view()))

    assert holdpoint("show", TICKET, "--output", "json").json == a_view()
    assert holdpoint("show", "--output=json", TICKET).json == a_view()


def test_an_unknown_ticket_is_exit_2_with_the_problem_as_it_came(api: FakeApi, holdpoint: Holdpoint) -> None:
    problem = {"title": "Not Found", "status": 404, "detail": "No ticket chg-x.", "code": "not_found"}
    api.will("GET /v1/changes/chg-x", (404, problem))

    done = holdpoint("show", "chg-x", "--output", "json")

    assert (done.code, done.json) == (2, problem)


def test_what_is_typed_as_an_id_stays_one_segment_of_the_path(api: FakeApi, holdpoint: Holdpoint) -> None:
    holdpoint("show", "../freezes?x=1#y")

    assert api.requests[0].path == "/v1/changes/..%2Ffreezes%3Fx%3D1%23y"


def test_list_passes_the_filters_and_cuts_nothing(api: FakeApi, holdpoint: Holdpoint) -> None:
    title = "a title " * 20
    api.will("GET /v1/changes", (200, {"items": [a_view(title=title)]}))

    done = holdpoint("list", "--phase", "executing", "--service", "shop", "--limit", "7")

    assert api.requests[0].path == "/v1/changes?phase=Executing&service=shop&limit=7"
    assert title.strip() in done.out


def test_history_reads_every_page(api: FakeApi, holdpoint: Holdpoint) -> None:
    entries = [
        {"seq": n, "at": "2027-01-01T10:00:00Z", "kind": "ticket.moved", "actor": "ci", "body": {"n": n}}
        for n in range(1, 4)
    ]
    pages = [(200, {"entries": page, "view": a_view()}) for page in (entries[:2], entries[2:], [])]
    api.will(f"GET {PATH}/entries", *pages)

    done = holdpoint("history", TICKET, "--output", "json")

    assert done.json == {"id": TICKET, "entries": entries}


def test_explain_names_cause_person_and_command(api: FakeApi, holdpoint: Holdpoint) -> None:
    cause = {
        "code": "approval",
        "message": "One approval is missing.",
        "since": "2027-01-01T10:00:00Z",
        "until": None,
        "who": ["approver", "approver2"],
        "command": f"holdpoint approve {TICKET}",
        "moves_at": None,
    }
    explanation = {
        "id": TICKET,
        "phase": "AwaitingApproval",
        "summary": "waits",
        "causes": [cause],
        "closed": None,
    }
    api.will(f"GET {PATH}/explanation", (200, explanation))

    done = holdpoint("explain", TICKET)

    for said in ("One approval is missing.", "approver, approver2", f"holdpoint approve {TICKET}"):
        assert said in done.out
    assert holdpoint("explain", TICKET, "--output", "json").json == explanation


def test_approve_shows_what_it_binds_and_sends_that_digest(api: FakeApi, holdpoint: Holdpoint) -> None:
    step = {
        "name": "1-canary",
        "kind": "canary",
        "status": "pending",
        "planned": [{"asked": 10, "reached": 10.0, "canary": 1, "stable": 9}],
    }
    api.will(f"GET {PATH}", (200, a_view(phase="AwaitingApproval", steps=[step])))
    api.will(f"POST {PATH}/approve", (200, a_view(phase="Scheduled")))

    done = holdpoint("approve", TICKET, "--reason", "read it", "--output", "json")

    assert (done.code, done.json["phase"]) == (0, "Scheduled")
    for said in (DIGEST, "c" * 40, "low (a small diff)", "asked 10 %, reaches 10 %", "requester  ci"):
        assert said in done.err
    assert api.sent(f"POST {PATH}/approve")[0].body == {"digest": DIGEST, "reason": "read it"}


def test_promote_says_why_and_is_bound_to_what_was_shown(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(f"GET {PATH}", (200, a_view(phase="Executing")))
    api.will(f"POST {PATH}/promote", (200, a_view(phase="Executing")))

    without = holdpoint("promote", TICKET)
    done = holdpoint("promote", TICKET, "--reason", "a quiet night")
    named = holdpoint("promote", TICKET, "--reason", "a quiet night", "--weight", "50")
    none = holdpoint("promote", TICKET, "--reason", "a quiet night", "--weight", "101")

    assert (without.code, done.code, named.code, none.code) == (2, 0, 0, 2)
    assert "--reason" in without.err
    body = {"digest": DIGEST, "reason": "a quiet night"}
    assert [sent.body for sent in api.sent(f"POST {PATH}/promote")] == [body, {**body, "weight": 50}]


def test_a_digest_that_was_read_elsewhere_is_sent_instead(api: FakeApi, holdpoint: Holdpoint) -> None:
    other = "sha256:" + "e" * 64
    api.will(f"GET {PATH}", (200, a_view()))
    api.will(f"POST {PATH}/approve", (409, {"title": "Conflict", "status": 409, "detail": "Changed."}))

    done = holdpoint("approve", TICKET, "--digest", other)

    assert done.code == 5
    assert api.sent(f"POST {PATH}/approve")[0].body["digest"] == other


def test_nothing_is_approved_before_there_is_a_decision(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(f"GET {PATH}", (200, a_view(digest=None)))

    done = holdpoint("approve", TICKET, "--output", "json")

    assert (done.code, done.json["code"], done.json["phase"]) == (5, "conflict", "Evaluating")
    assert api.sent(f"POST {PATH}/approve") == []


def test_a_rejection_needs_no_digest(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(f"GET {PATH}", (200, a_view(digest=None)))
    api.will(f"POST {PATH}/reject", (200, a_view(phase="Rejected")))

    done = holdpoint("reject", TICKET, "--reason", "not today", "--output", "json")

    assert done.code == 0
    assert api.sent(f"POST {PATH}/reject")[0].body == {"reason": "not today"}


@pytest.mark.parametrize("verb", ["pause", "resume", "abort", "rollback", "retry"])
def test_a_word_on_a_ticket_answers_with_its_view(api: FakeApi, holdpoint: Holdpoint, verb: str) -> None:
    api.will(f"POST {PATH}/{verb}", (200, a_view(phase="RollingBack")))

    done = holdpoint(verb, TICKET, "--reason", "INC-7", "--output", "json")

    assert (done.code, done.json["phase"]) == (0, "RollingBack")
    assert api.requests[0].body == {"reason": "INC-7"}


@pytest.mark.parametrize("verb", ["rollback", "retry"])
def test_the_ticket_that_follows_from_a_closed_one_is_named_with_how_to_follow_it(
    api: FakeApi, holdpoint: Holdpoint, verb: str
) -> None:
    api.will(f"POST {PATH}/{verb}", (201, a_view(id="chg-bbbbbbbbbb")))

    done = holdpoint(verb, TICKET, "--output", "json")

    assert done.json["id"] == "chg-bbbbbbbbbb"
    assert f"the {verb} of {TICKET} is chg-bbbbbbbbbb" in done.err
    assert "holdpoint watch chg-bbbbbbbbbb" in done.err


def test_show_names_the_tickets_that_a_ticket_is_linked_with(api: FakeApi, holdpoint: Holdpoint) -> None:
    view = a_view(rolls_back="chg-b", restores="chg-c", rolled_back_by="chg-d", retried_by="chg-e")
    api.will(f"GET {PATH}", (200, view))

    lines = [" ".join(line.split()) for line in holdpoint("show", TICKET).out.splitlines()]

    for said in ("rolls back chg-b, back to chg-c", "rolled back by chg-d", "run again by chg-e"):
        assert said in lines


@pytest.mark.parametrize("failed", [False, True])
def test_a_word_on_a_manual_step_answers_with_the_view(
    api: FakeApi, holdpoint: Holdpoint, *, failed: bool
) -> None:
    api.will(f"POST {PATH}/confirm", (200, a_view(phase="Executing")))
    options = ["--failed"] if failed else []

    done = holdpoint("confirm", TICKET, "--step", "fail over", "--reason", "x", *options, "--output", "json")

    assert (done.code, done.json["phase"]) == (0, "Executing")
    assert api.requests[0].body == {"step": "fail over", "reason": "x", "failed": failed}


@pytest.mark.parametrize("left_out", ["--step", "--reason"])
def test_a_word_on_a_step_says_which_and_why(api: FakeApi, holdpoint: Holdpoint, left_out: str) -> None:
    given = {"--step": "fail over", "--reason": "x"}
    words = [word for name, value in given.items() if name != left_out for word in (name, value)]

    done = holdpoint("confirm", TICKET, *words)

    assert done.code == 2
    assert left_out in done.err
    assert api.requests == []


def test_show_tells_what_a_step_does_and_has_left(api: FakeApi, holdpoint: Holdpoint) -> None:
    ends = (datetime.now(UTC) + timedelta(hours=2, seconds=5)).isoformat()
    soak = {"name": "soak", "kind": "wait", "does": "waits 3h", "left": None}
    steps = [
        {**soak, "status": "running", "ends_at": ends},
        {**soak, "status": "held", "ends_at": None, "left": 90.2},
    ]
    api.will(f"GET {PATH}", (200, a_view(phase="Executing", steps=steps)))

    done = holdpoint("show", TICKET)

    assert "soak (wait): running, 2h" in done.out
    assert "soak (wait): held, 1m30s left when it goes on" in done.out
    assert "waits 3h" in done.out


@pytest.mark.parametrize(
    ("status", "code"), [(401, 5), (403, 5), (404, 2), (409, 5), (422, 2), (429, 3), (500, 3), (503, 3)]
)
def test_an_error_of_the_api_has_its_exit_code(
    api: FakeApi, holdpoint: Holdpoint, status: int, code: int
) -> None:
    problem = {"title": "No", "status": status, "detail": "It cannot be done.", "code": "some_code"}
    api.will(f"POST {PATH}/pause", (status, problem))

    done = holdpoint("pause", TICKET, "--output", "json")

    assert (done.code, done.json) == (code, problem)
    assert done.err == "error: It cannot be done.\n"


def test_watch_exits_by_the_phase(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(f"GET {PATH}", (200, a_view(phase="RolledBack")))

    done = holdpoint("watch", TICKET, "--output", "json")

    assert (done.code, done.json["phase"]) == (1, "RolledBack")


def test_watching_an_unknown_ticket_is_exit_2(holdpoint: Holdpoint) -> None:
    assert holdpoint("watch", "chg-unknown").code == 2


def test_something_that_is_not_holdpoint_is_said_to_be_so(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(f"GET {PATH}", b"<html>")

    done = holdpoint("show", TICKET, "--output", "json")

    assert done.code == 3
    assert "is it Holdpoint?" in done.json["detail"]


def test_unknown_phase_is_told_those_that_are(api: FakeApi, holdpoint: Holdpoint) -> None:
    done = holdpoint("list", "--phase", "Flying")

    assert done.code == 2
    assert "'Flying' is no phase" in done.err
    assert "RolledBack" in done.err


def test_show_says_what_came_of_each_check_and_who_asks_for_it(api: FakeApi, holdpoint: Holdpoint) -> None:
    check = {"kind": "query", "by": "plan", "when": "before", "attempts": 0, "message": ""}
    checks = [
        {**check, "name": "quiet", "status": "flaky", "attempts": 3, "message": "The value is 0."},
        {**check, "name": "orders", "when": "after", "by": "policy", "status": "planned"},
    ]
    api.will(f"GET {PATH}", (200, a_view(checks=checks)))

    done = holdpoint("show", TICKET)

    assert "quiet (query, before the first write): flaky at attempt 3: The value is 0." in done.out
    assert "orders (query, at the end of Verifying, asked for by the policy): planned" in done.out


def in_hand(**changes: Any) -> dict[str, Any]:
    takeover = {"by": "anna", "reason": "INC-7", "since": "2026-11-21T12:00:00Z", "in_doubt": [], **changes}
    return a_view(phase="RollbackFailed", takeover=takeover)


def test_takeover_says_why_and_what_a_late_write_may_still_touch(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(f"POST {PATH}/takeover", (200, in_hand(in_doubt=["eu-1/shop/Deployment/shop"])))

    without = holdpoint("takeover", TICKET)
    done = holdpoint("takeover", TICKET, "--reason", "INC-7")

    assert (without.code, done.code) == (2, 0)
    assert api.sent(f"POST {PATH}/takeover")[0].body == {"reason": "INC-7", "done": False}
    assert "anna since 2026-11-21T12:00:00Z: INC-7; a late write of ours may still come to: eu-1" in done.out


def test_to_give_back_waits_for_the_comparison(api: FakeApi, holdpoint: Holdpoint) -> None:
    ended = in_hand(done_by="anna", done_reason="mended", done_at="2026-11-21T12:30:00Z", result="restored")
    api.will(f"POST {PATH}/takeover", (200, in_hand(done_by="anna")))
    api.will(f"GET {PATH}/entries", (200, {"entries": [{"seq": 7}], "view": ended}))

    done = holdpoint("takeover", TICKET, "--done", "--reason", "mended", "--output", "json")

    assert (done.code, done.json["takeover"]["result"]) == (0, "restored")


def test_a_target_in_hand_is_seen_in_the_list(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will("GET /v1/changes", (200, {"items": [in_hand()]}))

    assert "taken_over" in holdpoint("list").out
