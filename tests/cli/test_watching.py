"""Watching on a terminal, and what happens when a person or the server ends it."""

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from holdpoint.cli.progress import changes
from holdpoint.cli.ticket_text import risk_text
from tests.cli.conftest import FakeApi, Holdpoint, a_view

PATH = "GET /v1/changes/chg-abcdefghij"
COMMAND = [sys.executable, "-m", "holdpoint.cli.main", "watch", "chg-abcdefghij", "--output", "json"]


def environment(api: FakeApi) -> dict[str, str]:
    """Return the environment of a terminal."""
    return {
        "PATH": os.environ["PATH"],
        "HOLDPOINT_URL": api.address,
        "HOLDPOINT_TOKEN": "t",
        "TERM": "xterm",
        "COLUMNS": "100",
    }


def read_all(descriptor: int) -> str:
    """Return what a terminal was sent until its other end was closed."""
    parts = []
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode(errors="replace")


def test_a_terminal_sees_the_ticket_drawn_live(api: FakeApi, tmp_path: Path) -> None:
    step = {"name": "1-canary", "kind": "canary", "status": "running", "weight": 10.0, "verdicts": []}
    api.will(PATH, (200, a_view(phase="Executing", steps=[step], title="evil\x1b]0;title\x07")))
    ended = a_view(phase="Succeeded", steps=[{**step, "status": "succeeded", "weight": 100}])
    api.will(f"{PATH}/entries", (200, {"entries": [{"seq": 1}], "view": ended}))
    ours, theirs = pty.openpty()

    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=theirs, env=environment(api), cwd=tmp_path, text=True
    ) as process:
        os.close(theirs)
        drawn = read_all(ours)
        out, _ = process.communicate(timeout=30)
    os.close(ours)

    assert process.returncode == 0
    assert '"phase": "Succeeded"' in out
    for said in ("chg-abcdefghij", "Executing", "1-canary: running at 10 %", "Succeeded"):
        assert said in drawn
    assert "\x1b]0;" not in drawn


def test_ctrl_c_ends_the_watching_and_not_the_ticket(api: FakeApi, tmp_path: Path) -> None:
    asked = threading.Event()
    api.will(PATH, (200, a_view(phase="Executing")))
    api.will(f"{PATH}/entries", (200, {"entries": [], "view": a_view(phase="Executing")}))
    api.on_request = lambda request: asked.set() if "entries" in request.path else None

    with subprocess.Popen(
        COMMAND,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(api),
        cwd=tmp_path,
        text=True,
        start_new_session=True,
        # Whoever runs the tests in the background of a script has them ignore it, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert asked.wait(20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert '"code": "still_open"' in out
    assert "look again with: holdpoint watch chg-abcdefghij" in err
    assert "Traceback" not in err
    assert all(request.method == "GET" for request in api.requests)


@pytest.mark.parametrize("answer", [None, (503, {"title": "Unavailable", "status": 503, "detail": "Down."})])
def test_a_server_that_stays_away_until_the_timeout_is_exit_3(
    api: FakeApi, holdpoint: Holdpoint, answer: object
) -> None:
    api.will(PATH, (200, a_view(phase="Executing")))
    api.will(f"{PATH}/entries", answer)

    done = holdpoint("watch", "chg-abcdefghij", "--timeout", "1s", "--output", "json")

    assert (done.code, done.json["id"]) == (3, "chg-abcdefghij")


def test_a_warning_is_told_once_although_ticket_and_step_carry_it() -> None:
    step = {"name": "s", "kind": "canary", "status": "pending", "warnings": ["10 % is really 50 %"]}
    view = a_view(steps=[step], warnings=["s: 10 % is really 50 %"])

    assert list(changes({}, view)) == ["Evaluating", "warning: s: 10 % is really 50 %"]
    assert list(changes(view, view)) == []


def test_what_ended_a_phase_is_told_before_the_next_one() -> None:
    verdict = {"verdict": "fail", "weight": 10.0, "message": "5 of 100 failed"}
    running = {"name": "s", "kind": "canary", "status": "running", "weight": 10.0}
    failed = {**running, "status": "failed", "verdicts": [verdict]}

    told = list(
        changes(a_view(phase="Executing", steps=[running]), a_view(phase="RollingBack", steps=[failed]))
    )

    assert told == ["s: fail at 10 %: 5 of 100 failed", "s: failed at 10 %", "RollingBack"]


def test_reasons_of_a_risk_are_joined_without_their_full_stops() -> None:
    risk = {"level": "low", "reasons": ["It is the first one.", "The budget is unknown."]}

    assert risk_text(risk) == "low (It is the first one; The budget is unknown)"


def test_the_end_is_the_last_line() -> None:
    verdict = {"verdict": "fail", "weight": 10.0, "message": "5 of 100 failed"}
    step = {"name": "s", "kind": "canary", "status": "undone", "weight": 0, "verdicts": [verdict]}
    reason = {"code": "analysis_failed", "message": "5 of 100 failed"}
    rollback = {"result": "diverged", "differences": ["Service/shop: spec.x: 1 -> 2"]}
    view = a_view(phase="RollbackFailed", steps=[step], reason=reason, rollback=rollback)

    assert list(changes(a_view(phase="RollingBack"), view)) == [
        "s: fail at 10 %: 5 of 100 failed",
        "s: undone at 0 %",
        "rollback: diverged, 1 difference",
        "  differs: Service/shop: spec.x: 1 -> 2",
        "RollbackFailed (analysis_failed): 5 of 100 failed",
    ]
