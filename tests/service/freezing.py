"""A rollout that is about to write, and the freeze that comes over it."""

from holdpoint.ledger import intents, targets
from holdpoint.models.phases import Phase
from holdpoint.models.record import Intent, IntentRequest, ObjectRef, Opened, Scope
from holdpoint.service import freeze
from holdpoint.service.freeze import Acknowledgement, FreezeOrder
from tests.service.world import RUN, TARGET, World, actor


async def an_open_intent(world: World, *, namespace: str, name: str, version: str | None) -> Intent:
    """Return the open intent of a running rollout to apply a Deployment; without a version, to create it."""
    ticket = (await world.a_ticket(phase=Phase.EXECUTING)).id
    await world.ledger.write(targets.take_target, target=TARGET, ticket=ticket, run=RUN, rollout={})
    request = IntentRequest(
        ticket=ticket,
        target=TARGET,
        run=RUN,
        key=f"0/weight/0/Deployment/{name}",
        direction="forward",
        verb="apply",
        object=ObjectRef(
            cluster="sandbox", api_version="apps/v1", kind="Deployment", namespace=namespace, name=name
        ),
        resource_version=version,
        service="podinfo",
        environment="staging",
        change_type="standard",
    )
    outcome = await world.ledger.write(intents.open_intent, request)
    assert isinstance(outcome, Opened)
    return outcome.intent


async def frozen(world: World) -> Acknowledgement:
    """Freeze the rollout's service."""
    declared = await freeze.create(
        FreezeOrder(scope=Scope(service="podinfo"), reason="INC-7"),
        actor("commander"),
        ledger=world.ledger,
        clusters=world.clusters,
        settings=world.settings,
        delivery=world.delivery,
    )
    return declared.freeze
