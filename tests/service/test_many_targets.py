"""Many targets at the door: resolved once, refused by name, and rolled back as one."""

from typing import Any

import pytest

from holdpoint.ledger import tickets
from holdpoint.models.errors import Conflict, InvalidChange
from holdpoint.models.phases import Phase
from holdpoint.models.ticket import TicketView
from holdpoint.service.change_file import read_change
from holdpoint.service.control import control
from tests.service.world import World, a_change, actor

LABELS = {"sandbox": {"tier": "core"}, "eu-1": {"tier": "edge"}, "eu-2": {"tier": "edge"}}
ONE = "target: {cluster: sandbox, namespace: default}"


@pytest.fixture
def fleet(world: World) -> World:
    """Return the world with three clusters."""
    one = world.settings.clusters["sandbox"]
    clusters = {name: one.model_copy(update={"labels": labels}) for name, labels in LABELS.items()}
    world.settings = world.settings.model_copy(update={"clusters": clusters})
    return world


def going_to(targets: str, waves: str = "", **metadata: str) -> str:
    text = a_change(**metadata).replace(ONE, f"targets: {targets}")
    return text.replace("  plan:\n", f"  plan:\n    waves: {waves}\n") if waves else text


def mistakes(text: str) -> list[dict[str, Any]]:
    with pytest.raises(InvalidChange) as caught:
        read_change(text, environments=["staging"], clusters=list(LABELS), labels=LABELS)
    found: list[dict[str, Any]] = caught.value.detail["mistakes"]
    return found


async def test_a_list_of_clusters_becomes_the_tickets_targets_in_waves(fleet: World) -> None:
    text = going_to("{clusters: [eu-2, sandbox, eu-1]}", "{size: [1, 2], bake: 1m}")

    view = (await fleet.submit(text)).view
    await fleet.delivery.deliver_due()

    named = [(one.target, one.wave) for one in view.targets]
    assert named == [
        ("eu-2/default/podinfo", 1),
        ("sandbox/default/podinfo", 2),
        ("eu-1/default/podinfo", 2),
    ]
    (start,) = fleet.temporal.started
    assert start.waves is not None
    assert (start.waves.bake, start.waves.on_failure) == (60.0, "rollback")


async def test_a_selector_is_resolved_once_at_submit(fleet: World) -> None:
    view = (await fleet.submit(going_to("{selector: {labels: {tier: edge}}}"))).view

    assert view.every_target == ["eu-1/default/podinfo", "eu-2/default/podinfo"]
    stored = await fleet.ledger.read(tickets.change_of, view.id)
    assert stored.targets == view.every_target


@pytest.mark.parametrize(
    ("targets", "field", "said"),
    [
        pytest.param(
            "{clusters: [eu-1, eu-9]}", "spec.targets.clusters[1]", "Did you mean 'eu-", id="unknown"
        ),
        pytest.param("{clusters: [eu-1, eu-1]}", "spec.targets.clusters", "names 'eu-1' twice", id="twice"),
        pytest.param(
            "{selector: {labels: {tier: moon}}}",
            "spec.targets.selector",
            "(tier=moon) finds no cluster. Labels in the settings: tier=core, tier=edge",
            id="nothing matches",
        ),
        pytest.param("{namespace: x}", "spec.targets", "exactly one of clusters and selector", id="neither"),
        pytest.param(
            "{clusters: [eu-1], selector: {labels: {tier: edge}}}",
            "spec.targets",
            "exactly one of clusters and selector",
            id="both",
        ),
        pytest.param("{clusters: []}", "spec.targets.clusters", "at least 1 entries", id="none"),
    ],
)
def test_targets_that_cannot_be_are_named_with_the_reason(targets: str, field: str, said: str) -> None:
    (found,) = mistakes(going_to(targets))

    assert found["field"] == field
    assert said in found["message"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(a_change().replace(f"  {ONE}\n", ""), "exactly one of target and targets", id="neither"),
        pytest.param(
            a_change().replace(ONE, f"{ONE}\n  targets: {{clusters: [eu-1]}}"),
            "exactly one of target and targets",
            id="both",
        ),
        pytest.param(
            a_change().replace("  plan:\n", "  plan:\n    waves: {size: 2}\n"),
            "must have targets",
            id="waves",
        ),
        pytest.param(
            going_to("{clusters: [eu-1]}").replace(
                "    steps:\n",
                "    steps:\n"
                "      - manual: {who: sre, what: Look., runbook: https://x.example/y, timeout: 1h}\n",
            ),
            "must have no manual step",
            id="a manual step",
        ),
    ],
)
def test_what_does_not_fit_together_is_named(text: str, said: str) -> None:
    (found,) = mistakes(text)

    assert found["field"] == "spec"
    assert said in found["message"]


def test_a_size_of_waves_that_cannot_be_is_named() -> None:
    (found,) = mistakes(going_to("{clusters: [eu-1]}", "{size: [1, 120%]}"))

    assert found["field"] == "spec.plan.waves.size"
    assert "from 1% to 100%" in found["message"]


async def roll_back(world: World, ticket: str) -> TicketView:
    parts: dict[str, Any] = {"ledger": world.ledger, "temporal": world.temporal}
    parts |= {"delivery": world.delivery, "turns": world.turns}
    return await control(ticket, "rollback", "INC-7", actor("sre"), **parts)


async def succeeded(world: World, number: int, text: str) -> str:
    world.repositories.commit = str(number) * 40
    view = (await world.submit(text, key=f"build-{number}")).view
    await world.record(view.id, phase=Phase.SUCCEEDED)
    return view.id


async def test_a_rollback_after_success_covers_every_target_at_once(fleet: World) -> None:
    text = going_to("{clusters: [eu-1, eu-2]}", "{size: 1}", title="second")
    first = await succeeded(fleet, 1, going_to("{clusters: [eu-1, eu-2]}"))
    second = await succeeded(fleet, 2, text)

    view = await roll_back(fleet, second)

    assert view.restores == first
    assert [(one.cluster, one.wave) for one in view.targets] == [("eu-1", 1), ("eu-2", 1)]


async def test_a_rollback_to_different_versions_is_refused_with_the_reason(fleet: World) -> None:
    first = await succeeded(fleet, 1, going_to("{clusters: [eu-1]}"))
    second = await succeeded(fleet, 2, going_to("{clusters: [eu-2]}"))
    third = await succeeded(fleet, 3, going_to("{clusters: [eu-1, eu-2]}"))

    with pytest.raises(Conflict, match="Not the same version stood on every target") as refused:
        await roll_back(fleet, third)

    assert refused.value.detail["stood"] == {
        "eu-1/default/podinfo": first,
        "eu-2/default/podinfo": second,
    }
