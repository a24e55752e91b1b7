"""The command for bans, and promotion on the command line."""

from pathlib import Path

from tests.cli.conftest import DIGEST, FakeApi, Holdpoint, a_view

BAN = {
    "id": "ban-0123456789",
    "service": "shop",
    "environment": "production",
    "target": "eu-1/default/shop",
    "covers": "artifact",
    "digest": DIGEST,
    "artifact": DIGEST,
    "ticket": "chg-abcdefghij",
    "code": "analysis_failed",
    "message": "5 of 40 requests failed.",
    "at": "2027-01-01T10:00:00Z",
    "lifted_at": None,
    "lifted_by": None,
    "lift_reason": None,
}


def test_list_says_what_is_banned_by_which_ticket(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will("GET /v1/bans", (200, {"items": [BAN]}), (200, {"items": []}))

    done, none = holdpoint("ban", "list", "--service", "shop", "--all"), holdpoint("ban", "list")

    for said in ("ban-0123456789", "artifact sha256:dddddddddddd", "chg-abcdefghij", "5 of 40"):
        assert said in done.out
    assert none.out.strip() == "Nothing is banned."


def test_lift_sends_the_reason(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will("POST /v1/bans/ban-0123456789/lift", (200, {**BAN, "lifted_by": "sre"}))

    done = holdpoint("ban", "lift", "ban-0123456789", "--reason", "the database was down")

    assert done.code == 0
    assert "lifted ban-0123456789 (shop, chg-abcdefghij)" in done.out
    assert api.requests[0].body == {"reason": "the database was down"}


def test_lift_needs_a_reason(api: FakeApi, holdpoint: Holdpoint) -> None:
    assert holdpoint("ban", "lift", "ban-0123456789").code == 2
    assert api.requests == []


def test_submit_says_where_it_is_promoted_from_and_shows_it(
    api: FakeApi, holdpoint: Holdpoint, change_file: Path
) -> None:
    artifact = {"digest": DIGEST, "content": DIGEST, "images": ["shop:2.0.0"]}
    api.will("POST /v1/changes", (201, a_view(promoted_from="chg-aaaaaaaaaa", artifact=artifact)))

    plain = holdpoint("submit", str(change_file))
    done = holdpoint("submit", str(change_file), "--promote-from", "staging")

    assert plain.code == done.code == 0
    assert "promoted   chg-aaaaaaaaaa" in done.out
    assert "artifact   sha256:dddddddddddd (shop:2.0.0)" in done.out
    first, second = api.requests
    assert second.path.endswith("?promote_from=staging")
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
