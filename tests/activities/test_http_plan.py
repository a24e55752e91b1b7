"""What people read of a request before it is sent: in the plan's diff, masked, and in the prechecks."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from activities.requests_check import may_be_sent
from holdpoint.clients.http_peers import Peers
from holdpoint.models.activity_calls import Evaluation
from holdpoint.models.change import Change
from holdpoint.models.http_settings import HttpAllowed, HttpCredential
from holdpoint.models.plan_diff import FieldDiff, PlanDiff, PlanDiffFacts
from tests.activities.ticket_world import TicketWorld
from tests.activities.world import Sandbox, a_change

URL = "https://flags.example/api/new-cart"
PUBLIC = "93.184.215.14"
REQUEST: dict[str, Any] = {
    "method": "PUT",
    "url": URL,
    "headers": {"X-Team": "shop"},
    "body": {"on": True, "password": "correct-horse"},
    "expect": [200, 204],
    "credential": "flags",
    "undo": {"method": "PUT", "url": URL, "body": {"on": False}},
}


async def public(host: str, port: int) -> list[str]:
    return [PUBLIC]


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "flags.token"
    file.write_text("s3cr3t")
    return file


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path, token: Path) -> AsyncIterator[TicketWorld]:
    allowed = [HttpAllowed(url="https://flags.example/api", credentials=["flags"])]
    peers = Peers(allowed, {"flags": HttpCredential(token_file=token)}, resolver=public)
    made = TicketWorld(sandbox, tmp_path, peers=peers)
    made.commit()
    yield made
    await made.close()


def submitted(shop: TicketWorld, ticket: str = "chg-1", **changes: Any) -> None:
    """Submit a change that only sends a request."""
    change = shop.a_change().model_dump(mode="json", exclude_none=True, by_alias=True)
    change["spec"]["plan"]["steps"] = [{"http": {**REQUEST, **changes}}]
    shop.submit(ticket, change=Change.model_validate(change))


def diff_of(shop: TicketWorld, evaluation: Evaluation) -> PlanDiff:
    assert evaluation.plan_diff is not None
    assert evaluation.plan_diff.digest is not None
    return PlanDiff.model_validate_json(shop.blobs.get(evaluation.plan_diff.digest))


async def test_plans_diff_shows_the_request_and_its_undo_with_secrets_masked(shop: TicketWorld) -> None:
    submitted(shop)

    evaluation = await shop.evaluate("chg-1")

    diff = diff_of(shop, evaluation)
    (one,) = diff.objects
    fields = {field.field: field.now for field in one.fields}
    assert (one.change, str(one)) == ("send", f"PUT {URL}")
    assert str(fields.pop("body.password")).startswith("[redacted] #")
    assert fields == {
        "expect": "200 or 204",
        "headers.X-Team": "shop",
        "body.on": True,
        "credential": "flags",
        "undo": f"PUT {URL}",
        "undo.expect": "2xx",
        "undo.body.on": False,
    }
    assert "correct-horse" not in diff.model_dump_json() + evaluation.model_dump_json()
    assert shop.policy.asked[-1].plan_diff == PlanDiffFacts(sent=1)


async def test_another_body_is_another_digest_and_another_shape(shop: TicketWorld) -> None:
    submitted(shop)
    submitted(shop, "chg-2", body={"on": False})

    first, second = await shop.evaluate("chg-1"), await shop.evaluate("chg-2")

    assert first.digest != second.digest
    assert diff_of(shop, first) != diff_of(shop, second)
    assert len({asked.plan_shape for asked in shop.policy.asked}) == 2


async def test_a_request_without_headers_and_body_shows_none(shop: TicketWorld) -> None:
    submitted(shop, headers={}, body=None, undo=None, credential=None)

    (one,) = diff_of(shop, await shop.evaluate("chg-1")).objects

    assert {field.field: field.now for field in one.fields} == {
        "expect": "200 or 204",
        "undo": "none: nothing takes it back",
    }


async def test_a_long_text_is_shown_by_its_lines(shop: TicketWorld) -> None:
    submitted(shop, body="on: true\ncart: new\n")

    (one,) = diff_of(shop, await shop.evaluate("chg-1")).objects

    assert FieldDiff(field="body", change="added", lines=["+on: true", "+cart: new"]) in one.fields


async def test_precheck_says_that_it_may_be_sent_and_to_which_address(shop: TicketWorld) -> None:
    submitted(shop)
    await shop.evaluate("chg-1")

    report = await shop.precheck("chg-1")

    found = next(check for check in report.checks if check.name == "http")
    assert report.passed
    assert found.message == f"It may be sent: PUT {URL} ({PUBLIC}); PUT {URL} ({PUBLIC})."


async def checked(token: Path, found: list[str], **changes: Any) -> tuple[bool, str]:
    """Return what the precheck finds of a request, whose name leads to these addresses."""

    async def resolver(host: str, port: int) -> list[str]:
        return found

    allowed = [HttpAllowed(url="https://flags.example/api", credentials=["flags"])]
    peers = Peers(allowed, {"flags": HttpCredential(token_file=token)}, resolver=resolver)
    return await may_be_sent(peers, a_change("prod", [{"http": {**REQUEST, **changes}}], {}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "https://other.example/"}, "no entry of http_allow in Holdpoint's settings covers it"),
        ({"undo": {"method": "DELETE", "url": "https://flags.example/admin"}}, "/admin may not be asked"),
        ({"credential": "other"}, "The credential 'other' may not be sent to https://flags.example"),
    ],
    ids=["url", "undo", "credential"],
)
async def test_precheck_fails_on_what_the_settings_do_not_allow(
    token: Path, changes: dict[str, Any], said: str
) -> None:
    passed, message = await checked(token, [PUBLIC], **changes)

    assert not passed
    assert said in message


async def test_precheck_fails_where_the_name_leads_inside(token: Path) -> None:
    passed, message = await checked(token, [PUBLIC, "10.0.0.7"])

    assert not passed
    assert "leads to 10.0.0.7" in message


async def test_precheck_fails_without_the_credentials_file(tmp_path: Path) -> None:
    passed, message = await checked(tmp_path / "gone.token", [PUBLIC])

    assert not passed
    assert "Credential flags's token file gone.token cannot be read" in message
