"""A person lets a canary go on that is held for want of a verdict, as the API's door does it."""

from holdpoint.models import contracts
from tests.workflows.builders import a_promotion, a_word_on_the_verdict
from tests.workflows.world import World


async def promoted(world: World, *, weight: int | None = None, digest: str | None = None) -> None:
    """Have a person's word on the holds of this moment in the ledger, and tell the ticket."""
    world.answers["gate"] = a_promotion(world.view.get("holds", []), weight=weight)
    bound = world.answers["evaluate"].digest if digest is None else digest
    await world.tell(contracts.PROMOTION, a_word_on_the_verdict(bound, weight=weight))
