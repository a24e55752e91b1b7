"""The last look before anything is written: a "no" fails, an outage waits, and unknown is never a pass."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities import prechecks
from activities.prechecks import World, passed, run_checks
from holdpoint.ledger import tickets
from holdpoint.models.activity_calls import Check
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.phases import Phase
from tests.activities.ticket_world import TicketWorld
from tests.activities.world import BETTER, GOOD, Sandbox, deployment, service


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    made = TicketWorld(sandbox, tmp_path)
    made.commit(deployment(replicas=2), service())
    made.submit("chg-0")
    yield made
    await made.close()


async def look(shop: TicketWorld, ticket: str = "chg-1", *demanded: str) -> dict[str, Check]:
    """Return the checks by name, without the pauses between attempts."""
    found = await looked(shop, ticket, *demanded)
    return {check.name: check for check in found}


async def looked(shop: TicketWorld, ticket: str, *demanded: str) -> list[Check]:
    async def at_once(seconds: float) -> None:
        return None

    world = World(
        cluster=shop.clusters.forward("sandbox"),
        repositories=shop.repositories,
        stored=shop.ledger.read_now(tickets.change_of, ticket),
        last=shop.ledger.read_now(tickets.last_succeeded, shop.target),
        plan=(await shop.evaluate(ticket)).plan,
        freezes=[],
        demanded=list(demanded),
        pause=at_once,
    )
    return await run_checks(world)


def running(shop: TicketWorld, ticket: str = "chg-1", **metadata: str) -> None:
    """Have the first commit run and succeed, and a second one submitted."""
    shop.deploy(deployment(replicas=2), service())
    shop.until_ready(deployment())
    shop.enters("chg-0", Phase.SUCCEEDED)
    shop.commit(deployment(replicas=2, image=BETTER), service())
    shop.submit(ticket, change=shop.a_change(**metadata))


async def test_healthy_service_passes(shop: TicketWorld) -> None:
    running(shop)

    report = await shop.precheck("chg-1")

    assert report.passed
    assert {check.name for check in report.checks if check.passed} == {
        "dry_run",
        "health",
        "rollback_target",
        "gitops_owner",
        "drift",
        "freeze",
    }


async def test_first_rollout_passes_and_says_that_its_undo_is_deletion(shop: TicketWorld) -> None:
    checks = await look(shop, "chg-0")

    assert passed(list(checks.values()))
    assert "deletion" in checks["rollback_target"].message


@pytest.mark.parametrize("name", ["error_budget", "open_incidents"])
async def test_unknown_is_shown_and_is_neither_pass_nor_failure(shop: TicketWorld, name: str) -> None:
    checks = await look(shop, "chg-0")

    assert (checks[name].passed, checks[name].unknown) == (False, True)
    assert passed(list(checks.values()))


async def test_unknown_fails_where_the_policy_demands_the_check(shop: TicketWorld) -> None:
    assert not passed(await looked(shop, "chg-0", "error_budget"))


async def test_check_that_nobody_knows_fails(shop: TicketWorld) -> None:
    checks = await look(shop, "chg-0", "moon_phase")

    assert (checks["moon_phase"].passed, checks["moon_phase"].unknown) == (False, False)


async def test_manifest_that_the_server_refuses_fails_and_names_the_object(shop: TicketWorld) -> None:
    running(shop)
    other = deployment(replicas=2)
    other["spec"]["selector"]["matchLabels"]["app"] = "other"
    shop.commit(other, service())
    shop.submit("chg-2")

    check = (await look(shop, "chg-2"))["dry_run"]

    assert not check.passed
    assert "Deployment shop" in check.message


async def test_object_that_a_quota_refuses_fails_in_the_servers_own_words(shop: TicketWorld) -> None:
    few = {"metadata": {"name": "few"}, "spec": {"hard": {"count/services": "0"}}}
    place = shop.path(service()).rpartition("/services/")[0]
    shop.sandbox.ask("POST", f"{place}/resourcequotas", token="forward", json=few).raise_for_status()

    report = await shop.precheck("chg-0")

    assert not report.passed
    (check,) = [check for check in report.checks if check.name == "dry_run"]
    assert "Service shop: " in check.message
    assert 'services "shop" is forbidden: exceeded quota: few' in check.message


async def test_field_that_somebody_else_owns_fails_and_one_set_by_hand_is_taken_over(
    shop: TicketWorld,
) -> None:
    running(shop)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "other:1"}]}}}}

    shop.sandbox.edit(shop.path(deployment()), patch, manager="kubectl-edit")
    assert (await look(shop))["dry_run"].passed

    patch["spec"]["template"]["spec"]["containers"][0]["image"] = "other:2"
    shop.sandbox.edit(shop.path(deployment()), patch, manager="argocd")
    assert not (await look(shop))["dry_run"].passed


async def test_ill_service_fails_after_bounded_attempts_each_of_which_is_evidence(shop: TicketWorld) -> None:
    running(shop)
    shop.sandbox.steer("behave", image="registry.example/ill:1", never_ready=True)
    shop.deploy(deployment(replicas=2, image="registry.example/ill:1"))

    check = (await look(shop))["health"]

    assert not check.passed
    assert check.attempts == len(check.evidence) == prechecks.HEALTH_TRIES


async def test_service_that_settles_passes_with_its_earlier_attempts_as_evidence(shop: TicketWorld) -> None:
    running(shop)
    world = World(
        cluster=shop.clusters.forward("sandbox"),
        repositories=shop.repositories,
        stored=shop.ledger.read_now(tickets.change_of, "chg-1"),
        last=None,
        plan=[],
        freezes=[],
    )
    image = deployment()["spec"]["template"]["spec"]["containers"][0]["image"]
    shop.sandbox.steer("behave", image=image, never_ready=True)
    shop.deploy(deployment(replicas=6))

    async def settled(seconds: float) -> None:
        shop.sandbox.steer("behave", image=image)
        shop.until_ready(deployment())

    checks = await run_checks(dataclasses.replace(world, pause=settled))

    health = next(check for check in checks if check.name == "health")
    assert health.passed
    assert health.attempts > 1


async def test_emergency_goes_on_although_the_service_is_ill(shop: TicketWorld) -> None:
    running(shop, type="emergency")
    shop.sandbox.steer("behave", image="registry.example/ill:2", never_ready=True)
    shop.deploy(deployment(replicas=2, image="registry.example/ill:2"))

    check = (await look(shop))["health"]

    assert check.passed
    assert "in spite" in check.message


async def test_a_rollback_after_success_goes_on_although_the_service_is_ill(shop: TicketWorld) -> None:
    running(shop)
    shop.sandbox.steer("behave", image="registry.example/ill:3", never_ready=True)
    shop.deploy(deployment(replicas=2, image="registry.example/ill:3"))
    shop.submit("chg-2", back=("chg-0", "chg-0"))

    check = (await look(shop, "chg-2"))["health"]

    assert check.passed
    assert "A rollback goes on in spite of it." in check.message


async def test_drift_is_told_and_fails_only_where_the_policy_demands_it(shop: TicketWorld) -> None:
    running(shop)
    shop.sandbox.edit(shop.path(deployment()), {"spec": {"replicas": 3}}, manager="stranger")
    shop.until_ready(deployment())

    told, demanded = await look(shop), await look(shop, "chg-1", "drift")

    assert told["drift"].passed
    assert "spec.replicas: 2 -> 3" in told["drift"].message
    assert not demanded["drift"].passed


async def test_no_drift_where_the_cluster_is_as_git_has_it(shop: TicketWorld) -> None:
    running(shop)

    assert "is as commit" in (await look(shop, "chg-1", "drift"))["drift"].message


async def test_object_that_is_missing_is_drift(shop: TicketWorld) -> None:
    running(shop)
    assert shop.sandbox.ask("DELETE", shop.path(service())).status_code == 200

    assert "Service shop is missing" in (await look(shop))["drift"].message


async def test_deployment_that_vanished_since_the_evaluation_fails(shop: TicketWorld) -> None:
    running(shop)
    plan = (await shop.evaluate("chg-1")).plan
    assert shop.sandbox.ask("DELETE", shop.path(deployment())).status_code == 200
    world = World(
        cluster=shop.clusters.forward("sandbox"),
        repositories=shop.repositories,
        stored=shop.ledger.read_now(tickets.change_of, "chg-1"),
        last=None,
        plan=plan,
        freezes=[],
    )

    checks = {check.name: check for check in await run_checks(world)}

    assert not checks["rollback_target"].passed


async def test_freeze_is_told_and_no_failure(shop: TicketWorld) -> None:
    running(shop)
    freeze = shop.freeze()

    report = await shop.precheck("chg-1")

    assert report.passed
    assert any(freeze.id in check.message for check in report.checks)


async def test_cluster_that_does_not_answer_is_an_outage_and_no_failure(shop: TicketWorld) -> None:
    running(shop)
    plan = (await shop.evaluate("chg-1")).plan
    shop.sandbox.steer("fail", part="kubernetes", mode="error", **{"for": 60})
    world = World(
        cluster=shop.clusters.forward("sandbox"),
        repositories=shop.repositories,
        stored=shop.ledger.read_now(tickets.change_of, "chg-1"),
        last=None,
        plan=plan,
        freezes=[],
    )

    try:
        with pytest.raises(UpstreamUnavailable):
            await run_checks(world)
    finally:
        shop.sandbox.steer("fail", part="kubernetes", mode="error", **{"for": 0.001})


def test_images_of_this_file_differ() -> None:
    assert GOOD != BETTER


async def test_a_second_copy_that_a_quota_has_no_room_for_fails_before_anything_is_written(
    shop: TicketWorld,
) -> None:
    running(shop)
    change = shop.a_change()
    step = {"blueGreen": {"deployment": "shop", "service": "shop", "scaleDown": "1s"}}
    plan = change.spec.plan.model_validate({"steps": [step]})
    switched = change.model_copy(update={"spec": change.spec.model_copy(update={"plan": plan})})
    shop.submit("chg-2", change=switched)
    few = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "4"}}}
    place = shop.path(service()).rpartition("/services/")[0]
    shop.sandbox.ask("POST", f"{place}/resourcequotas", token="forward", json=few).raise_for_status()

    checks = await look(shop, "chg-2")

    assert checks["quota"].message == (
        "No room for a second copy at full size: ResourceQuota few: 2 of 4 pods are used, 3 more are needed."
    )
    assert not checks["quota"].passed
    assert (await look(shop, "chg-1")).keys().isdisjoint({"quota"})
