"""Bans over HTTP: what is denied on a service, and who lifts it."""

from holdpoint.models.phases import Phase
from tests.api.conftest import As
from tests.service.world import World, a_change, an_artifact

FAILED = {"code": "analysis_failed", "message": "5 of 40 requests failed."}


async def a_ban(world: World) -> str:
    """Have a canary of podinfo fail; return its ticket."""
    brought = an_artifact("podinfo:2").model_dump()
    return (await world.a_ticket(phase=Phase.ROLLED_BACK, artifact=brought, reason=FAILED)).id


async def test_what_was_rolled_back_is_listed_with_its_ticket(as_: As, world: World) -> None:
    ticket = await a_ban(world)

    (ban,) = (await as_("auditor").get("/v1/bans")).json()["items"]

    assert (ban["service"], ban["ticket"], ban["code"]) == ("podinfo", ticket, "analysis_failed")
    assert ban["digest"] == an_artifact("podinfo:2").digest
    assert (await as_("ci").get("/v1/bans?service=shop")).json() == {"items": []}


async def test_a_ban_is_lifted_once_with_a_reason(as_: As, world: World) -> None:
    await a_ban(world)
    (ban,) = (await as_("sre").get("/v1/bans")).json()["items"]
    door = f"/v1/bans/{ban['id']}/lift"

    silent = await as_("sre").post(door, json={"reason": " "})
    lifted = await as_("sre").post(door, json={"reason": "the database was down"})
    again = await as_("commander").post(door, json={"reason": "x"})

    assert (silent.status_code, lifted.status_code, again.status_code) == (422, 200, 409)
    assert (lifted.json()["lifted_by"], lifted.json()["lift_reason"]) == ("sre", "the database was down")
    assert (await as_("ci").get("/v1/bans")).json() == {"items": []}
    assert len((await as_("ci").get("/v1/bans?all=true")).json()["items"]) == 1


async def test_a_change_is_promoted_over_http(as_: As, world: World) -> None:
    brought = an_artifact("podinfo:2").model_dump()
    origin = await world.a_ticket(phase=Phase.SUCCEEDED, artifact=brought)
    body = {"change": a_change(environment="production"), "base": "/srv/files"}
    client, key = as_("ci"), {"Idempotency-Key": "release-7"}

    done = await client.post("/v1/changes?promote_from=staging", json=body, headers=key)
    wrong = await client.post("/v1/changes?promote_from=qa", json=body, headers={"Idempotency-Key": "r8"})

    assert (done.status_code, done.json()["promoted_from"]) == (201, origin.id)
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "promote_from")
