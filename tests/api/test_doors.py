"""Who may pass which door: the contract's table, over HTTP."""

import pytest

from holdpoint.models.phases import Phase
from holdpoint.service.roles import ACCOUNT_ROLES
from tests.api.conftest import As
from tests.service.world import DIGEST, World, a_change

EVERYONE = set(ACCOUNT_ROLES)
SUBMITTERS = {"ci", "approver", "approver2", "sre"}
BODY = {"change": a_change(), "base": "/srv"}
DOORS = {
    "submit": ("POST", "/v1/changes", BODY, SUBMITTERS),
    "dry run": ("POST", "/v1/changes?dry_run=true", BODY, SUBMITTERS),
    "policy check": ("POST", "/v1/policy/check", BODY, SUBMITTERS),
    "list": ("GET", "/v1/changes", None, EVERYONE),
    "show": ("GET", "/v1/changes/{id}", None, EVERYONE),
    "diff": ("GET", "/v1/changes/{id}/diff", None, EVERYONE),
    "entries": ("GET", "/v1/changes/{id}/entries", None, EVERYONE),
    "explain": ("GET", "/v1/changes/{id}/explanation", None, EVERYONE),
    "evidence": ("GET", "/v1/changes/{id}/evidence", None, {"auditor", "sre"}),
    "export": ("GET", "/v1/audit/export", None, {"auditor", "sre"}),
    "approve": ("POST", "/v1/changes/{id}/approve", {"digest": DIGEST}, {"approver", "approver2"}),
    "reject": ("POST", "/v1/changes/{id}/reject", {}, {"approver", "approver2"}),
    "pause": ("POST", "/v1/changes/{id}/pause", {}, {"sre", "commander", "ci"}),
    "resume": ("POST", "/v1/changes/{id}/resume", {}, {"sre", "commander", "ci"}),
    "abort": ("POST", "/v1/changes/{id}/abort", {}, {"sre", "commander", "ci"}),
    "rollback": ("POST", "/v1/changes/{id}/rollback", {}, {"sre", "commander", "ci"}),
    "freeze": ("POST", "/v1/freezes", {"scope": "all", "reason": "x"}, {"commander"}),
    "freezes": ("GET", "/v1/freezes", None, EVERYONE),
    "lift": ("POST", "/v1/freezes/frz-none/lift", {}, {"commander"}),
    "bans": ("GET", "/v1/bans", None, EVERYONE),
    "lift a ban": ("POST", "/v1/bans/ban-none/lift", {"reason": "x"}, {"sre", "commander"}),
}


@pytest.mark.parametrize("door", DOORS)
async def test_a_door_opens_for_exactly_its_roles(as_: As, world: World, door: str) -> None:
    method, path, body, allowed = DOORS[door]
    ticket = (await world.a_ticket(phase=Phase.AWAITING_APPROVAL, digest=DIGEST, by="ci")).id
    path = path.replace("{id}", ticket)

    passed = set()
    for account in ACCOUNT_ROLES:
        headers = {"Idempotency-Key": account}
        answer = await as_(account).request(method, path, json=body, headers=headers)
        assert answer.status_code in (200, 201, 403, 404)
        passed |= {account} if answer.status_code != 403 else set()

    assert passed == allowed


@pytest.mark.parametrize("door", DOORS)
async def test_a_door_is_shut_without_a_token(as_: As, door: str) -> None:
    method, path, body, _ = DOORS[door]

    answer = await as_("").request(method, path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer x.y.z", "Basic c3JlOnNyZQ==", "bearer  ", "Bearer " + "x" * 9000], ids=repr
)
async def test_what_is_no_token_is_refused(as_: As, header: str) -> None:
    answer = await as_("").get("/v1/changes", headers={"Authorization": header})

    assert answer.status_code == 401


async def test_health_needs_no_token(as_: As) -> None:
    for path in ("/v1/health", "/v1/ready", "/v1/openapi.json"):
        assert (await as_("").get(path)).status_code == 200
