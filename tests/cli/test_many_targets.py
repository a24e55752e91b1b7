"""What people read of a ticket with many targets: each line names the cluster."""

from typing import Any

from holdpoint.cli.decide import bound_text
from holdpoint.cli.progress import changes
from holdpoint.cli.ticket_text import ticket_text
from tests.cli.conftest import a_view


def a_target(cluster: str, wave: int, phase: str | None = None, status: str = "pending") -> dict[str, Any]:
    step = {"name": "1-apply", "kind": "apply", "status": status, "verdicts": [], "warnings": []}
    return {"target": f"{cluster}/default/shop", "wave": wave, "phase": phase, "steps": [step]}


def a_hold(cluster: str) -> dict[str, Any]:
    said = {
        "code": "no_data",
        "message": f"{cluster}: No data.",
        "by": "judge",
        "since": "now",
        "lift": "data",
    }
    return {**said, "target": f"{cluster}/default/shop"}


def test_a_ticket_is_shown_target_by_target() -> None:
    view = {**a_view(), "targets": [a_target("eu-1", 1, "Verifying", "succeeded"), a_target("eu-2", 2)]}

    lines = ticket_text(view).splitlines()

    assert "  target     eu-1/default/shop (wave 1): Verifying" in lines
    assert "  target     eu-2/default/shop (wave 2): not begun" in lines
    assert "    step       1-apply (apply): succeeded" in lines


def test_whoever_decides_reads_every_target() -> None:
    view = {**a_view(), "targets": [a_target("eu-1", 1), a_target("eu-2", 2)]}

    text = bound_text("approve", view)

    assert "  target     eu-1/default/shop (wave 1)" in text
    assert "  target     eu-2/default/shop (wave 2)" in text


def test_each_line_of_what_happens_begins_with_the_cluster() -> None:
    before = {**a_view(), "targets": [a_target("eu-1", 1), a_target("eu-2", 1)], "holds": [a_hold("eu-2")]}
    moved = [a_target("eu-1", 1, "Executing", "running"), a_target("eu-2", 1)]
    after = {**before, "targets": moved, "holds": [a_hold("eu-1")]}

    lines = list(changes(before, after))

    assert lines[0].startswith("held by no_data: eu-1: No data.")
    assert lines[1:] == ["eu-2: no longer held by no_data", "eu-1: Executing", "eu-1: 1-apply: running"]
