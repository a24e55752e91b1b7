"""Freezing: the scope cannot be mistyped, and the acknowledgement says what it does not cover."""

from datetime import UTC, datetime

import pytest

from tests.cli.conftest import FakeApi, Holdpoint

FREEZES = "POST /v1/freezes"
ACKNOWLEDGED = {
    "id": "frz-1",
    "scope": "service=shop",
    "reason": "INC-7",
    "created_at": "2027-01-01T10:00:00Z",
    "until": None,
    "ack_ms": 12,
    "in_flight": [{"intent": "i1", "ticket": "chg-abcdefghij"}],
    "in_doubt": [{"target": "eu-1/default/shop", "why": "the cluster does not answer"}],
    "settling": [],
}

LISTED = {**ACKNOWLEDGED, "by": "commander", "except_types": ["emergency"]}


def test_create_tells_what_was_in_flight_and_what_is_in_doubt(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(FREEZES, (201, ACKNOWLEDGED))

    done = holdpoint("freeze", "create", "--scope", "service=shop", "--reason", "INC-7")

    assert done.code == 0
    for said in ("acknowledged after 12 ms", "chg-abcdefghij", "IN DOUBT", "the cluster does not answer"):
        assert said in done.out
    assert api.requests[0].body == {"scope": "service=shop", "reason": "INC-7", "except": []}


def test_create_answers_with_the_acknowledgement_as_it_came(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(FREEZES, (201, ACKNOWLEDGED))
    order = ("--scope", "environment=production, service=shop", "--reason", "r", "--except", "emergency")

    done = holdpoint("freeze", "create", *order, "--until", "2h", "--output", "json")

    assert done.json == ACKNOWLEDGED
    body = api.requests[0].body
    assert (body["scope"], body["except"]) == ("service=shop,environment=production", ["emergency"])
    left = datetime.fromisoformat(body["until"]) - datetime.now(UTC)
    assert 7100 < left.total_seconds() <= 7200


def test_a_freeze_holds_rollbacks_only_when_it_is_told_to(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(FREEZES, (201, ACKNOWLEDGED))

    holdpoint("freeze", "create", "--scope", "all", "--reason", "r", "--include-rollbacks")

    assert api.requests[0].body["include_rollbacks"] is True


@pytest.mark.parametrize(
    "scope",
    ["", "shop", "all,service=x", "service=", "team=x", "service=a,service=b", "service=a,"],
    ids=ascii,
)
def test_a_mistyped_scope_freezes_nothing(api: FakeApi, holdpoint: Holdpoint, scope: str) -> None:
    done = holdpoint("freeze", "create", "--scope", scope, "--reason", "r", "--output", "json")

    assert (done.code, done.json["code"], api.requests) == (2, "usage", [])


@pytest.mark.parametrize("until", ["tomorrow", "2027-01-01T10:00:00", "0s"])
def test_an_end_that_is_no_moment_is_refused(holdpoint: Holdpoint, until: str) -> None:
    assert holdpoint("freeze", "create", "--scope", "all", "--reason", "r", "--until", until).code == 2


def test_list_shows_scope_and_reason(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will("GET /v1/freezes", (200, {"items": [{**LISTED, "acknowledged_at": "2027-01-01T10:00:00Z"}]}))

    done = holdpoint("freeze", "list")

    assert "frz-1  service=shop  emergency  2027-01-01T10:00:00Z  it is lifted  commander  INC-7" in done.out
    assert "acknowledged" not in done.out


def test_list_names_what_keeps_a_freeze_from_being_acknowledged(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will("GET /v1/freezes", (200, {"items": [{**LISTED, "acknowledged_at": None}]}))

    done = holdpoint("freeze", "list")

    assert "frz-1 is NOT acknowledged yet" in done.out
    assert "IN DOUBT" in done.out
    assert "target eu-1/default/shop, why the cluster does not answer" in done.out


def test_lift_names_the_freeze(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will("POST /v1/freezes/frz-1/lift", (200, {"id": "frz-1", "scope": "service=shop"}))

    done = holdpoint("freeze", "lift", "frz-1", "--reason", "over")

    assert (done.code, done.out) == (0, "lifted frz-1 (service=shop)\n")
    assert api.requests[0].body == {"reason": "over"}


def test_a_lost_connection_is_tried_again_under_one_key(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(FREEZES, None, (200, ACKNOWLEDGED))

    done = holdpoint("freeze", "create", "--scope", "service=shop", "--reason", "INC-7", "--output", "json")

    assert (done.code, done.json) == (0, ACKNOWLEDGED)
    assert len(api.sent(FREEZES)) >= 2
    assert len({one.headers["idempotency-key"] for one in api.sent(FREEZES)}) == 1


def test_each_command_has_a_key_of_its_own_unless_one_is_given(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(FREEZES, (201, ACKNOWLEDGED))
    order = ("freeze", "create", "--scope", "service=shop", "--reason", "INC-7")

    for options in ((), (), ("--idempotency-key", "inc-7")):
        assert holdpoint(*order, *options).code == 0

    first, second, third = (one.headers["idempotency-key"] for one in api.sent(FREEZES))
    assert first != second
    assert third == "inc-7"


def test_a_freeze_that_has_ended_since_is_not_called_one(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(FREEZES, (200, {**ACKNOWLEDGED, "lifted_at": "2027-01-01T11:00:00Z"}))

    done = holdpoint("freeze", "create", "--scope", "all", "--reason", "r", "--idempotency-key", "inc-7")

    assert "is NOT frozen any more, since 2027-01-01T11:00:00Z" in done.out
