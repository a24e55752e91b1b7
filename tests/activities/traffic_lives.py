"""What a canary by a route must do, for any cluster: the sandbox runs it always, a real one in tests/real."""

from typing import Any

import pytest

from activities.steps import canary_traffic
from holdpoint.models.errors import StepConfig
from holdpoint.models.record import ObjectRef
from tests.activities.world import BETTER, Send, World, deployment, service

API = "gateway.networking.k8s.io/v1"
CANARY = {"deployment": "shop", "weights": [10, 50], "bake": "1s", "traffic": {"httpRoute": "shop"}}
STEPS: list[Any] = [{"canary": CANARY}]


def a_route(*others: dict[str, Any]) -> dict[str, Any]:
    """Return a route with a rule for the shop and a rule of somebody else."""
    shop = {"backendRefs": [{"name": "shop", "port": 80}, *others]}
    elsewhere = {"matches": [{"path": {"value": "/other"}}], "backendRefs": [{"name": "other", "port": 80}]}
    return {
        "apiVersion": API,
        "kind": "HTTPRoute",
        "metadata": {"name": "shop"},
        "spec": {"parentRefs": [{"name": "gateway"}], "rules": [shop, elsewhere]},
    }


def path_of(world: World) -> str:
    return f"/apis/{API}/namespaces/{world.namespace}/httproutes/shop"


async def route_of(world: World) -> dict[str, Any]:
    ref = ObjectRef(
        cluster="sandbox", api_version=API, kind="HTTPRoute", namespace=world.namespace, name="shop"
    )
    found = await world.clusters.forward("sandbox").read(ref)
    assert found is not None
    return found


async def weights_of(world: World) -> list[dict[str, int]]:
    rules = (await route_of(world))["spec"]["rules"]
    return [{ref["name"]: ref["weight"] for ref in rule["backendRefs"]} for rule in rules]


async def owners_of_rules(world: World) -> list[str]:
    entries = (await route_of(world))["metadata"]["managedFields"]
    return [e["manager"] for e in entries if "f:rules" in e["fieldsV1"].get("f:spec", {})]


class TrafficLives:
    """Needs the fixtures `world`, and `send` for what others do in the cluster."""

    async def begun(self, world: World, send: Send) -> dict[str, Any]:
        """Have a canary by a route begin; return the route as it was."""
        await world.deploy("chg-1", deployment(), service())
        send("APPLY", path_of(world), a_route(), "platform")
        before = await route_of(world)
        await world.submit("chg-2", deployment(image=BETTER), service(), steps=STEPS)
        await world.begin()
        return before

    async def test_weights_are_exactly_those_asked_for_and_stable_keeps_its_pods(
        self, world: World, send: Send
    ) -> None:
        before = await self.begun(world, send)

        first = await world.weight(0)
        seen = await weights_of(world)
        second = await world.weight(1)

        assert (first.reached, second.reached) == (10.0, 50.0)
        assert seen == [{"shop": 90, "shop-canary": 10}, {"other": 1}]
        assert await weights_of(world) == [{"shop": 50, "shop-canary": 50}, {"other": 1}]
        assert (await route_of(world))["spec"]["rules"][1] == before["spec"]["rules"][1]
        assert (await world.live())["spec"]["replicas"] == 4
        assert (await world.live("shop-canary"))["spec"]["replicas"] == 2

    async def test_stable_service_selects_no_pod_of_the_canary(self, world: World, send: Send) -> None:
        await self.begun(world, send)
        await world.weight(0)

        stable = (await world.live("shop", "Service"))["spec"]["selector"]
        canary = (await world.live("shop-canary", "Service"))["spec"]["selector"]
        labels = (await world.live("shop-canary"))["spec"]["template"]["metadata"]["labels"]

        assert not stable.items() <= labels.items()
        assert canary.items() <= labels.items()

    async def test_at_the_end_the_route_is_as_it_was_and_its_owners_again(
        self, world: World, send: Send
    ) -> None:
        before = await self.begun(world, send)
        await world.weight(0)
        during = await owners_of_rules(world)

        outcome = await world.finish_step()

        assert (outcome.status, outcome.reached) == ("done", 100.0)
        assert (await route_of(world))["spec"] == before["spec"]
        assert (during, await owners_of_rules(world)) == (["holdpoint-traffic"], ["platform"])
        assert await world.read("shop-canary") is None
        assert await world.read("shop-canary", "Service") is None
        send("APPLY", path_of(world), a_route(), "platform")

    async def test_undo_restores_everything(self, world: World, send: Send) -> None:
        before = await self.begun(world, send)
        await world.weight(1)

        undone = await world.undo()
        compared = await world.compare()

        assert (undone.complete, compared.result, compared.differences) == (True, "restored", [])
        assert (await route_of(world))["spec"] == before["spec"]
        assert await owners_of_rules(world) == ["platform"]
        assert await world.read("shop-canary", "Service") is None

    async def test_undo_leaves_a_strangers_edit_and_takes_the_canary_out_all_the_same(
        self, world: World, send: Send
    ) -> None:
        await self.begun(world, send)
        await world.weight(1)
        rules = (await route_of(world))["spec"]["rules"]
        edited = [rules[0], {**rules[1], "matches": [{"path": {"type": "Exact", "value": "/theirs"}}]}]
        send("MERGE", path_of(world), {"spec": {"rules": edited}}, "stranger")

        await world.undo()
        compared = await world.compare()

        assert await weights_of(world) == [{"shop": 1}, {"other": 1}]
        assert compared.result == "diverged"
        assert [difference.split(": ")[:2] for difference in compared.differences] == [
            ["HTTPRoute/shop", "spec.rules"]
        ]
        assert await owners_of_rules(world) == ["platform"]

    async def test_every_write_names_an_intent(self, world: World, send: Send) -> None:
        await self.begun(world, send)
        await world.weight(0)
        await world.finish_step()

        assert {intent.status for intent in world.intents()} == {"done"}
        verbs = [i.request.verb for i in world.intents() if i.request.object.kind == "HTTPRoute"]
        assert verbs == ["patch"] * 3

    async def test_a_route_of_the_change_itself_is_left_as_it_is_stated(
        self, world: World, send: Send
    ) -> None:
        await world.deploy("chg-1", deployment(), service(), a_route())
        await world.submit("chg-2", deployment(image=BETTER), service(), a_route(), steps=STEPS)
        await world.begin()

        reached = (await world.weight(0)).reached
        outcome = await world.finish_step()

        assert (reached, outcome.status) == (10.0, "done")
        assert await weights_of(world) == [{"shop": 1}, {"other": 1}]
        assert await owners_of_rules(world) == ["holdpoint"]
        assert (await world.postcheck()).passed

    async def test_a_gateway_that_does_not_accept_the_route_fails_the_step(
        self, world: World, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(canary_traffic, "PATIENCE", 0.0)
        await self.begun(world, send)
        condition = {
            "type": "Accepted",
            "status": "False",
            "reason": "NoMatchingParent",
            "message": "no listener",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "observedGeneration": 9,
        }
        parent = {
            "parentRef": {"name": "gateway"},
            "controllerName": "example.com/gateway",
            "conditions": [condition],
        }
        send("MERGE", f"{path_of(world)}/status", {"status": {"parents": [parent]}}, "gateway")

        outcome = await world.weight(0)

        assert outcome.status == "failed"
        assert outcome.reason is not None
        assert outcome.reason.code == "route_not_accepted"
        assert "gateway gateway does not accept it: no listener" in outcome.reason.message

    @pytest.mark.parametrize(
        ("route", "said"),
        [
            pytest.param(None, "HTTPRoute shop does not exist", id="no route"),
            pytest.param({"name": "beta", "port": 80}, "other backends beside Service shop", id="others"),
        ],
    )
    async def test_what_cannot_be_shifted_is_refused_before_anything_is_written(
        self, world: World, send: Send, route: dict[str, Any] | None, said: str
    ) -> None:
        await world.deploy("chg-1", deployment(), service())
        if route is not None:
            send("APPLY", path_of(world), a_route(route), "platform")

        with pytest.raises(StepConfig, match=said):
            await world.submit("chg-2", deployment(image=BETTER), service(), steps=STEPS)
