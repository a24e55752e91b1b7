"""What the API says while something behind it is away: an answer, soon, and what to do."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection

from holdpoint.api.app import create_app
from holdpoint.api.dependencies import Parts
from holdpoint.service.tokens import issue
from holdpoint.telemetry.measured import MeasuredLedger
from tests.service.world import World

PATIENCE = 0.2
"""Seconds; 10 in the real process."""


@pytest.fixture
async def stuck(world: World, parts: Parts) -> AsyncIterator[tuple[Parts, threading.Event]]:
    """An API whose ledger's every thread is stuck, as behind a network that stalls."""
    ledger = MeasuredLedger(str(world.ledger._reading.url), None, parts.metrics, patience=PATIENCE)
    release = threading.Event()

    def hang(db: Connection) -> None:
        release.wait(30)

    hung = [asyncio.create_task(ledger.read(hang)) for _ in range(64)]
    yield replace(parts, ledger=ledger), release
    release.set()
    await asyncio.gather(*hung, return_exceptions=True)
    ledger.close()


async def test_a_ledger_that_stalls_is_answered_with_503_and_when_to_try_again(
    stuck: tuple[Parts, threading.Event], tmp_path: Path
) -> None:
    app = create_app(stuck[0])
    token = issue(tmp_path / "keys" / "issuer.key", "sre")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://api",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        async with asyncio.timeout(5):
            answers = [await client.get(path) for path in ("/v1/changes", "/v1/freezes", "/v1/ready")]
        alive = await client.get("/v1/health")

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/problem+json"}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    assert answers[0].headers["X-Request-ID"]
    assert alive.status_code == 200


async def test_an_api_that_drains_is_not_ready(parts: Parts) -> None:
    app = create_app(parts)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        before = await client.get("/v1/ready")
        parts.stopping.set()
        after = await client.get("/v1/ready")
        metrics = await client.get("/metrics")

    assert (before.status_code, after.status_code) == (200, 503)
    assert 'holdpoint_ready{process="api"} 0.0' in metrics.text
