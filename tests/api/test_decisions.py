"""A person's word over HTTP: bound to what was read, and refused with a reason."""

import pytest

from holdpoint.models.phases import Phase
from tests.api.conftest import As
from tests.service.test_confirm import asked
from tests.service.test_takeover import left
from tests.service.world import DIGEST, World, a_change

OTHER = "sha256:" + "e" * 64


async def waiting(world: World, *, by: str = "ci") -> str:
    return (await world.a_ticket(phase=Phase.AWAITING_APPROVAL, digest=DIGEST, by=by)).id


async def test_an_approval_answers_with_the_ticket(as_: As, world: World) -> None:
    ticket = await waiting(world)

    answer = await as_("approver").post(f"/v1/changes/{ticket}/approve", json={"digest": DIGEST})

    assert answer.status_code == 200
    assert answer.json()["id"] == ticket


async def test_an_approval_without_a_digest_is_refused(as_: As, world: World) -> None:
    ticket = await waiting(world)

    answer = await as_("approver").post(f"/v1/changes/{ticket}/approve", json={"reason": "fine"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "digest"


async def test_an_approval_of_something_else_is_a_conflict(as_: As, world: World) -> None:
    ticket = await waiting(world)

    answer = await as_("approver").post(f"/v1/changes/{ticket}/approve", json={"digest": OTHER})

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert DIGEST in answer.json()["detail"]


async def test_the_requesters_own_approval_is_denied(as_: As, world: World) -> None:
    ticket = await waiting(world, by="approver")

    answer = await as_("approver").post(f"/v1/changes/{ticket}/approve", json={"digest": DIGEST})

    assert (answer.status_code, answer.json()["code"]) == (403, "access_denied")


@pytest.mark.parametrize("verb", ["pause", "resume", "abort", "rollback"])
async def test_a_closed_ticket_takes_no_word(as_: As, world: World, verb: str) -> None:
    ticket = (await world.a_ticket(phase=Phase.SUCCEEDED)).id

    answer = await as_("sre").post(f"/v1/changes/{ticket}/{verb}", json={"reason": "x"})

    assert answer.status_code == 409


async def test_a_finished_ticket_is_run_again_once_while_that_is_open(as_: As, world: World) -> None:
    ticket = (await world.a_ticket(phase=Phase.FAILED)).id

    one, two = [
        await as_("ci").post(f"/v1/changes/{ticket}/retry", json={"reason": "flaky"}) for _ in range(2)
    ]

    assert (one.status_code, two.status_code) == (201, 200)
    assert one.json()["id"] == two.json()["id"] != ticket
    assert one.headers["location"] == f"/v1/changes/{one.json()['id']}"
    assert one.json()["previous"] == ticket


async def test_a_rollback_after_success_answers_with_the_ticket_that_goes_back(as_: As, world: World) -> None:
    first = (await world.submit(a_change(), key="build-1")).view.id
    await world.record(first, phase=Phase.SUCCEEDED)
    second = (await world.submit(a_change(title="podinfo 3"), key="build-2")).view.id
    await world.record(second, phase=Phase.SUCCEEDED)

    answer = await as_("sre").post(f"/v1/changes/{second}/rollback", json={"reason": "INC-7"})

    assert answer.status_code == 200
    assert (answer.json()["rolls_back"], answer.json()["restores"]) == (second, first)
    shown = await as_("ci").get(f"/v1/changes/{second}")
    assert shown.json()["rolled_back_by"] == answer.json()["id"]


@pytest.mark.parametrize("verb", ["approve", "reject", "pause", "resume", "abort", "rollback", "retry"])
async def test_an_unknown_ticket_is_not_found(as_: As, verb: str) -> None:
    body = {"digest": DIGEST} if verb == "approve" else {}
    account = "approver" if verb in ("approve", "reject") else "sre"

    answer = await as_(account).post(f"/v1/changes/chg-aaaaaaaaaa/{verb}", json=body)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "quiet night"}, "digest"),
        ({"digest": DIGEST}, "reason"),
        ({"digest": DIGEST, "reason": " "}, "reason"),
        ({"digest": DIGEST, "reason": "x", "weight": 0}, "weight"),
        ({"digest": DIGEST, "reason": "x", "weight": 101}, "weight"),
        ({"digest": DIGEST, "reason": "x", "step": 1}, "step"),
    ],
)
async def test_to_promote_takes_what_was_shown_and_why(
    as_: As, world: World, body: dict[str, object], field: str
) -> None:
    ticket = (await world.a_ticket(phase=Phase.EXECUTING)).id

    answer = await as_("sre").post(f"/v1/changes/{ticket}/promote", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_word_on_a_manual_step_answers_with_the_ticket(as_: As, world: World) -> None:
    ticket = await asked(world)
    body = {"step": "fail over", "reason": "Replica is primary."}

    denied = await as_("ci").post(f"/v1/changes/{ticket}/confirm", json=body)
    answer = await as_("sre").post(f"/v1/changes/{ticket}/confirm", json=body)
    other = await as_("sre").post(f"/v1/changes/{ticket}/confirm", json={**body, "failed": True})

    assert (denied.status_code, denied.json()["code"]) == (403, "access_denied")
    assert (answer.status_code, answer.json()["id"]) == (200, ticket)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"step": "fail over"}, "reason"),
        ({"step": "fail over", "reason": " "}, "reason"),
        ({"reason": "done"}, "step"),
        ({"step": "fail over", "reason": "done", "done": True}, "done"),
    ],
    ids=["no reason", "an empty reason", "no step", "an unknown field"],
)
async def test_a_word_on_a_step_that_is_not_whole_is_refused(
    as_: As, world: World, body: dict[str, object], field: str
) -> None:
    ticket = await asked(world)

    answer = await as_("sre").post(f"/v1/changes/{ticket}/confirm", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_what_is_not_held_for_want_of_a_verdict_is_not_promoted(as_: As, world: World) -> None:
    ticket = (await world.a_ticket(phase=Phase.EXECUTING)).id

    answer = await as_("sre").post(
        f"/v1/changes/{ticket}/promote", json={"digest": DIGEST, "reason": "quiet night"}
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_a_freeze_without_a_reason_is_refused(as_: As) -> None:
    answer = await as_("commander").post("/v1/freezes", json={"scope": "all", "reason": "  "})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "reason")


async def test_a_freeze_over_http_is_the_contracts_document(as_: As, world: World) -> None:
    commander = as_("commander")
    body = {"scope": "service=podinfo,environment=staging", "reason": "INC-7", "except": ["emergency"]}

    made = await commander.post("/v1/freezes", json=body)
    listed = (await commander.get("/v1/freezes")).json()["items"]
    lifted = await commander.post(f"/v1/freezes/{made.json()['id']}/lift", json={"reason": "over"})

    assert made.status_code == 201
    assert set(made.json()) == set(
        [
            "id",
            "scope",
            "reason",
            "created_at",
            "until",
            "ack_ms",
            "in_flight",
            "in_doubt",
            "settling",
            "lifted_at",
        ]
    )
    assert made.json()["scope"] == body["scope"]
    assert [one["id"] for one in listed] == [made.json()["id"]]
    assert listed[0]["except_types"] == ["emergency", "rollback"]
    assert lifted.json()["lifted_by"] == "commander"


async def test_a_freeze_that_is_ordered_again_with_its_key_is_the_same_one(as_: As) -> None:
    commander, body = as_("commander"), {"scope": "all", "reason": "INC-7"}
    key = {"Idempotency-Key": "inc-7"}

    first = await commander.post("/v1/freezes", json=body, headers=key)
    again = await commander.post("/v1/freezes", json=body, headers=key)
    other = await commander.post("/v1/freezes", json={**body, "reason": "INC-8"}, headers=key)
    empty = await commander.post("/v1/freezes", json=body, headers={"Idempotency-Key": ""})

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json() == first.json()
    assert (empty.status_code, empty.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert len((await commander.get("/v1/freezes")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "reason"), ({"reason": " "}, "reason"), ({"reason": "x", "done": "perhaps"}, "done")],
    ids=["no reason", "an empty reason", "neither done nor not"],
)
async def test_a_takeover_says_why(as_: As, world: World, body: dict[str, object], field: str) -> None:
    ticket = (await world.a_ticket(phase=Phase.ROLLBACK_FAILED)).id

    answer = await as_("sre").post(f"/v1/changes/{ticket}/takeover", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_takeover_answers_with_the_ticket_and_is_refused_where_nothing_is_left(
    as_: As, world: World
) -> None:
    ticket, _ = await left(world)
    path, body = f"/v1/changes/{ticket}/takeover", {"reason": "INC-7"}

    early = await as_("sre").post(path, json={**body, "done": True})
    denied = await as_("ci").post(path, json=body)
    taken = await as_("sre").post(path, json=body)
    done = await as_("sre").post(path, json={**body, "done": True})

    assert [one.status_code for one in (early, denied, taken, done)] == [409, 403, 200, 200]
    assert taken.json()["takeover"]["by"] == "sre"
    assert done.json()["takeover"]["done_by"] == "sre"
