"""Whatever goes wrong with the policy engine, the answer is never an allow."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from holdpoint.clients import policy
from holdpoint.clients.policy import NullEngine, OpaEngine, decision_of
from holdpoint.models.artifact import ArtifactFacts
from holdpoint.models.errors import PolicyBundle, UpstreamUnavailable
from holdpoint.models.plan_diff import PlanDiffFacts
from holdpoint.models.policy import DiffFacts, PolicyInput, ServiceFacts, Window
from tests.policies import real_opa
from tests.policies.real_opa import Served

pytestmark = pytest.mark.timeout(900)  # the first run on a machine builds OPA

DIGEST = "sha256:" + "d" * 64
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)


def a_question(**changes: Any) -> PolicyInput:
    values: dict[str, Any] = {
        "ticket": "chg-aaaaaaaaaa",
        "purpose": "submit",
        "title": "shop 1.4.0",
        "service": "shop",
        "environment": "production",
        "type": "standard",
        "requester": "ci",
        "repository": "https://git.example/shop.git",
        "revision": "1.4.0",
        "commit": "1" * 40,
        "target": "sandbox/default/shop",
        "images": ["shop:1.4.0"],
        "plan_shape": "sha256:" + "a" * 64,
        "shape_succeeded": True,
        "artifact": ArtifactFacts(digest=DIGEST, content=DIGEST),
        "catalog": ServiceFacts(known=True, owner="a", backup_owner="b", tier=1, windows=[Window()]),
        "diff": DiffFacts(base="2" * 40, files=1, added=1, removed=1, kinds=["Deployment"]),
        "plan_diff": PlanDiffFacts(changed=1, fields=1, kinds=["Deployment"]),
        "recent_failures": 0,
        "now": MONDAY,
        "weekday": "mon",
        "hour": 10,
        "in_window": True,
    }
    return PolicyInput(**{**values, **changes})


def an_answer(**changes: Any) -> dict[str, Any]:
    result: dict[str, Any] = {
        "deny": [],
        "warn": [],
        "risk": {"level": "low", "reasons": []},
        "approvals": {
            "count": 1,
            "groups": ["approver"],
            "remind_after": 1,
            "escalate_after": 2,
            "expire_after": 3,
        },
        "obligations": {
            "window": False,
            "checks": [],
            "smallest_canary": None,
            "review_within": None,
            "supersede": False,
            "hold_bound": 1,
            "pause_bound": 1,
            "schedule_bound": 1,
        },
    }
    return {"result": {**result, **changes}}


@pytest.fixture(scope="module")
def opa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with real_opa.served(tmp_path_factory.mktemp("opa")) as made:
        yield made


@asynccontextmanager
async def asking(url: str, token: Path, **options: Any) -> AsyncIterator[OpaEngine]:
    """Give an engine, and close its connections at the end."""
    engine = OpaEngine(url, token, **options)
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture
async def engine(opa: Served) -> AsyncIterator[OpaEngine]:
    async with asking(opa.url, opa.bundle.token_file) as made:
        yield made


@asynccontextmanager
async def answering(*raw: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve raw HTTP answers in order, the last one again and again; an empty one hangs up."""
    asked: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)
        answer = raw[min(len(asked), len(raw)) - 1]
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


def http(status: int, body: Any) -> bytes:
    data = json.dumps(body).encode() if not isinstance(body, bytes) else body
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + data


@pytest.fixture
def token(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("s3cret\n")
    return tmp_path / "token"


@pytest.fixture
def netrc(tmp_path: Path) -> Path:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    return tmp_path / ".netrc"


async def test_real_decision_is_whole(engine: OpaEngine, opa: Served) -> None:
    decision = await engine.decide(a_question())

    assert decision.deny == []
    assert decision.risk.level == "low"
    assert decision.risk.reasons == ["Open incidents are unknown.", "The error budget is unknown."]
    assert decision.approvals.count == 0
    assert decision.obligations.window
    assert decision.revision == opa.bundle.revision()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        pytest.param({"images": ["shop:latest"]}, "floats", id="floating tag"),
        pytest.param({"catalog": ServiceFacts(known=False)}, "not in the catalog", id="unknown service"),
        pytest.param({"type": "quick"}, "metadata.type", id="unknown type"),
    ],
)
async def test_real_denial_says_why(engine: OpaEngine, changes: dict[str, Any], word: str) -> None:
    assert word in " ".join((await engine.decide(a_question(**changes))).deny)


async def test_window_of_a_real_decision_is_the_same_by_day_and_by_night(engine: OpaEngine) -> None:
    day = await engine.decide(a_question())
    night = await engine.decide(a_question(hour=2, in_window=False))

    assert day.digest == night.digest
    assert night.warn != []


async def test_digest_follows_what_binds(engine: OpaEngine) -> None:
    first = await engine.decide(a_question())
    again = await engine.decide(a_question(title="other words"))
    stricter = await engine.decide(a_question(shape_succeeded=False))

    assert first.digest == again.digest
    assert first.digest != stricter.digest


async def test_wrong_token_is_an_outage_and_no_answer(opa: Served, token: Path) -> None:
    async with asking(opa.url, token) as engine:
        with pytest.raises(UpstreamUnavailable):
            await engine.decide(a_question())


async def test_token_is_read_again_when_it_changes(opa: Served, token: Path) -> None:
    async with asking(opa.url, token) as engine:
        assert not await engine.ready()

        await asyncio.to_thread(shutil.copy, opa.bundle.token_file, token)

        assert await engine.ready()


async def test_netrc_and_proxies_of_the_environment_are_left_alone(
    engine: OpaEngine, netrc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    assert (await engine.decide(a_question())).deny == []


async def test_ready_only_with_rules_loaded(engine: OpaEngine, token: Path) -> None:
    assert await engine.ready()
    async with answering(http(200, {})) as (url, _), asking(url, token) as empty:
        assert not await empty.ready()
    async with asking(url, token) as gone:
        assert not await gone.ready()


def test_missing_result_is_a_denial() -> None:
    decision = decision_of({})

    assert decision.deny
    assert decision.risk.level == "high"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"approvals": {}}, id="no count of approvals"),
        pytest.param({"approvals": {**an_answer()["result"]["approvals"], "count": -1}}, id="negative count"),
        pytest.param({"deny": None}, id="deny is null"),
        pytest.param({"deny": "no"}, id="deny is text"),
        pytest.param({"risk": {"level": "none", "reasons": []}}, id="unknown level"),
        pytest.param({"obligations": {}}, id="holds without bounds"),
        pytest.param({"more": 1}, id="unknown field"),
    ],
)
def test_malformed_result_is_a_denial_that_names_the_field(changes: dict[str, Any]) -> None:
    decision = decision_of(an_answer(**changes))

    assert next(iter(changes)) in decision.deny[0]


def test_checks_of_the_policy_are_read_and_a_mistake_in_one_is_a_denial_that_names_it() -> None:
    obligations = an_answer()["result"]["obligations"]
    good = {"name": "errors", "query": {"promql": "errors", "max": 1}, "timeout": "5s"}

    read = decision_of(an_answer(obligations={**obligations, "prechecks": [good]}))
    wrong = decision_of(an_answer(obligations={**obligations, "postchecks": [{"name": "errors"}]}))

    assert (read.deny, read.obligations.recheck_after) == ([], 1800)
    assert [(check.name, check.timeout) for check in read.obligations.prechecks] == [("errors", 5.0)]
    assert "obligations.postchecks.0" in wrong.deny[0]


def test_policies_that_say_nothing_of_superseding_let_each_change_run() -> None:
    obligations = an_answer()["result"]["obligations"]
    del obligations["supersede"]

    decision = decision_of(an_answer(obligations=obligations))

    assert (decision.deny, decision.obligations.supersede) == ([], False)


def test_a_soak_is_an_obligation_that_binds_and_without_one_the_digest_is_as_ever() -> None:
    obligations = an_answer()["result"]["obligations"]
    none = decision_of(an_answer(obligations={**obligations, "soak": None}))
    soak = {"environment": "staging", "seconds": 1800}
    some = decision_of(an_answer(obligations={**obligations, "soak": soak}))

    assert none.digest == decision_of(an_answer()).digest != some.digest
    assert some.obligations.soak is not None
    assert some.obligations.soak.model_dump() == soak


@pytest.mark.parametrize("soak", [{"environment": "staging"}, {"environment": "staging", "seconds": -1}, 60])
def test_a_malformed_soak_is_a_denial(soak: object) -> None:
    obligations = an_answer()["result"]["obligations"]

    assert "soak" in decision_of(an_answer(obligations={**obligations, "soak": soak})).deny[0]


@pytest.mark.parametrize("result", [None, [], True, {}, "allow"])
def test_result_that_is_no_decision_is_a_denial(result: object) -> None:
    assert decision_of({"result": result}).deny


async def test_restart_of_opa_is_ridden_out(token: Path) -> None:
    async with (
        answering(http(503, {}), b"", http(200, an_answer())) as (url, asked),
        asking(url, token) as engine,
    ):
        decision = await engine.decide(a_question())

    assert decision.approvals.count == 1
    assert len(asked) == 3


async def test_token_goes_with_every_question(token: Path) -> None:
    async with answering(http(200, an_answer())) as (url, asked), asking(url, token) as engine:
        await engine.decide(a_question())

    assert b"Authorization: Bearer s3cret\r\n" in asked[0]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="hangs up"),
        pytest.param(http(503, {}), id="unavailable"),
        pytest.param(http(500, {"code": "other"}), id="fails"),
        pytest.param(http(200, b"<html>"), id="is no JSON"),
        pytest.param(http(404, {}), id="is something else"),
    ],
)
async def test_engine_that_does_not_answer_is_an_outage(token: Path, answer: bytes) -> None:
    async with answering(answer) as (url, asked), asking(url, token) as engine:
        with pytest.raises(UpstreamUnavailable) as caught:
            await engine.decide(a_question())

    assert caught.value.detail["upstream"] == "policy"
    assert len(asked) == len(policy.PAUSES) + 1


async def test_engine_that_hangs_is_given_up(token: Path) -> None:
    gone: asyncio.Queue[None] = asyncio.Queue()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the client has gone
        writer.close()
        gone.put_nowait(None)

    async with await asyncio.start_server(never, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asking(url, token, timeout=0.1) as engine:
            with pytest.raises(UpstreamUnavailable):
                await engine.decide(a_question())

            for _ in range(len(policy.PAUSES) + 1):
                await gone.get()


async def test_nobody_listening_is_an_outage(token: Path) -> None:
    async with asking("http://127.0.0.1:9", token) as engine:
        with pytest.raises(UpstreamUnavailable):
            await engine.decide(a_question())


async def test_missing_token_file_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(UpstreamUnavailable, match="token"):
        await OpaEngine("http://127.0.0.1:9", tmp_path / "absent").decide(a_question())


async def test_rule_that_cannot_be_evaluated_is_a_broken_policy_in_opas_words(token: Path) -> None:
    body = {
        "code": "internal_error",
        "message": "eval_conflict_error",
        "errors": [{"message": "two outputs"}],
    }
    async with answering(http(500, body)) as (url, asked), asking(url, token) as engine:
        with pytest.raises(PolicyBundle, match="eval_conflict_error; two outputs"):
            await engine.decide(a_question())

    assert len(asked) == 1


async def test_null_denies() -> None:
    assert (await NullEngine().decide(a_question())).deny
