"""Changes through a production-shaped installation, on real servers only."""

import pytest

from tests.real import shop
from tests.real.installation import Installation
from tests.real.outside import USERS

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


ALL, GOOD, BAD = shop.RELEASES - 2, shop.RELEASES - 1, shop.RELEASES
"""Releases of these tests alone: the faults, which may have run on the same installation, use others."""


@pytest.fixture(scope="module")
def shop_running(installation: Installation) -> Installation:
    """All eleven services at one release."""
    installation.bring_first_releases()
    ended = installation.ends(installation.submit("shop", ALL, services=shop.SERVICES))
    assert ended["phase"] == "Succeeded", ended
    return installation


def test_eleven_deployments_of_one_repository_are_applied_in_one_change(shop_running: Installation) -> None:
    found = {service: shop_running.outside.images(service) for service in shop.SERVICES}

    assert found == {service: [shop.image(service, ALL)] for service in shop.SERVICES}


def test_a_good_canary_is_promoted_by_what_prometheus_measured(shop_running: Installation) -> None:
    change = shop_running.change_file("web", GOOD, steps=shop.canary("web"))

    ended = shop_running.command("submit", str(change), "--wait")

    assert ended["phase"] == "Succeeded"
    assert {verdict["verdict"] for step in ended["steps"] for verdict in step["verdicts"]} == {"pass"}
    assert shop_running.outside.images("web") == [shop.image("web", GOOD)]


def test_a_canary_with_errors_is_rolled_back_and_restored(shop_running: Installation) -> None:
    shop_running.behave("cart", BAD, error_rate=0.3)
    change = shop_running.change_file("cart", BAD, steps=shop.canary("cart"))

    ended = shop_running.command("submit", str(change), "--wait", expect=1)

    assert (ended["phase"], ended["rollback"]["result"]) == ("RolledBack", "restored")
    assert shop_running.outside.images("cart") == [shop.image("cart", ALL)]


def test_the_record_verifies_and_agrees_with_the_api_servers_own_log(shop_running: Installation) -> None:
    log, record = shop_running.outside.log_copy(), shop_running.folder / "all.json"
    shop_running.command("audit", "export", "--all", "-o", str(record), by="auditor")
    key = ["--key", str(shop_running.outside.public_key)]

    assert shop_running.command("audit", "verify", str(record), *key)["verified"]
    users = [word for user in USERS for word in ("--user", user)]
    found = shop_running.command(
        "audit", "reconcile", "--kube-audit", str(log), "--record", str(record), *key, *users
    )

    assert (found["clean"], found["verified"], found["findings"]) == (True, True, [])
    assert found["writes"] >= 2 * len(shop.SERVICES)
    assert shop_running.outside.dirty_targets() == []
