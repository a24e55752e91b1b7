"""What a ticket's end says against its artifact, and that a person takes it back."""

from collections.abc import Callable
from typing import Any

import pytest

from holdpoint.ledger import bans, entries
from holdpoint.ledger.store import Ledger
from holdpoint.models.artifact import Ban
from holdpoint.models.errors import Conflict, NotFound
from holdpoint.models.phases import Phase
from tests.ledger.releases import Releases, an_artifact, at


@pytest.fixture
def shop(ledger: Ledger, submit: Callable[..., Any]) -> Releases:
    made = Releases(ledger, submit)
    made.ends("chg-1", "shop:1", minute=0, config="a")
    return made


def in_force(shop: Releases) -> list[Ban]:
    return shop.ledger.read_now(bans.list_bans)


def denied(shop: Releases, image: str, config: str = "") -> bool:
    artifact = an_artifact(image, config)
    return bool(shop.ledger.read_now(bans.covering, service="shop", artifact=artifact))


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED])
def test_a_failed_analysis_bans_the_artifact_on_its_service(shop: Releases, phase: Phase) -> None:
    shop.ends("chg-2", "shop:2", minute=5, phase=phase)

    (ban,) = in_force(shop)
    assert (ban.ticket, ban.covers, ban.code, ban.at) == ("chg-2", "artifact", "analysis_failed", at(5))
    assert ban.message == "5 of 40 requests failed."
    assert denied(shop, "shop:2", "another configuration")
    assert not denied(shop, "shop:1", "a")
    other = shop.ledger.read_now(bans.covering, service="till", artifact=an_artifact("shop:2"))
    assert other == []


def test_a_verdict_says_it_also_where_the_reason_is_another(shop: Releases) -> None:
    fail = {"verdict": "fail", "weight": 10, "message": "m", "at": "2026-03-01T12:00:00Z"}
    steps = [{"name": "1", "kind": "canary", "verdicts": [fail]}]
    reason = {"code": "rollback_failed", "message": "A person is needed."}

    shop.ends("chg-2", "shop:2", minute=5, phase=Phase.ROLLBACK_FAILED, steps=steps, reason=reason)

    assert denied(shop, "shop:2")


@pytest.mark.parametrize(
    "code", ["aborted", "rollback_requested", "hold_expired", "drifted", "not_ready", "rollout_lost"]
)
def test_what_says_nothing_against_the_artifact_bans_nothing(shop: Releases, code: str) -> None:
    reason = {"code": code, "message": "m"}

    shop.ends("chg-2", "shop:2", minute=5, phase=Phase.ROLLED_BACK, reason=reason)

    assert in_force(shop) == []


def test_a_configuration_that_failed_bans_these_objects_and_not_the_image_that_stands(shop: Releases) -> None:
    shop.ends("chg-2", "shop:1", minute=5, phase=Phase.ROLLED_BACK, config="b")

    (ban,) = in_force(shop)
    assert (ban.covers, ban.artifact) == ("content", an_artifact("shop:1").digest)
    assert denied(shop, "shop:1", "b")
    assert not denied(shop, "shop:1", "a")
    assert not denied(shop, "shop:1", "c")


def test_objects_without_an_image_are_banned_as_they_are(shop: Releases) -> None:
    shop.ends("chg-2", "", minute=5, phase=Phase.ROLLED_BACK, config="b")

    assert [ban.covers for ban in in_force(shop)] == ["content"]


def test_a_rollback_after_success_bans_what_it_took_away(shop: Releases) -> None:
    shop.ends("chg-2", "shop:2", minute=5)
    shop.ends("chg-3", "shop:1", minute=9, config="a", back=("chg-2", "chg-1"))

    (ban,) = in_force(shop)
    assert (ban.ticket, ban.covers, ban.code) == ("chg-2", "artifact", "rolled_back_after_success")
    assert "chg-3" in ban.message
    said = shop.ledger.read_now(entries.entries_of, "chg-2")
    assert [entry.actor for entry in said if entry.kind == "artifact.banned"] == ["chg-3"]


def test_a_rollback_that_fails_bans_nothing(shop: Releases) -> None:
    shop.ends("chg-2", "shop:2", minute=5)
    shop.ends("chg-3", "shop:1", minute=9, phase=Phase.ROLLED_BACK, back=("chg-2", "chg-1"))

    assert in_force(shop) == []


def test_a_ticket_is_banned_once_however_often_it_ends(shop: Releases) -> None:
    shop.ends("chg-2", "shop:2", minute=5, phase=Phase.ROLLBACK_FAILED)
    shop.enters("chg-2", Phase.ROLLED_BACK, minute=8)

    assert len(in_force(shop)) == 1
    assert shop.kinds("chg-2").count("artifact.banned") == 1


def test_a_ban_that_is_lifted_denies_no_more_and_says_by_whom_and_why(shop: Releases) -> None:
    shop.ends("chg-2", "shop:2", minute=5, phase=Phase.ROLLED_BACK)
    (ban,) = in_force(shop)

    lifted = shop.ledger.write_now(bans.lift_ban, ban.id, by="sre", reason="the database was down")

    assert (lifted.lifted_by, lifted.lift_reason) == ("sre", "the database was down")
    assert not denied(shop, "shop:2")
    assert in_force(shop) == []
    assert [one.id for one in shop.ledger.read_now(bans.list_bans, in_force=False)] == [ban.id]
    said = shop.ledger.read_now(entries.entries_of, "chg-2")[-1]
    assert (said.kind, said.actor) == ("artifact.ban_lifted", "sre")
    assert said.body["reason"] == "the database was down"


def test_a_ban_is_lifted_once(shop: Releases) -> None:
    shop.ends("chg-2", "shop:2", minute=5, phase=Phase.ROLLED_BACK)
    (ban,) = in_force(shop)
    shop.ledger.write_now(bans.lift_ban, ban.id, by="sre", reason="r")

    with pytest.raises(Conflict, match="lifted already, by sre"):
        shop.ledger.write_now(bans.lift_ban, ban.id, by="commander", reason="r")
    with pytest.raises(NotFound):
        shop.ledger.write_now(bans.lift_ban, "ban-none", by="sre", reason="r")


def test_bans_are_listed_by_service(shop: Releases) -> None:
    shop.ends("chg-2", "shop:2", minute=5, phase=Phase.ROLLED_BACK)

    assert len(shop.ledger.read_now(bans.list_bans, service="shop")) == 1
    assert shop.ledger.read_now(bans.list_bans, service="till") == []


def test_a_ticket_that_was_never_evaluated_bans_nothing(shop: Releases) -> None:
    shop.opens("chg-2")
    shop.enters("chg-2", Phase.ROLLED_BACK, minute=5, reason={"code": "analysis_failed", "message": "m"})

    assert in_force(shop) == []
