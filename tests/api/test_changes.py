"""Submit and read over HTTP: statuses, documents and the long poll are a contract with the command line."""

import asyncio

import httpx
import pytest

from holdpoint.models.phases import Phase
from holdpoint.models.plan_diff import PlanDiff, summary_of
from tests.api.conftest import DIFF, As
from tests.service.world import DIGEST, World, a_change

BODY = {"change": a_change(), "base": "/srv/files"}
CONTRACT = set(
    [
        "id",
        "title",
        "service",
        "environment",
        "type",
        "phase",
        "hold",
        "holds",
        "risk",
        "approvals",
        "steps",
        "rollback",
        "reason",
        "created_at",
        "closed_at",
        "digest",
    ]
)
KEY = {"Idempotency-Key": "content:abc"}


async def submit(client: httpx.AsyncClient, key: dict[str, str] | None = None) -> httpx.Response:
    return await client.post("/v1/changes", json=BODY, headers=key or KEY)


async def test_a_submit_is_created_and_the_same_again_joins(as_: As) -> None:
    first, again = await submit(as_("ci")), await submit(as_("ci"))

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["location"] == f"/v1/changes/{first.json()['id']}"


async def test_fifty_submits_at_once_over_http_open_one_ticket(as_: As, world: World) -> None:
    client = as_("ci")

    answers = await asyncio.gather(*(submit(client, {"Idempotency-Key": "build-1"}) for _ in range(50)))

    assert sorted({answer.status_code for answer in answers}) == [200, 201]
    assert sum(answer.status_code == 201 for answer in answers) == 1
    assert len({answer.json()["id"] for answer in answers}) == 1
    await asyncio.wait_for(world.temporal.has_started.wait(), 5)
    assert len(world.temporal.started) == 1


async def test_show_has_every_field_of_the_contract(as_: As) -> None:
    ticket = (await submit(as_("ci"))).json()["id"]

    shown = (await as_("auditor").get(f"/v1/changes/{ticket}")).json()

    assert set(shown) >= CONTRACT
    assert shown["created_at"].endswith("Z")


async def test_a_file_with_mistakes_names_each_with_its_line(as_: As) -> None:
    wrong = a_change(environment="prod").replace("weights: [10, 50]", "weights: [50, 10]")

    answer = await as_("ci").post("/v1/changes", json={"change": wrong}, headers=KEY)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_change")
    assert {(error["field"], error["line"]) for error in problem["errors"]} >= {("metadata.environment", 6)}
    assert len(problem["errors"]) == 2


async def test_a_submit_without_a_key_is_refused(as_: As) -> None:
    answer = await as_("ci").post("/v1/changes", json=BODY)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_a_dry_run_shows_plan_and_decision_and_opens_nothing(as_: As) -> None:
    answer = await as_("ci").post("/v1/changes?dry_run=true", json=BODY)

    assert answer.status_code == 200
    assert set(answer.json()) == {"plan", "plan_diff", "decision", "warnings", "checks", "waves"}
    assert (await as_("ci").get("/v1/changes")).json() == {"items": []}


async def test_the_plans_diff_is_read_whole(as_: As, world: World) -> None:
    digest = world.blobs.put(DIFF.model_dump_json().encode())
    summary = summary_of(DIFF, digest).model_dump(mode="json")
    ticket = await world.a_ticket(phase=Phase.AWAITING_APPROVAL, plan_diff=summary)

    answer = await as_("approver").get(f"/v1/changes/{ticket.id}/diff")

    assert (answer.status_code, answer.json()) == (200, DIFF.model_dump(mode="json"))
    shown = (await as_("approver").get(f"/v1/changes/{ticket.id}")).json()["plan_diff"]
    assert (shown["digest"], shown["facts"]["changed"]) == (digest, 1)


async def test_a_diff_that_is_not_known_says_why(as_: As, world: World) -> None:
    ticket = (await world.a_ticket()).id
    unknown = PlanDiff(cluster="sandbox", namespace="default", known=False, message="No answer.")
    summary = summary_of(unknown, None).model_dump(mode="json")

    early = (await as_("ci").get(f"/v1/changes/{ticket}/diff")).json()
    await world.record(ticket, phase=Phase.AWAITING_APPROVAL, plan_diff=summary)
    away = (await as_("ci").get(f"/v1/changes/{ticket}/diff")).json()

    assert (early["known"], early["message"]) == (False, "It has not been evaluated.")
    assert (away["known"], away["message"]) == (False, "No answer.")
    assert (away["cluster"], away["namespace"]) == ("sandbox", "default")


async def test_a_diff_whose_file_is_lost_is_not_found(as_: As, world: World) -> None:
    summary = summary_of(DIFF, DIGEST).model_dump(mode="json")
    ticket = await world.a_ticket(phase=Phase.AWAITING_APPROVAL, plan_diff=summary)

    answer = await as_("ci").get(f"/v1/changes/{ticket.id}/diff")

    assert (answer.status_code, DIGEST in answer.json()["detail"]) == (404, True)


async def test_the_policy_is_asked_without_a_ticket(as_: As) -> None:
    answer = await as_("ci").post("/v1/policy/check", json=BODY)

    assert answer.status_code == 200
    assert answer.json()["risk"]["level"] == "low"


async def test_the_list_is_filtered(as_: As, world: World) -> None:
    ticket = (await submit(as_("ci"))).json()["id"]
    client = as_("auditor")

    async def ids(query: str) -> list[str]:
        answer = await client.get(f"/v1/changes{query}")
        return [item["id"] for item in answer.json()["items"]]

    assert await ids("") == [ticket]
    assert await ids("?phase=Evaluating&service=podinfo&environment=staging&limit=1") == [ticket]
    assert await ids("?phase=Succeeded") == []
    assert await ids("?service=shop") == []


async def test_a_long_poll_answers_when_there_is_news(as_: As, world: World) -> None:
    ticket = (await submit(as_("ci"))).json()["id"]
    client = as_("auditor")
    begun = (await client.get(f"/v1/changes/{ticket}/entries")).json()
    last = begun["entries"][-1]["seq"]

    waiting = asyncio.create_task(client.get(f"/v1/changes/{ticket}/entries?after={last}&wait=30"))
    # Until the poll lies in the feed, which tells nobody; the outcome is the same if it came later.
    await asyncio.sleep(0.1)
    await world.record(ticket, phase=Phase.SCHEDULED)
    told = (await asyncio.wait_for(waiting, 5)).json()

    assert [entry["kind"] for entry in told["entries"]] == ["phase.entered"]
    assert set(told["entries"][0]) == {"seq", "at", "kind", "actor", "body"}
    assert told["view"]["phase"] == "Scheduled"


async def test_a_ticket_is_explained(as_: As) -> None:
    ticket = (await submit(as_("ci"))).json()["id"]

    told = (await as_("auditor").get(f"/v1/changes/{ticket}/explanation")).json()

    assert set(told) == {"id", "phase", "summary", "causes", "closed", "lane"}
    assert set(told["causes"][0]) == {"code", "message", "since", "until", "who", "command", "moves_at"}


async def test_a_ticket_is_there_and_held_while_temporal_is_down(as_: As, world: World) -> None:
    world.temporal.down = True

    answer = await submit(as_("ci"))

    assert answer.status_code == 201
    control = await as_("sre").post(f"/v1/changes/{answer.json()['id']}/pause", json={})
    assert (control.status_code, control.json()["code"]) == (503, "upstream_unavailable")
    assert int(control.headers["retry-after"]) > 0


@pytest.mark.parametrize("account", ["auditor", "sre"])
async def test_evidence_is_the_archived_file_once_there_is_one(as_: As, world: World, account: str) -> None:
    ticket = (await submit(as_("ci"))).json()["id"]
    client = as_(account)

    live = await client.get(f"/v1/changes/{ticket}/evidence")
    archive = world.settings.data / "archive"
    archive.mkdir()
    (archive / f"{ticket}.json").write_bytes(b'{"the": "file"}')
    archived = await client.get(f"/v1/changes/{ticket}/evidence")

    assert "statement" in live.json()
    assert archived.content == b'{"the": "file"}'
    assert "intents" in (await client.get("/v1/audit/export")).json()


async def test_head_is_answered_as_get_without_its_body(as_: As) -> None:
    client = as_("auditor")
    await submit(as_("ci"))

    got = await client.get("/v1/changes")
    headed = await client.head("/v1/changes")

    assert (headed.status_code, headed.content) == (200, b"")
    assert headed.headers["content-length"] == got.headers["content-length"] == str(len(got.content))
    assert (await as_("").head("/v1/changes")).status_code == 401
    assert (await client.head("/v1/changes/chg-none/approve")).status_code == 405
