"""The command as a whole: one JSON document, exit codes of its own errors, and a quick start."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdpoint.cli import exit_codes
from holdpoint.cli.main import COMMANDS, GROUPS
from holdpoint.cli.output import asked_for_json
from holdpoint.models.phases import TERMINAL
from tests.cli.conftest import CHANGE, FakeApi, Holdpoint, a_view

USAGE = {
    "unknown command": ["frobnicate"],
    "unknown option": ["list", "--frob"],
    "argument missing": ["show"],
    "one argument too many": ["show", "a", "b"],
    "option without its value": ["submit", "f.yaml", "--timeout"],
    "number out of range": ["list", "--limit", "0"],
    "unknown phase": ["list", "--phase", "Flying"],
    "group alone": ["freeze"],
    "ticket and --all": ["audit", "export", "chg-a", "--all", "-o", "x"],
    "neither ticket nor --all": ["audit", "export", "-o", "x"],
    "share above one": ["sandbox", "behave", "--image", "x", "--error-rate", "1.5"],
    "unknown part": ["sandbox", "fail", "temporal", "--mode", "down", "--for", "1s"],
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE.keys())
def test_a_usage_error_is_exit_2_and_a_problem_in_json(holdpoint: Holdpoint, arguments: list[str]) -> None:
    text, document = holdpoint(*arguments), holdpoint(*arguments, "--output", "json")

    assert (text.code, text.out) == (2, "")
    assert text.err.startswith("error: ")
    assert (document.code, document.json["code"], document.json["status"]) == (2, "usage", 400)


@pytest.mark.parametrize(
    ("arguments", "json_wanted"),
    [
        (["list", "--output", "json"], True),
        (["--output=json"], True),
        (["list", "--output", "json", "--output", "text"], False),
        (["list", "--output"], False),
        (["show", "--", "--output", "json"], False),
        (["list", "-o", "json"], False),
    ],
)
def test_json_is_known_even_where_the_arguments_cannot_be_parsed(
    arguments: list[str], json_wanted: bool
) -> None:
    assert asked_for_json(arguments) is json_wanted


def test_every_terminal_phase_has_an_exit_code() -> None:
    codes = {str(phase): exit_codes.of_phase(phase) for phase in TERMINAL}

    assert codes == {
        "Succeeded": 0,
        "Rejected": 1,
        "Expired": 1,
        "Failed": 1,
        "Aborted": 1,
        "RolledBack": 1,
        "RollbackFailed": 4,
        "Errored": 4,
    }
    assert exit_codes.of_phase("SomethingNew") == 4


def test_every_command_takes_output_and_says_what_it_does(holdpoint: Holdpoint) -> None:
    names = [[name] for name, _ in COMMANDS]
    names += [
        [name, str(one.name)] for name, group in GROUPS for one in group.registered_commands if one.name
    ]

    for name in names:
        done = holdpoint(*name, "--help")
        assert done.code == 0
        assert "--output" in done.out, name


def test_the_command_alone_shows_its_help(holdpoint: Holdpoint) -> None:
    done = holdpoint()

    assert done.code == 0
    assert "Commands:" in done.out


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    heavy = ("pydantic", "httpx", "rich", "temporalio", "fastapi", "sqlalchemy", "yaml", "kubernetes")
    code = f"import sys, holdpoint.cli.main; print([m for m in {heavy!r} if m in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=20
    )

    assert done.stdout.strip() == "[]"


def test_a_process_answers_with_one_document_and_its_code(api: FakeApi, process: Holdpoint) -> None:
    api.will("GET /v1/changes", (200, {"items": []}))

    done = process("list", "--output", "json")

    assert (done.code, done.json, done.err) == (0, {"items": []}, "")
    missing = process("show", "chg-none", "--output", "json")
    assert (missing.code, missing.json["status"]) == (2, 404)


def test_a_reader_that_goes_away_changes_neither_exit_code_nor_stderr(api: FakeApi) -> None:
    api.will("GET /v1/changes", (200, {"items": [], "padding": "x" * 300_000}))
    command = (
        f"{sys.executable} -m holdpoint.cli.main list --output json | head -c 10; exit ${{PIPESTATUS[0]}}"
    )
    environment = {"HOLDPOINT_URL": api.address, "HOLDPOINT_TOKEN": "t", "PATH": "/usr/bin:/bin"}

    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=20, env=environment, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_nobody_reading_along_changes_nothing(api: FakeApi, change_file: Path) -> None:
    api.will("POST /v1/changes", (200, a_view()))
    environment = {"HOLDPOINT_URL": api.address, "HOLDPOINT_TOKEN": "t", "PATH": "/usr/bin:/bin"}
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        [sys.executable, "-m", "holdpoint.cli.main", "submit", str(change_file), "--output", "json"],
        stdout=subprocess.PIPE,
        stderr=write,
        timeout=20,
        env=environment,
        check=False,
    )
    os.close(write)

    assert (done.returncode, json.loads(done.stdout)) == (0, a_view())


def test_a_bug_of_ours_never_claims_that_production_is_as_it_was(
    holdpoint: Holdpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("holdpoint.cli.connection.connect", broken)

    done = holdpoint("list", "--output", "json")

    assert (done.code, done.json["code"]) == (4, "internal_error")


def test_validate_names_each_mistake_of_each_file(holdpoint: Holdpoint, tmp_path: Path) -> None:
    good, bad, worse = (tmp_path / name for name in ("good.yaml", "bad.yaml", "worse.yaml"))
    good.write_text(CHANGE)
    bad.write_text(CHANGE.replace("bake", "bakes"))
    worse.write_text("[")

    done = holdpoint("validate", str(good), str(bad), str(worse), "--output", "json")

    assert (done.code, done.json["code"]) == (2, "invalid_change")
    assert [(one["file"], one["line"]) for one in done.json["errors"]] == [(str(bad), 9), (str(worse), 2)]
    assert f"{bad}:9:" in done.err
    assert "Did you mean 'bake'?" in done.err


def test_validate_needs_no_server(holdpoint: Holdpoint, change_file: Path, api: FakeApi) -> None:
    done = holdpoint("validate", str(change_file), "--output", "json")

    assert (done.code, done.json["valid"], api.requests) == (0, True, [])
    assert done.json["files"][0]["file"] == str(change_file)


@pytest.mark.parametrize("name", ["missing.yaml", "."], ids=["missing", "folder"])
def test_a_file_that_cannot_be_read_is_exit_2(holdpoint: Holdpoint, name: str) -> None:
    done = holdpoint("validate", name, "--output", "json")

    assert (done.code, done.json["code"]) == (2, "file")


def test_the_schema_is_json_in_either_form(holdpoint: Holdpoint) -> None:
    text, document = holdpoint("schema", "change"), holdpoint("schema", "change", "--output", "json")

    assert json.loads(text.out) == document.json
    assert document.json["title"] == "Change"
