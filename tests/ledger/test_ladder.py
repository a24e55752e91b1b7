"""Where an artifact has run, since when, and what ended it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from holdpoint.ledger import bans, ladder, outbox, targets
from holdpoint.ledger.store import Ledger
from holdpoint.models.artifact import Soak
from holdpoint.models.phases import Phase
from tests.ledger.releases import Releases, at

SOAK = Soak(environment="staging", seconds=1800)
GOOD = {"verdict": "pass", "weight": 10, "message": "m", "at": "2026-03-01T12:00:00Z"}


@pytest.fixture
def shop(ledger: Ledger, submit: Callable[..., Any]) -> Releases:
    return Releases(ledger, submit)


def test_what_never_succeeded_has_no_rung(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0, phase=Phase.FAILED)

    assert shop.rungs("shop:1", minute=5) == []


def test_a_success_runs_until_now_with_its_verdicts(shop: Releases) -> None:
    steps = [{"name": "1", "kind": "canary", "verdicts": [GOOD, GOOD]}]
    shop.ends("chg-1", "shop:1", minute=0, steps=steps)

    (rung,) = shop.rungs("shop:1", minute=5, submitted=2)

    assert (rung.environment, rung.ticket, rung.succeeded_at) == ("staging", "chg-1", at(0))
    assert (rung.running, rung.soak, rung.soak_at_submit) == (True, 300.0, 120.0)
    assert rung.verdicts == {"pass": 2}


def test_each_environment_has_its_own_rung(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0)
    shop.ends("chg-2", "shop:1", minute=3, environment="production")

    found = {rung.environment: (rung.ticket, rung.soak) for rung in shop.rungs("shop:1", minute=5)}

    assert found == {"staging": ("chg-1", 300.0), "production": ("chg-2", 120.0)}


def test_another_artifact_ends_the_run(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0)
    shop.ends("chg-2", "shop:2", minute=3)

    (rung,) = shop.rungs("shop:1", minute=60)

    assert (rung.running, rung.ended_by, rung.soak, rung.breach) == (False, "chg-2", 180.0, None)


def test_the_same_artifact_once_more_goes_on_with_its_run(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0, config="a")
    shop.ends("chg-2", "shop:1", minute=3, config="b")

    (rung,) = shop.rungs("shop:1", minute=5)

    assert (rung.ticket, rung.since, rung.soak) == ("chg-2", at(0), 300.0)


def test_what_comes_back_after_another_begins_anew(shop: Releases) -> None:
    for number, image in enumerate(("shop:1", "shop:2", "shop:1")):
        shop.ends(f"chg-{number}", image, minute=number)

    (rung,) = shop.rungs("shop:1", minute=5)

    assert (rung.running, rung.since, rung.ended_by) == (True, at(2), None)


def test_a_failed_analysis_of_it_is_a_breach_also_once_the_ban_is_lifted(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0)
    shop.ends("chg-2", "shop:2", minute=40)
    shop.ends("chg-3", "shop:1", minute=50, phase=Phase.ROLLED_BACK)
    (ban,) = shop.ledger.read_now(bans.list_bans)
    shop.ledger.write_now(bans.lift_ban, ban.id, by="sre", reason="the database was down")

    (rung,) = shop.rungs("shop:1", minute=60)

    assert rung.breach is not None
    assert (rung.breach.ticket, rung.breach.code, rung.breach.at) == ("chg-3", "analysis_failed", at(50))
    assert (rung.running, rung.soak) == (False, 0.0)


def test_a_rollback_after_success_is_a_breach_and_begins_a_run_of_what_it_brings(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0)
    shop.ends("chg-2", "shop:2", minute=10)
    shop.ends("chg-3", "shop:1", minute=20, back=("chg-2", "chg-1"))

    (undone,) = shop.rungs("shop:2", minute=30)
    (restored,) = shop.rungs("shop:1", minute=30)

    assert undone.breach is not None
    assert (undone.running, undone.soak, undone.breach.code) == (False, 0.0, "rolled_back_after_success")
    assert (restored.running, restored.since, restored.ticket) == (True, at(20), "chg-3")


def test_after_a_breach_it_must_succeed_anew(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0, phase=Phase.ROLLED_BACK)
    assert shop.rungs("shop:1", minute=1)[0].ticket is None
    shop.ends("chg-2", "shop:1", minute=5)

    (rung,) = shop.rungs("shop:1", minute=10)

    assert (rung.breach, rung.running, rung.since) == (None, True, at(5))


def test_a_configuration_that_failed_is_no_breach_of_the_artifact_that_stands(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0, config="a")
    shop.ends("chg-2", "shop:1", minute=5, config="b", phase=Phase.ROLLED_BACK)

    (rung,) = shop.rungs("shop:1", minute=10)

    assert (rung.running, rung.breach, rung.soak) == (True, None, 600.0)


def test_what_wrote_nothing_ends_no_run(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0)
    shop.opens("chg-2")
    shop.enters("chg-2", Phase.SUCCEEDED, minute=3)

    assert shop.rungs("shop:1", minute=5)[0].running is True


def test_a_target_left_half_undone_makes_it_unknown_what_runs(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0)
    shop.opens("chg-2")
    place = {"ticket": "chg-2", "target": "staging/default/shop"}
    shop.ledger.write_now(targets.enter_lane, **place, priority=4)
    shop.ledger.write_now(targets.take_target, **place, run="run-1", rollout={"mode": "forward"})
    shop.ledger.write_now(_soil, "staging/default/shop")
    shop.enters("chg-2", Phase.ROLLBACK_FAILED, minute=3)

    (rung,) = shop.rungs("shop:1", minute=5)

    assert (rung.running, rung.soak) == ("unknown", "unknown")
    assert ladder.soaked_at([rung], SOAK, at(5)) is None


def _soil(db: Any, target: str) -> None:
    from sqlalchemy import update

    from holdpoint.ledger import schema

    db.execute(update(schema.targets).where(schema.targets.c.target == target).values(dirty=True))


def test_the_soak_ends_so_long_after_the_run_began(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0)

    before, after = shop.rungs("shop:1", minute=29), shop.rungs("shop:1", minute=30)

    assert ladder.soaked_at(before, SOAK, at(29)) == at(0) + timedelta(minutes=30)
    assert ladder.soaked_at(after, SOAK, at(30)) is None
    assert ladder.soaked_at(before, SOAK.model_copy(update={"environment": "qa"}), at(29)) is None


def test_nothing_is_waited_for_where_the_run_is_over(shop: Releases) -> None:
    shop.ends("chg-1", "shop:1", minute=0)
    shop.ends("chg-2", "shop:2", minute=5)

    assert ladder.soaked_at(shop.rungs("shop:1", minute=6), SOAK, at(6)) is None


def test_an_end_in_one_environment_wakes_who_waits_in_another(shop: Releases) -> None:
    shop.opens("chg-1", environment="production")
    shop.enters("chg-1", Phase.SCHEDULED)
    shop.opens("chg-2", environment="production")

    shop.ends("chg-3", "shop:1", minute=5)

    rows = shop.ledger.write_now(outbox.take, limit=10, lease=0.0)
    assert [row.ticket for row in rows if row.kind == "wake"] == ["chg-1"]


def test_the_last_success_is_the_one_to_promote_also_after_a_rollback(shop: Releases) -> None:
    where = {"service": "shop", "environment": "staging"}
    assert shop.ledger.read_now(ladder.last_success, **where) is None
    shop.ends("chg-1", "shop:1", minute=0)
    shop.ends("chg-2", "shop:2", minute=10)
    assert shop.ledger.read_now(ladder.last_success, **where) == "chg-2"

    shop.ends("chg-3", "shop:1", minute=20, back=("chg-2", "chg-1"))

    assert shop.ledger.read_now(ladder.last_success, **where) == "chg-3"
