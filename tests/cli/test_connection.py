"""Where the API is and who we are."""

import json
import os
import re
import socket
import stat
from pathlib import Path

import pytest

from holdpoint.embedded.lock import StackLock
from holdpoint.service.tokens import create_issuer_keys
from tests.cli.conftest import FakeApi, Holdpoint, a_view

LIST = "GET /v1/changes"


@pytest.fixture
def data(tmp_path: Path, api: FakeApi) -> Path:
    """The data folder of a stack that is up."""
    for name in ("run", "keys", "sandbox/tokens"):
        (tmp_path / "data" / name).mkdir(parents=True)
    addresses = {"api": api.address, "sandbox": api.address}
    (tmp_path / "data" / "run" / "addresses.json").write_text(json.dumps(addresses))
    create_issuer_keys(tmp_path / "data" / "keys")
    return tmp_path / "data"


def test_login_stores_a_token_that_only_its_owner_can_read(
    holdpoint: Holdpoint, api: FakeApi, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOLDPOINT_URL")
    monkeypatch.delenv("HOLDPOINT_TOKEN")
    monkeypatch.setenv("HOLDPOINT_DATA", str(data))
    api.will(LIST, (200, {"items": []}))

    login = holdpoint("login", "--as", "approver", "--output", "json")
    holdpoint("list")

    assert login.err == ""

    stored = data / "run" / "login.token"
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert login.json["token"] == stored.read_text()
    assert api.requests[0].headers["Authorization"] == f"Bearer {login.json['token']}"


def test_a_login_in_text_does_not_show_the_token(holdpoint: Holdpoint, data: Path) -> None:
    done = holdpoint("login", "--as", "ci", "--data", str(data))

    assert done.code == 0
    assert (data / "run" / "login.token").read_text() not in done.out + done.err


def test_the_token_of_the_environment_wins_and_login_says_so(
    holdpoint: Holdpoint, api: FakeApi, data: Path
) -> None:
    api.will(LIST, (200, {"items": []}))

    login = holdpoint("login", "--as", "ci", "--data", str(data))
    holdpoint("list", "--data", str(data))

    assert "unset HOLDPOINT_TOKEN" in login.err
    assert api.requests[0].headers["Authorization"] == "Bearer a-token"


def test_a_stored_login_does_not_leave_this_machine(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from holdpoint.cli.connection import store_token, token

    monkeypatch.delenv("HOLDPOINT_TOKEN", raising=False)
    store_token(data, "secret")

    assert token(data, "http://127.0.0.1:8300") == "secret"
    assert token(data, "https://holdpoint.example.com") is None


@pytest.mark.parametrize("account", ["root", "", "../ci"])
def test_an_unknown_account_is_exit_2(holdpoint: Holdpoint, data: Path, account: str) -> None:
    done = holdpoint("login", "--as", account, "--data", str(data), "--output", "json")

    assert (done.code, done.json["code"]) == (2, "settings")
    assert "commander" in done.json["detail"]


def test_no_stack_on_the_folder_is_exit_3_with_the_way_out(
    holdpoint: Holdpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOLDPOINT_URL")

    done = holdpoint("list", "--data", str(tmp_path / "none"), "--output", "json")

    assert (done.code, done.json["code"]) == (3, "upstream_unavailable")
    assert "holdpoint up" in done.json["detail"]
    assert not (tmp_path / "none").exists()


def test_a_server_elsewhere_that_does_not_answer_is_not_to_be_started_here(
    holdpoint: Holdpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDPOINT_URL", "http://127.0.0.2:9")
    monkeypatch.setenv("NO_PROXY", "*")

    done = holdpoint("list", "--output", "json")

    assert done.code == 3
    assert "holdpoint up" not in done.json["detail"]
    assert re.search(r"http://127\.0\.0\.2:9 \(.+\)\. Check HOLDPOINT_URL", done.json["detail"])


def test_an_address_that_is_none_is_a_mistake_of_the_settings(
    holdpoint: Holdpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDPOINT_URL", "holdpoint.example.com")

    assert holdpoint("list").code == 2


@pytest.mark.parametrize("token", ["two words", "t\u00f6ken", "a\nb"], ids=ascii)
def test_a_token_that_is_none_is_a_mistake_of_the_settings(
    holdpoint: Holdpoint, api: FakeApi, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HOLDPOINT_TOKEN", token)

    assert (holdpoint("list").code, api.requests) == (2, [])


@pytest.mark.parametrize("written", ["", "[]", "{}", '{"api": 3}'])
def test_addresses_that_cannot_be_read_are_a_mistake_of_the_settings(
    holdpoint: Holdpoint, data: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.delenv("HOLDPOINT_URL")
    (data / "run" / "addresses.json").write_text(written)

    assert holdpoint("list", "--data", str(data)).code == 2


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    holdpoint: Holdpoint, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    api.will(LIST, (200, {"items": []}))

    assert holdpoint("list").code == 0


def test_the_sandbox_is_steered_with_its_own_secret(holdpoint: Holdpoint, api: FakeApi, data: Path) -> None:
    (data / "sandbox" / "tokens" / "steer.token").write_text("steer-secret\n")
    api.will("POST /sandbox/behave", (200, {"ok": True}))
    api.will("POST /sandbox/fail", (200, {"ok": True}))
    folder = ("--data", str(data), "--output", "json")

    behaves = ("--image", "shop:2", "--error-rate", "0.2", "--after", "5s", "--never-ready")
    assert holdpoint("sandbox", "behave", *behaves, *folder).code == 0
    assert holdpoint("sandbox", "fail", "prometheus", "--mode", "down", "--for", "1m", *folder).code == 0

    behave, fail = api.requests
    assert behave.headers["Authorization"] == "Bearer steer-secret"
    assert behave.body == {"image": "shop:2", "never_ready": True, "error_rate": 0.2, "after": 5.0}
    assert fail.body == {"part": "prometheus", "mode": "down", "for": 60.0}


def test_a_supervised_api_that_restarts_is_waited_for_by_every_verb(
    holdpoint: Holdpoint, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOLDPOINT_URL")
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    late = FakeApi(port=port)
    late.will("POST /v1/changes/chg-a/pause", (200, a_view()))
    (data / "run" / "addresses.json").write_text(json.dumps({"api": f"http://127.0.0.1:{port}"}))
    supervisor = StackLock(data / "run")
    supervisor.take()
    # The second try is the first that can find it: it begins to listen when the first was refused.
    monkeypatch.setattr("holdpoint.cli.client.time.sleep", lambda _: late.start())

    with late:
        done = holdpoint("pause", "chg-a", "--data", str(data))
    supervisor.release()

    assert done.code == 0
    assert "the stack starts it again" in done.err


def test_a_stack_that_was_killed_is_not_waited_for(
    holdpoint: Holdpoint, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOLDPOINT_URL")
    monkeypatch.setattr("holdpoint.cli.client.time.sleep", lambda _: pytest.fail("waited"))
    # Our own process lives, as does one that was killed and not yet collected; nobody holds the lock.
    gone = {"api": "http://127.0.0.1:9", "pid": os.getpid()}
    (data / "run" / "addresses.json").write_text(json.dumps(gone))

    assert holdpoint("list", "--data", str(data)).code == 3
