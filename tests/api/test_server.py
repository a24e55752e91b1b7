"""The API as a process: it starts and takes changes without Temporal, OPA or a cluster, and stops orderly."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from holdpoint.service.tokens import create_issuer_keys, issue
from tests.sandbox.process import free_port, wait_for
from tests.service.world import a_change


@dataclass
class ApiProcess:
    """One API on a data folder."""

    folder: Path
    process: subprocess.Popen[bytes]
    address: str

    def client(self, account: str) -> httpx.AsyncClient:
        token = issue(self.folder / "keys" / "issuer.key", account)
        return httpx.AsyncClient(
            base_url=self.address, headers={"Authorization": f"Bearer {token}"}, timeout=30
        )


def start(folder: Path, **environment: str) -> ApiProcess:
    """Start an API whose upstreams are all away, and wait until it is ready."""
    nowhere = f"127.0.0.1:{free_port()}"
    settings: dict[str, Any] = {
        "ledger_url": f"sqlite:///{folder / 'ledger.db'}",
        "temporal_address": nowhere,
        "opa_url": f"http://{nowhere}",
        "opa_token_file": str(folder / "opa.token"),
        "local_repositories": True,
        "clusters": {
            "sandbox": {
                "server": f"http://{nowhere}",
                "prometheus": f"http://{nowhere}",
                "forward_token_file": str(folder / "forward.token"),
                "undo_token_file": str(folder / "undo.token"),
            }
        },
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    (folder / "keys").mkdir(exist_ok=True)
    create_issuer_keys(folder / "keys")
    (folder / "keys" / "blob.key").write_bytes(b"k" * 32)
    port = free_port()
    command = [sys.executable, "-m", "holdpoint.cli", "api", "--data", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert process.poll() is None, "the API ended"
        try:
            return httpx.get(f"{address}/v1/ready").status_code == 200
        except httpx.TransportError:
            return False

    wait_for(ready, seconds=60)
    return ApiProcess(folder, process, address)


def stop(api: ApiProcess) -> None:
    if api.process.poll() is None:
        api.process.kill()
    api.process.wait(10)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    running = start(tmp_path_factory.mktemp("data"), HOLDPOINT_EMBEDDED="true")
    yield running
    stop(running)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "podinfo"
    folder.mkdir()
    (folder / "deploy.yaml").write_text("kind: Deployment\n")
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a"}
    for command in ("init -q -b main", "add -A", "commit -q -m first"):
        subprocess.run(
            ["git", *command.split()],
            cwd=folder,
            check=True,
            env={**os.environ, **who, "GIT_COMMITTER_EMAIL": "a@b"},
        )
    return folder


async def test_fifty_submits_at_once_of_a_real_repository_open_one_ticket(
    api: ApiProcess, repository: Path
) -> None:
    body = {"change": a_change(), "base": str(repository.parent)}
    async with api.client("ci") as ci:
        answers = await asyncio.gather(
            *(ci.post("/v1/changes", json=body, headers={"Idempotency-Key": "content:x"}) for _ in range(50))
        )

    assert {answer.status_code for answer in answers} == {200, 201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(answers[0].json()["commit"]) == 40


async def test_a_freeze_is_declared_and_acknowledged_while_temporal_is_down(api: ApiProcess) -> None:
    async with api.client("commander") as commander:
        answer = await commander.post("/v1/freezes", json={"scope": "all", "reason": "INC-7"})

    assert answer.status_code == 201
    assert answer.json()["in_doubt"] == []


async def test_a_stop_answers_those_who_wait_and_leaves_with_zero(tmp_path: Path, repository: Path) -> None:
    body = {"change": a_change(), "base": str(repository.parent)}
    running = start(tmp_path, HOLDPOINT_EMBEDDED="true")
    try:
        async with running.client("ci") as ci:
            opened = await ci.post("/v1/changes", json=body, headers={"Idempotency-Key": "k"})
            poll = f"/v1/changes/{opened.json()['id']}/entries?after=1000&wait=60"
            waiting = asyncio.create_task(ci.get(poll))
            await asyncio.sleep(0.3)  # until the server holds it, which it tells nobody

            running.process.send_signal(signal.SIGTERM)

            assert (await asyncio.wait_for(waiting, 5)).status_code == 200
        assert await asyncio.to_thread(running.process.wait, 10) == 0
    finally:
        stop(running)


async def test_outside_the_embedded_stack_its_tokens_are_refused(tmp_path: Path) -> None:
    running = start(tmp_path)
    try:
        async with running.client("commander") as commander:
            answer = await commander.get("/v1/changes")
    finally:
        stop(running)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
