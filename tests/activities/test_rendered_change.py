"""A change that is rendered is evaluated like any other: its objects, its files and its mistakes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdpoint.clients.rendering import Renderers
from holdpoint.ledger import tickets
from holdpoint.models.change import Change
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.phases import Phase
from holdpoint.models.policy import DiffFacts
from tests.activities.ticket_world import TicketWorld
from tests.activities.world import Sandbox, deployment
from tests.clients.fake_renderer import install

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: COLOUR}\n"


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    programs = tmp_path / "programs"
    programs.mkdir()
    found = install(programs)
    renderers = Renderers(kustomize=found["kustomize"], helm=found["helm"])
    made = TicketWorld(sandbox, tmp_path, renderers=renderers)
    commit(made, "blue")
    yield made
    await made.close()


def commit(shop: TicketWorld, colour: str, kustomization: str = "resources: [../base]\n") -> str:
    """Commit an overlay with the service's Deployment and a ConfigMap."""
    for folder in ("base", "eu"):
        (shop.repository / folder).mkdir(exist_ok=True)
    (shop.repository / "eu" / "kustomization.yaml").write_text(kustomization)
    base = shop.repository / "base"
    (base / "kustomization.yaml").write_text("resources: [shop.yaml, config.yaml]\n")
    (base / "shop.yaml").write_text(yaml.safe_dump(deployment()))
    (base / "config.yaml").write_text(CONFIG.replace("COLOUR", colour))
    return shop.commit(deployment())


def overlaid(shop: TicketWorld, **more: Any) -> Change:
    change = shop.a_change()
    source = {"repository": str(shop.repository), "revision": "main", "kustomize": "eu", **more}
    raw = change.model_dump(mode="json", exclude_none=True)
    return Change.model_validate({**raw, "spec": {**raw["spec"], "source": source}})


async def test_policy_sees_what_is_rendered_and_the_files_that_it_is_made_of(shop: TicketWorld) -> None:
    shop.submit(change=overlaid(shop))

    evaluation = await shop.evaluate()

    (asked,) = shop.policy.asked
    assert [step.kind for step in evaluation.plan] == ["canary"]
    assert asked.images == ["registry.example/shop:1.0"]
    assert isinstance(asked.diff, DiffFacts)
    assert asked.diff.paths == [
        "base/config.yaml", "base/kustomization.yaml", "base/shop.yaml", "eu/kustomization.yaml"
    ]  # fmt: skip
    assert asked.diff.kinds == ["ConfigMap", "Deployment"]


async def test_kinds_touched_are_those_that_differ_once_rendered(shop: TicketWorld) -> None:
    shop.submit("chg-1", change=overlaid(shop))
    shop.enters("chg-1", Phase.SUCCEEDED)
    commit(shop, "red")
    shop.submit("chg-2", change=overlaid(shop))

    await shop.evaluate("chg-2")

    diff = shop.policy.asked[-1].diff
    assert isinstance(diff, DiffFacts)
    assert (diff.paths, diff.kinds) == (["base/config.yaml"], ["ConfigMap"])


async def test_what_the_renderer_says_is_wrong_rejects_the_change(shop: TicketWorld) -> None:
    commit(shop, "blue", "resources: [../base, 'https://evil.example/x.yaml']\n")
    shop.submit(change=overlaid(shop))

    evaluation = await shop.evaluate()

    assert shop.policy.asked == []
    assert "Kustomize cannot render eu: resources[1] of eu/kustomization.yaml" in evaluation.decision.deny[0]


async def test_missing_renderer_is_an_outage_and_no_mistake(shop: TicketWorld, tmp_path: Path) -> None:
    (tmp_path / "programs" / "kustomize").unlink()
    shop.submit(change=overlaid(shop))

    with pytest.raises(UpstreamUnavailable, match="HOLDPOINT_KUSTOMIZE"):
        await shop.evaluate()


async def test_plan_warns_of_hooks_that_are_left_out(shop: TicketWorld) -> None:
    templates = shop.repository / "chart" / "templates"
    templates.mkdir(parents=True)
    (templates.parent / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 0.1.0\n")
    hook = CONFIG.replace("{name: settings}", "{name: migrate, annotations: {helm.sh/hook: pre-upgrade}}")
    (templates / "hook.yaml").write_text(hook)
    shop.commit(deployment())
    helm = {"chart": "chart", "hooks": "leaveOut"}
    shop.submit(change=overlaid(shop, helm=helm))

    evaluation = await shop.evaluate()

    assert evaluation.warnings[0].endswith(
        "Hooks of the chart chart are left out and do not run: ConfigMap migrate (pre-upgrade)."
    )


async def test_drift_is_measured_against_what_is_rendered(shop: TicketWorld) -> None:
    shop.submit("chg-1", change=overlaid(shop))
    shop.enters("chg-1", Phase.SUCCEEDED)
    shop.deploy(deployment())
    shop.until_ready(deployment())
    shop.submit("chg-2", change=overlaid(shop))

    report = await shop.precheck("chg-2")

    (drift,) = [check for check in report.checks if check.name == "drift"]
    assert "ConfigMap settings is missing" in drift.message


def test_stored_change_keeps_its_source(shop: TicketWorld) -> None:
    shop.submit(change=overlaid(shop))

    stored = shop.ledger.read_now(tickets.change_of, "chg-1")

    assert stored.change.spec.source.kustomize == "eu"
