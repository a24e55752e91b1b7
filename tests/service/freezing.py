"""A rollout that is about to write, and the freeze that comes over it."""

from holdpoint.models.phases import Phase
from holdpoint.models.record import Intent, Scope
from holdpoint.service import freeze
from holdpoint.service.freeze import Acknowledgement, FreezeOrder
from tests.service.world import World, a_deployment, actor

ALL = Scope(everything=True)


async def an_open_intent(world: World, *, namespace: str, name: str, version: str | None) -> Intent:
    """Return the open intent of a running rollout to apply a Deployment; without a version, to create it."""
    ticket = (await world.a_ticket(phase=Phase.EXECUTING)).id
    await world.take_target(ticket)
    ref = a_deployment(name=name, namespace=namespace)
    return await world.open_intent(ticket, ref, resource_version=version)


async def frozen(world: World, *, scope: Scope = ALL, **order: object) -> Acknowledgement:
    """Declare a freeze, of everything unless told otherwise."""
    declared = await freeze.create(
        FreezeOrder.model_validate({"scope": scope, "reason": "INC-7", **order}),
        actor("commander"),
        ledger=world.ledger,
        clusters=world.clusters,
        settings=world.settings,
        delivery=world.delivery,
    )
    return declared.freeze
