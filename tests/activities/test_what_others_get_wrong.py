"""What users of other tools report, and is tested nowhere else; docs/judge.md names a test for each."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from activities import judging
from activities.fleet_counters import Place
from activities.judging import watch
from holdpoint.clients import metrics
from holdpoint.clients.judges import Judges
from holdpoint.clients.metrics import PrometheusMetrics
from holdpoint.ledger.blobs import Blobs
from holdpoint.models.settings import JudgeSettings
from tests.activities.test_own_metrics import JOBS, LAG, LOAD, Numbers, a_call, lag

ROOT = Path(__file__).parents[2]
HELD_WITHIN = 30.0
LONGEST_JUDGE = 10.0
"""Seconds: the longest `timeout` that the settings take for a judge of one's own."""


@pytest.mark.parametrize("hangs", ["Prometheus", "a judge of one's own"])
async def test_a_source_that_hangs_is_told_within_half_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs: str
) -> None:
    longest = max(metrics.TIMEOUT * 2, LONGEST_JUDGE)  # history, then what came since
    assert judging.POLL + 2 * longest + judging.OUTAGE < HELD_WITHIN
    for name in ("POLL", "OUTAGE"):
        monkeypatch.setattr(judging, name, getattr(judging, name) / 100)
    monkeypatch.setattr(metrics, "TIMEOUT", metrics.TIMEOUT / 100)

    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    silent, numbers = httpx.MockTransport(never), Numbers(lag(10))
    judge = JudgeSettings(url="https://judge.example").model_copy(update={"timeout": 0.1})
    judges = Judges({"load": judge}, transport=silent)
    prometheus = PrometheusMetrics("http://silent.example", transport=silent)
    place = Place("prod", ["shop-canary"], ["shop"], numbers.began, every=5.0)
    own = (LAG, JOBS) if hangs == "Prometheus" else (LAG, LOAD)
    source = prometheus if hangs == "Prometheus" else numbers

    judgement = await watch(
        a_call(numbers.began, *own, window=60), source, Blobs(tmp_path, b"k" * 32), place=place, judges=judges
    )

    assert judgement.verdict.verdict == "provider_down"
    assert "gave no answer within" in judgement.verdict.message
    assert judgement.watched < HELD_WITHIN / 10
    await prometheus.close()
    await judges.close()


def test_each_case_of_the_page_names_tests_that_there_are() -> None:
    page = (ROOT / "docs" / "judge.md").read_text()
    section = page.split("## What others get wrong")[1].split("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith("| ") and not row.startswith("| Elsewhere")]
    named = [re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row) for row in rows]

    assert len(rows) >= 15
    assert all(named)
    missing = [
        f"{file}::{test}"
        for file, test in (one for row in named for one in row)
        if not re.search(rf"def {test}\(", (ROOT / file).read_text())
    ]
    assert missing == []
