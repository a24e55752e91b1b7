"""What a switch between two versions must do, on any cluster: the sandbox, and a real one in tests/real."""

from typing import Any

import pytest

from activities import readiness, service_selector
from holdpoint.ledger.doors import LedgerDoor
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import Intent
from tests.activities.world import BETTER, Crash, Send, World, deployment, service

SWITCH = {"deployment": "shop", "service": "shop", "bake": "1s", "scaleDown": "2s", "timeout": "60s"}
OLD, NEW = {"app": "shop"}, {"app": "shop-canary"}


def steps(**more: Any) -> list[Any]:
    return [{"blueGreen": {**SWITCH, **more}}]


async def selector(world: World, name: str = "shop") -> dict[str, str]:
    found: dict[str, str] = (await world.live(name, "Service"))["spec"]["selector"]
    return found


async def owners(world: World, name: str = "shop") -> list[str]:
    """Return who owns the selector of a Service."""
    entries = (await world.live(name, "Service"))["metadata"]["managedFields"]
    return [e["manager"] for e in entries if "f:selector" in e["fieldsV1"].get("f:spec", {})]


async def image(world: World, name: str = "shop") -> str:
    return str((await world.live(name))["spec"]["template"]["spec"]["containers"][0]["image"])


def sent(world: World, direction: str = "forward") -> list[tuple[str, str, str]]:
    """Return what was written: the verb, the kind and the name."""
    done = [one.request for one in world.intents(direction) if one.status == "done"]
    return [(one.verb, one.object.kind, one.object.name) for one in done]


class BlueGreenLives:
    """Needs the fixtures `world`, and `send` for what others do in the cluster."""

    @pytest.fixture(autouse=True)
    def _short_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service_selector, "DRAIN", 0.0)
        monkeypatch.setattr(readiness, "POLL", 0.05)

    async def begun(self, world: World, send: Send, *also: dict[str, Any], **more: Any) -> None:
        """Have a switch begin, of a Service that a platform team owns unless it is among `also`."""
        await world.deploy("chg-1", deployment(replicas=1))
        send("APPLY", world.path(kind="Service"), service(), "platform")
        await world.submit("chg-2", deployment(replicas=1, image=BETTER), *also, steps=steps(**more))
        await world.begin()

    async def test_one_write_switches_to_what_is_ready_and_the_end_is_as_stated(
        self, world: World, send: Send
    ) -> None:
        await self.begun(world, send)

        outcome = await world.weight(0)

        assert (outcome.status, outcome.reached) == ("done", 100.0)
        assert sent(world) == [("apply", "Deployment", "shop-canary"), ("patch", "Service", "shop")]
        both = [await world.live(), await world.live("shop-canary")]
        assert [one["status"]["readyReplicas"] for one in both] == [1, 1]
        assert (await image(world), await image(world, "shop-canary")) != (BETTER, BETTER)
        assert await selector(world) == NEW
        labels = (await world.live("shop-canary"))["spec"]["template"]["metadata"]["labels"]
        assert (NEW.items() <= labels.items(), await owners(world)) == (True, ["holdpoint-switch"])

        outcome = await world.finish_step()

        assert (outcome.status, outcome.reached) == ("done", 100.0)
        assert (await image(world), await selector(world)) == (BETTER, OLD)
        assert await owners(world) == ["platform"]
        assert await world.read("shop-canary") is None
        assert (await world.postcheck()).passed
        # The Deployment has the new version before any request comes back to it.
        assert sent(world)[2:] == [
            ("apply", "Deployment", "shop"),
            ("patch", "Service", "shop"),
            ("patch", "Service", "shop"),
            ("delete", "Deployment", "shop-canary"),
        ]

    async def test_undo_brings_the_requests_back_first_and_is_repeated_without_writing(
        self, world: World, send: Send
    ) -> None:
        await self.begun(world, send)
        await world.weight(0)

        undone = await world.undo()
        compared = await world.compare()

        assert (undone.complete, compared.result, compared.differences) == (True, "restored", [])
        assert sent(world, "undo")[0] == ("patch", "Service", "shop")
        assert (await selector(world), await owners(world)) == (OLD, ["platform"])
        assert await world.read("shop-canary") is None
        before = len(sent(world, "undo"))
        assert (await world.undo()).complete
        assert len(sent(world, "undo")) == before

    async def test_undo_of_a_finish_that_broke_off_keeps_the_requests_where_pods_are(
        self, world: World, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self.begun(world, send)
        await world.weight(0)
        await world.dies_after_sending()  # the Deployment has the new version, the Service still its twin
        world.activities = world.again()

        await world.undo()
        compared = await world.compare()

        assert compared.result == "restored"
        assert await selector(world) == OLD
        kinds = [(verb, kind) for verb, kind, _ in sent(world, "undo") if verb != "fence"]
        assert kinds.index(("apply", "Deployment")) < kinds.index(("patch", "Service"))

    async def test_a_worker_that_dies_at_every_write_sends_none_twice(
        self, world: World, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self.begun(world, send, preview="shop-next")
        close, died = LedgerDoor.close, set[str]()

        async def die(door: LedgerDoor, intent: Intent, status: Any, result: dict[str, Any]) -> None:
            if intent.request.key not in died:
                died.add(intent.request.key)
                raise Crash
            await close(door, intent, status, result)

        monkeypatch.setattr(LedgerDoor, "close", die)
        for stage in ("weight", "finish"):
            while True:
                try:
                    outcome = await world.activities.apply_step(world.step_call(stage))
                    break
                except Crash:
                    world.activities = world.again()
            assert outcome.status == "done", outcome

        assert len(died) == len(sent(world)) == 8
        assert (await image(world), await selector(world)) == (BETTER, OLD)
        assert await world.read("shop-next", "Service") is None

    async def test_a_preview_selects_the_new_version_and_one_that_was_there_is_given_back(
        self, world: World, send: Send
    ) -> None:
        send("APPLY", world.path("shop-next", "Service"), service("shop-next"), "platform")
        await self.begun(world, send, preview="shop-next")

        await world.weight(0)
        during = await selector(world, "shop-next")
        await world.finish_step()

        assert during == NEW
        assert await selector(world, "shop-next") == {"app": "shop-next"}
        assert await owners(world, "shop-next") == ["platform"]

    async def test_a_service_of_the_change_itself_gets_its_other_fields_at_the_end(
        self, world: World, send: Send
    ) -> None:
        await world.deploy("chg-1", deployment(replicas=1), service())
        new = deployment(replicas=1, image=BETTER), service(port=81)
        await world.submit("chg-2", *new, steps=steps())
        await world.begin()

        await world.weight(0)
        during = (await world.live(kind="Service"))["spec"]["ports"][0]["port"]
        outcome = await world.finish_step()

        assert (during, outcome.status) == (80, "done"), outcome
        assert (await world.live(kind="Service"))["spec"]["ports"][0]["port"] == 81
        assert (await selector(world), await owners(world)) == (OLD, ["holdpoint"])

    async def test_a_service_that_somebody_else_has_switched_is_left_to_them(
        self, world: World, send: Send
    ) -> None:
        await self.begun(world, send)
        await world.weight(0)
        send("MERGE", world.path(kind="Service"), {"spec": {"selector": {"app": "theirs"}}}, "stranger")

        outcome = await world.finish_step()
        await world.undo()
        compared = await world.compare()

        assert outcome.status == "failed"
        assert outcome.reason is not None
        assert outcome.reason.code == "changed_meanwhile"
        assert (compared.result, await selector(world)) == ("diverged", {"app": "theirs"})
        assert await image(world) != BETTER

    async def test_what_cannot_be_switched_is_refused_before_anything_is_written(
        self, world: World, send: Send
    ) -> None:
        await world.deploy("chg-1", deployment(replicas=1))
        new = deployment(replicas=1, image=BETTER)

        with pytest.raises(StepConfig, match="Service shop does not exist"):
            await world.submit("chg-2", new, steps=steps())
        with pytest.raises(StepConfig, match="does not select the pods"):
            await world.submit("chg-3", new, service("other"), steps=steps(service="other"))
        named = service()
        named["spec"]["ports"][0]["targetPort"] = "metrics"
        with pytest.raises(StepConfig, match="the port 'metrics', which no container"):
            await world.submit("chg-4", new, named, steps=steps())
        scaler = {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "shop"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
                "maxReplicas": 5,
            },
        }
        path = f"/apis/autoscaling/v2/namespaces/{world.namespace}/horizontalpodautoscalers/shop"
        send("APPLY", path, scaler, "platform")
        with pytest.raises(StepConfig, match="HorizontalPodAutoscaler shop scales shop"):
            await world.submit("chg-5", new, service(), steps=steps())

    async def test_a_deployment_that_is_not_there_is_created_whole(self, world: World) -> None:
        await world.submit("chg-1", deployment(replicas=1), service(), steps=steps(preview="shop-next"))
        await world.begin()

        outcomes = [await world.weight(0), await world.finish_step()]

        assert [outcome.status for outcome in outcomes] == ["done", "done"]
        assert await world.read("shop-canary") is None
        assert await selector(world) == OLD
