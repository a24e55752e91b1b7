"""Steering needs its own token, says what is wrong, and the tokens are only for their owner."""

import pytest

from tests.sandbox.process import Sandbox


def test_the_folder_and_its_tokens_are_private(sandbox: Sandbox) -> None:
    folder = sandbox.data / "sandbox"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder / "tokens").iterdir()}

    assert modes == {"forward.token": 0o600, "undo.token": 0o600, "steer.token": 0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "audit.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("token", "code"), [("forward", 403), ("undo", 403), ("", 401)])
def test_only_the_steering_token_steers(sandbox: Sandbox, token: str, code: int) -> None:
    headers = {"Authorization": f"Bearer {sandbox.token(token)}"} if token else {}

    assert sandbox.http.get("/sandbox/state", headers=headers).status_code == code


@pytest.mark.parametrize(
    ("action", "body", "named"),
    [
        ("behave", {}, "image"),
        ("behave", {"image": "web:1", "error_rate": 2}, "error_rate"),
        ("behave", {"image": "web:1", "latency_ms": "slow"}, "latency_ms"),
        ("behave", {"image": "web:1", "errors": 1}, "errors"),
        ("behave", {"image": "web:1", "never_ready": 1}, "never_ready"),
        ("fail", {"part": "etcd", "mode": "down", "for": 1}, "part"),
        ("fail", {"part": "kubernetes", "mode": "odd", "for": 1}, "mode"),
        ("fail", {"part": "kubernetes", "mode": "down"}, "for"),
        ("fail", {"part": "kubernetes", "mode": "down", "for": 1, "user": "root"}, "user"),
        ("fail", [1], "object"),
    ],
)
def test_a_wrong_body_is_400_and_names_the_field(
    sandbox: Sandbox, action: str, body: object, named: str
) -> None:
    answer = sandbox.send("POST", f"/sandbox/{action}", by="steer", body=body)

    assert answer.status_code == 400
    assert named in answer.json()["error"]


def test_an_unknown_action_is_404(sandbox: Sandbox) -> None:
    assert sandbox.send("POST", "/sandbox/dance", by="steer", body={}).status_code == 404


@pytest.mark.parametrize(
    "content", [b"{", b"[1]", b'{"metadata": {"name": NaN}}', b"a: &a [*a]", b"[" * 5000]
)
def test_a_hostile_body_is_400(sandbox: Sandbox, content: bytes) -> None:
    path = "/api/v1/namespaces/default/configmaps/bad"
    headers = {"Content-Type": "application/apply-patch+yaml"}

    answer = sandbox.send("PATCH", path, content=content, params={"fieldManager": "one"}, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["kind"] == "Status"


def test_a_body_that_is_too_large_is_413(sandbox: Sandbox) -> None:
    content = b'{"data": "' + b"x" * (3 << 20) + b'"}'

    answer = sandbox.send("POST", "/api/v1/namespaces/default/configmaps", content=content)

    assert answer.status_code == 413
