"""A request of a step is carried out once, whatever happens to whoever sends it; a rollback takes it back."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.exchanges import idempotency_key
from activities.requests import Requests
from holdpoint.clients.fencing import Fencing, StillInDoubt
from holdpoint.clients.http_peers import Peers
from holdpoint.ledger.doors import LedgerDoor
from holdpoint.models.activity_calls import StepOutcome
from holdpoint.models.http_settings import HttpAllowed
from holdpoint.models.record import Direction, Intent
from tests.activities.world import BETTER, World, deployment
from tests.http_server import Reply, Server, a_server

FORWARD, UNDO = idempotency_key("chg-2", 0, "forward"), idempotency_key("chg-2", 0, "undo")
BUSY = Reply(503, body=b"down for maintenance")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon, and give up soon."""
    monkeypatch.setattr("activities.requests.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("activities.requests_back.PATIENCE", 0.2)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with a_server() as made:
        yield made


def a_step(server: Server, **changes: Any) -> dict[str, Any]:
    wanted = {
        "method": "POST",
        "url": f"{server.url}/flags/new-cart",
        "body": {"on": True},
        "timeout": "1s",
        "undo": {"method": "DELETE", "url": f"{server.url}/flags/new-cart", "expect": [204, 404]},
        **changes,
    }
    return {"http": {name: value for name, value in wanted.items() if value is not None}}


async def with_request(world: World, server: Server, *more: dict[str, Any], **changes: Any) -> None:
    """Have a change that sends a request; with `more` steps it brings a better Deployment, too."""
    world.peers = Peers([HttpAllowed(url=server.url, private=True)])
    world.activities = world.again()
    if more:
        await world.deploy("chg-1", deployment(replicas=1))
    objects = [deployment(image=BETTER, replicas=1)] if more else []
    await world.submit("chg-2", *objects, steps=[a_step(server, **changes), *more])
    await world.begin()


async def image(world: World) -> str:
    return str((await world.live())["spec"]["template"]["spec"]["containers"][0]["image"])


def message(outcome: StepOutcome) -> str:
    assert outcome.reason is not None
    return outcome.reason.message


def result(intent: Intent) -> dict[str, Any]:
    assert intent.result is not None
    return intent.result


# Forward


async def test_request_is_sent_with_a_key_of_its_step_and_answered(world: World, server: Server) -> None:
    await with_request(world, server, headers={"X-Team": "shop"})

    outcome = await world.finish_step()

    assert (outcome.status, outcome.reached, outcome.mutated) == ("done", 100.0, True)
    asked, intent = server.asked[0], world.intents()[0]
    assert (asked.method, asked.target, asked.body, asked.key) == (
        "POST",
        "/flags/new-cart",
        b'{"on":true}',
        FORWARD,
    )
    assert (asked.headers["content-type"], asked.headers["x-team"]) == ("application/json", "shop")
    assert asked.headers["holdpoint-intent"] == intent.audit_id
    assert (intent.status, intent.request.verb, intent.request.object.name) == (
        "done",
        "request",
        f"{server.url}/flags/new-cart",
    )
    assert result(intent)["status"] == 200
    assert result(intent)["idempotency_key"] == FORWARD
    assert result(intent)["digest"].startswith("sha256:")


async def test_a_text_is_sent_as_it_is(world: World, server: Server) -> None:
    await with_request(world, server, body="on: true\n", headers={"Content-Type": "application/yaml"})

    await world.finish_step()

    asked = server.asked[0]
    assert (asked.body, asked.headers["content-type"]) == (b"on: true\n", "application/yaml")


async def test_what_was_answered_is_not_sent_again(world: World, server: Server) -> None:
    await with_request(world, server)
    await world.finish_step()

    again = await world.finish_step()

    assert again.status == "done"
    assert len(server.asked) == 1


async def test_worker_that_dies_before_the_answer_is_recorded_repeats_it_with_the_same_key(
    world: World, server: Server
) -> None:
    await with_request(world, server)
    await world.dies_after_sending()
    world.activities = world.again()

    outcome = await world.finish_step()

    assert outcome.status == "done"
    assert server.keys == [FORWARD, FORWARD]
    assert [intent.attempt for intent in world.intents()] == [2]


async def test_servers_error_is_followed_by_the_same_request_until_it_is_done(
    world: World, server: Server
) -> None:
    server.replies = [BUSY, Reply(500), Reply(drops=True), Reply(429), Reply(200)]
    await with_request(world, server)

    outcome = await world.finish_step()

    assert outcome.status == "done"
    assert server.keys == [FORWARD] * 5


async def test_pause_that_the_server_names_is_kept_and_else_doubled(world: World, server: Server) -> None:
    slept: list[float] = []

    async def pause(seconds: float) -> None:
        slept.append(seconds)

    server.replies = [BUSY, BUSY, Reply(429, headers={"Retry-After": "7"}), BUSY, Reply(200)]
    await with_request(world, server, timeout="30s")
    door, call = LedgerDoor(world.ledger), world.step_call("finish")
    exchange = world.snapshot().asked[0].exchange
    assert exchange is not None

    sent = await Requests(door, world.peers, call, "forward", pause).settle(exchange, patience=30)

    assert sent
    assert slept == [0.01, 0.02, 7.0, 0.08]


async def test_longer_pause_than_the_step_has_fails_it_at_once(world: World, server: Server) -> None:
    server.replies = [Reply(503, headers={"Retry-After": "3600"})]
    await with_request(world, server)

    outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert len(server.asked) == 1


async def test_server_that_stays_down_fails_the_step_after_its_time(world: World, server: Server) -> None:
    server.replies = [BUSY]
    await with_request(world, server)

    outcome = await world.finish_step()

    assert (outcome.status, outcome.mutated) == ("failed", True)
    assert "was answered 503, expected is 2xx: down for maintenance" in message(outcome)
    assert "tried for 1 s" in message(outcome)
    assert set(server.keys) == {FORWARD}


async def test_refusal_fails_the_step_with_the_servers_words(world: World, server: Server) -> None:
    server.replies = [Reply(422, body=b'{"error": "no such flag", "token": "abcdefgh"}')]
    await with_request(world, server)

    outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert outcome.reason is not None
    assert outcome.reason.code == "request_failed"
    assert "was answered 422" in message(outcome)
    assert "no such flag" in message(outcome)
    assert "abcdefgh" not in message(outcome)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [302, 202])
async def test_unexpected_answer_fails_the_step_and_counts_as_sent(
    world: World, server: Server, status: int
) -> None:
    server.replies = [Reply(status, headers={"Location": "/elsewhere"}), Reply(204)]
    await with_request(world, server, expect=[200])

    outcome = await world.finish_step()
    again = await world.finish_step()
    await world.undo()

    assert (outcome.status, again.status) == ("failed", "failed")
    assert f"was answered {status}, expected is 200" in message(outcome)
    assert "not sent again" in message(again)
    assert server.keys == [FORWARD, UNDO]


async def test_repeated_request_that_meets_the_first_is_sent_again(world: World, server: Server) -> None:
    server.replies = [Reply(drops=True), Reply(409, body=b"still processing"), Reply(200)]
    await with_request(world, server)

    outcome = await world.finish_step()

    assert outcome.status == "done"
    assert server.keys == [FORWARD] * 3


async def test_first_conflict_is_a_refusal(world: World, server: Server) -> None:
    server.replies = [Reply(409)]
    await with_request(world, server)

    assert (await world.finish_step()).status == "failed"
    assert len(server.asked) == 1


async def test_server_that_is_not_allowed_any_more_is_not_asked(world: World, server: Server) -> None:
    await with_request(world, server)
    world.peers = Peers()
    world.activities = world.again()

    outcome = await world.finish_step()

    assert outcome.status == "failed"
    assert "no entry of http_allow" in message(outcome)
    assert server.asked == []


# Freezes


async def test_freeze_stops_it_before_it_is_sent_and_lets_it_go_after(world: World, server: Server) -> None:
    await with_request(world, server)
    freeze = world.freeze()

    held = await world.finish_step()
    sent_before = len(server.asked)
    world.lift(freeze)
    outcome = await world.finish_step()

    assert (held.status, held.mutated, sent_before, outcome.status) == ("held", False, 0, "done")


async def test_freeze_between_two_attempts_stops_the_second(world: World, server: Server) -> None:
    server.replies = [BUSY]
    await with_request(world, server, timeout="30s")
    server.meets = lambda asked: None if world.intents("undo") else frozen.append(world.freeze())
    frozen: list[Any] = []

    outcome = await world.finish_step()

    assert outcome.status == "held"
    assert len(server.asked) == 1


async def test_request_under_way_is_in_doubt_until_its_time_is_over(world: World, server: Server) -> None:
    server.replies = [Reply(hangs=True)]
    await with_request(world, server, timeout="30s")
    sending = asyncio.create_task(world.finish_step())
    await server.arrived.wait()
    door = LedgerDoor(world.ledger)
    left = (await world.open_forward())[0]

    with pytest.raises(StillInDoubt, match=r"POST http://.*new-cart lies in no cluster, so a request to it"):
        await Fencing(door, world.clusters, cause="frz-1").close(left, patience=0)

    sending.cancel()
    assert (await world.open_forward())[0].id == left.id


# Rollback


async def test_rollback_sends_the_undo_once_between_what_came_after_and_before(
    world: World, server: Server
) -> None:
    server.replies = [Reply(200), Reply(204)]
    await with_request(world, server, {"apply": {}})
    seen: list[bool] = []
    await world.finish_step()
    await world.finish_step(1)
    server.meets = lambda asked: seen.append(any(i.status == "done" for i in world.intents("undo")))

    first = await world.undo()
    again = await world.undo()
    compared = await world.compare()

    assert (first.complete, again.complete) == (True, True)
    assert (compared.result, compared.differences, compared.stays) == ("restored", [], [])
    assert [(one.method, one.key) for one in server.asked] == [("POST", FORWARD), ("DELETE", UNDO)]
    assert seen == [True]
    assert await image(world) != BETTER


async def test_undo_that_is_made_again_by_another_worker_is_sent_with_the_same_key(
    world: World, server: Server
) -> None:
    server.replies = [Reply(200), Reply(drops=True), Reply(drops=True), Reply(204)]
    await with_request(world, server)
    await world.finish_step()
    first = await world.undo()
    world.activities, world.run = world.again(), "another-run"
    await world.begin("undo")

    second = await world.undo()
    third = await world.undo()

    assert (second.complete, third.complete) == (True, True)
    assert server.keys[0] == FORWARD
    assert set(server.keys[1:]) == {UNDO}
    assert first.complete or len(server.keys) > 2
    assert (await world.compare()).result == "restored"


async def test_request_that_was_never_sent_is_not_taken_back(world: World, server: Server) -> None:
    await with_request(world, server)
    world.freeze()
    await world.finish_step()

    undone = await world.undo()

    assert undone.complete
    assert server.asked == []
    assert (await world.compare()).result == "restored"


async def test_refused_request_is_not_taken_back(world: World, server: Server) -> None:
    server.replies = [Reply(400)]
    await with_request(world, server)
    await world.finish_step()

    await world.undo()

    assert server.keys == [FORWARD]
    assert (await world.compare()).result == "restored"


@pytest.mark.parametrize(
    "replies", [[BUSY, Reply(400)], [Reply(drops=True), Reply(400)]], ids=["5xx", "none"]
)
async def test_refusal_after_an_attempt_that_may_have_been_carried_out_is_taken_back(
    world: World, server: Server, replies: list[Reply]
) -> None:
    server.replies = [*replies, Reply(204)]
    await with_request(world, server)
    outcome = await world.finish_step()

    await world.undo()

    assert outcome.status == "failed"
    assert server.keys == [FORWARD, FORWARD, UNDO]
    assert (await world.compare()).result == "restored"


async def test_undo_that_is_refused_leaves_a_partial_rollback(world: World, server: Server) -> None:
    server.replies = [Reply(200), Reply(403, body=b"not yours")]
    await with_request(world, server)
    await world.finish_step()

    undone = await world.undo()
    compared = await world.compare()

    assert not undone.complete
    assert "was answered 403, expected is 204 or 404: not yours" in undone.message
    assert compared.result == "partial"
    url = f"{server.url}/flags/new-cart"
    assert compared.differences == [
        f"POST {url}: what it did stays, for its undo DELETE {url} was not answered as expected"
    ]


async def test_server_that_is_down_does_not_keep_the_rest_from_being_undone(
    world: World, server: Server
) -> None:
    server.replies = [Reply(200), BUSY]
    world.peers = Peers([HttpAllowed(url=server.url, private=True)])
    world.activities = world.again()
    await world.deploy("chg-1", deployment(replicas=1))
    await world.submit("chg-2", deployment(image=BETTER, replicas=1), steps=[{"apply": {}}, a_step(server)])
    await world.begin()
    await world.finish_step()
    await world.finish_step(1)

    undone = await world.undo()

    assert not undone.complete
    assert await image(world) != BETTER


async def test_request_in_doubt_is_over_before_it_is_taken_back(
    world: World, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.replies = [Reply(hangs=True), Reply(204)]
    await with_request(world, server, timeout="30s")
    sending = asyncio.create_task(world.finish_step())
    await server.arrived.wait()
    sending.cancel()
    over, waited, looks = asyncio.Event(), asyncio.Event(), list[Intent]()

    async def is_over(self: LedgerDoor, intent: Intent) -> bool:
        looks.append(intent)
        if len(looks) == 3:
            waited.set()
        return over.is_set()

    monkeypatch.setattr(LedgerDoor, "over", is_over)
    undoing = asyncio.create_task(world.undo())
    await waited.wait()
    before = len(server.asked)
    over.set()
    undone = await undoing

    assert undone.complete
    assert (before, server.keys) == (1, [FORWARD, UNDO])


async def test_without_an_undo_it_stays_and_the_comparison_says_so(world: World, server: Server) -> None:
    await with_request(world, server, undo=None)
    await world.finish_step()

    undone = await world.undo()
    compared = await world.compare()

    assert undone.complete
    assert (compared.result, compared.differences) == ("restored", [])
    assert compared.stays == [
        f"POST {server.url}/flags/new-cart was sent, and nothing takes back what it did (it has no undo)"
    ]


async def test_undo_is_sent_while_the_ledger_is_down_for_a_step_that_had_begun(
    world: World, server: Server
) -> None:
    server.replies = [Reply(200), Reply(204)]
    await with_request(world, server)
    await world.finish_step()

    async with world.without_ledger():
        undone = await world.undo(begun=[0])

    assert undone.complete
    assert [draft.body["status"] for draft in undone.deferred] == ["done"]
    assert server.keys == [FORWARD, UNDO]


async def test_step_that_had_not_begun_is_not_taken_back_while_the_ledger_is_down(
    world: World, server: Server
) -> None:
    await with_request(world, server)

    async with world.without_ledger():
        undone = await world.undo(begun=[])

    assert undone.complete
    assert server.asked == []


async def test_nobody_guesses_while_the_ledger_is_down(world: World, server: Server) -> None:
    await with_request(world, server)
    await world.finish_step()

    async with world.without_ledger():
        undone = await world.undo()

    assert not undone.complete
    assert "not known while the ledger does not answer" in undone.message
    assert server.keys == [FORWARD]


# The plan


async def test_plan_says_what_is_sent_and_what_a_rollback_does(world: World, server: Server) -> None:
    await with_request(world, server, a_step(server, undo=None))

    there, for_good = world.plan
    url = f"{server.url}/flags/new-cart"
    assert (there.does, there.warnings) == (
        f"POST {url}, expects 2xx",
        [f"POST {url} is sent once; a rollback sends DELETE {url}."],
    )
    assert for_good.warnings == [
        f"POST {url} has no undo, so nothing takes back what it does: a rollback leaves it."
    ]
    assert (there.config["cannotBeUndone"], for_good.config["cannotBeUndone"]) == (False, True)
    assert "body" not in str(there.config)


def test_keys_tell_tickets_steps_and_directions_apart() -> None:
    directions: tuple[Direction, ...] = ("forward", "undo")
    keys = {idempotency_key(t, i, d) for t in ("chg-1", "chg-11") for i in (0, 1) for d in directions}

    assert len(keys) == 8
