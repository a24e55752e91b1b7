"""A judge of the user's own is asked as documented; whatever is not a whole answer is an outage."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from holdpoint.clients.judges import MAX_ANSWER, Judges, Question
from holdpoint.models.errors import SettingsError, StepConfig, TransientError
from holdpoint.models.settings import JudgeSettings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUESTION = Question(
    metric="load", ticket="chg-7k2m9xq4ab", service="shop", environment="production", cluster="eu-1",
    namespace="prod", canary=["shop-canary"], stable=["shop"], weight=10, began=NOW, since=NOW, at=NOW,
)  # fmt: skip
GOOD: dict[str, Any] = {
    "version": "holdpoint.dev/judge/v1",
    "verdict": "pass",
    "message": "2 of 900 differ",
    "numbers": {"differ": 2},
}
PACKED = {"content-encoding": "gzip"}
Answer = Callable[[httpx.Request], httpx.Response]


@asynccontextmanager
async def asked(answer: Answer, **settings: Any) -> AsyncIterator[Judges]:
    one = JudgeSettings.model_validate({"url": "https://judge.example/v1", **settings})
    judges = Judges({"load": one}, transport=httpx.MockTransport(answer))
    yield judges
    await judges.close()


async def test_question_and_answer_are_as_documented(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={**GOOD, "of a later version": True})

    async with asked(answer, token_file=tmp_path / "token") as judges:
        found = await judges.ask("load", QUESTION)

    assert (found.verdict, found.message, found.numbers) == ("pass", "2 of 900 differ", {"differ": 2})
    assert seen[0].headers["authorization"] == "Bearer s3cret"
    page = (Path(__file__).parents[2] / "docs" / "judge.md").read_text()
    assert json.loads(seen[0].content).keys() == json.loads(_block(page, '"metric"')).keys()
    assert json.loads(_block(page, '"numbers"')).keys() == GOOD.keys()


def _block(page: str, word: str) -> str:
    return next(block for block in page.split("```")[1::2] if word in block).removeprefix("json")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(500), id="broken"),
        pytest.param(httpx.Response(429), id="busy"),
        pytest.param(httpx.Response(302, headers={"location": "https://elsewhere.example"}), id="a redirect"),
        pytest.param(httpx.Response(204), id="nothing"),
        pytest.param(httpx.Response(200, text="<html>"), id="no JSON"),
        pytest.param(httpx.Response(200, text="[" * 10_000), id="nested without end"),
        pytest.param(httpx.Response(200, json=[]), id="no document"),
        pytest.param(httpx.Response(200, json={**GOOD, "version": "v2"}), id="another version"),
        pytest.param(httpx.Response(200, json={**GOOD, "verdict": "PASS"}), id="another word"),
        pytest.param(httpx.Response(200, json={"version": GOOD["version"]}), id="no verdict"),
        pytest.param(httpx.Response(200, json={**GOOD, "numbers": {"a": "1"}}), id="a number that is text"),
        pytest.param(httpx.Response(200, text=json.dumps({**GOOD, "numbers": {"a": 1e999}})), id="infinite"),
        pytest.param(httpx.Response(200, json={**GOOD, "message": "a\nb"}), id="several lines"),
        pytest.param(httpx.Response(200, json={**GOOD, "message": "x" * MAX_ANSWER}), id="too long"),
        pytest.param(httpx.Response(200, headers=PACKED, content=gzip.compress(b"{}")), id="packed"),
    ],
)
async def test_what_is_not_a_whole_answer_is_an_outage(answer: httpx.Response) -> None:
    seen: list[httpx.Request] = []

    def answered(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    async with asked(answered) as judges:
        with pytest.raises(TransientError, match="The judge load"):
            await judges.ask("load", QUESTION)

    assert len(seen) == 1


async def test_one_that_hangs_is_given_up_in_time() -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    judges = Judges(
        {"load": JudgeSettings(url="https://judge.example", timeout=1)}, transport=httpx.MockTransport(hang)
    )

    with pytest.raises(TransientError, match="no answer within 1 s"):
        await judges.ask("load", QUESTION)
    await judges.close()


async def test_an_unknown_one_is_named_with_those_that_are_known() -> None:
    async with asked(lambda _: httpx.Response(200, json=GOOD)) as judges:
        with pytest.raises(StepConfig, match=r"Unknown judge: 'lod'.*load"):
            await judges.ask("lod", QUESTION)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "ftp://judge.example"}, "must be a URL"),
        ({"url": "https://me:pw@judge.example"}, "must not hold credentials"),
        ({"url": "http://judge.example", "token_file": "token"}, "must be https"),
        ({"url": "https://judge.example", "timeout": 60}, "less than or equal to 10"),
    ],
)
def test_settings_that_give_a_token_away_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        JudgeSettings.model_validate(settings)


def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"judges\.load\.ca_file"):
        Judges({"load": JudgeSettings(url="https://judge.example", ca_file=tmp_path / "none")})
