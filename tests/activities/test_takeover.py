"""What a person gives back is compared with the snapshot on a real HTTP API, recorded, and freed."""

from datetime import UTC, datetime

import pytest

from activities.takeover import TakeoverActivities
from holdpoint.ledger import entries, takeovers, targets, tickets
from holdpoint.models.activity_calls import Call
from holdpoint.models.errors import Conflict
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from tests.activities.world import BETTER, World, deployment


async def in_hand(world: World, *, undone: bool) -> TakeoverActivities:
    """Have a person hold the target of a rollback that failed; what it applied is undone, or not."""
    await world.deploy("chg-1", deployment(replicas=1))
    await world.submit("chg-2", deployment(replicas=1, image=BETTER), steps=[{"apply": {}}])
    await world.begin()
    await world.finish_step()
    if undone:
        await world.undo()
    await world.finish(succeeded=False)
    draft = EntryDraft(key="failed", kind="phase.entered", actor="holdpoint", at=datetime.now(UTC))
    patch = {"phase": Phase.ROLLBACK_FAILED.value}
    world.ledger.write_now(entries.append, Record(ticket="chg-2", entries=[draft], patch=patch))
    world.ledger.write_now(takeovers.begin, "chg-2", by="anna", roles=["sre"], reason="INC-7")
    return TakeoverActivities(ledger=world.ledger, blobs=world.blobs, clusters=world.clusters)


def says_so(world: World) -> None:
    world.ledger.write_now(takeovers.give_back, "chg-2", by="anna", roles=["sre"], reason="mended")


async def test_what_is_as_it_was_is_restored_and_the_target_takes_the_next_change(world: World) -> None:
    activities = await in_hand(world, undone=True)
    says_so(world)

    compared = await activities.hand_back(Call(ticket="chg-2"))
    again = await activities.hand_back(Call(ticket="chg-2"))

    assert (compared.result, compared.differences) == ("restored", [])
    assert again == compared
    assert world.ledger.read_now(tickets.get_ticket, "chg-2").phase is Phase.ROLLED_BACK
    await world.deploy("chg-3", deployment(replicas=1))


async def test_what_is_not_as_it_was_is_named_and_the_target_is_free_all_the_same(world: World) -> None:
    activities = await in_hand(world, undone=False)
    says_so(world)

    compared = await activities.hand_back(Call(ticket="chg-2"))

    assert compared.result == "partial"
    assert any("image" in line for line in compared.differences)
    view = world.ledger.read_now(tickets.get_ticket, "chg-2")
    assert (view.phase, view.in_hand) == (Phase.ROLLBACK_FAILED, False)
    row = world.ledger.read_now(targets.get_target, world.target)
    assert row is not None
    assert (row.dirty, row.holder_ticket) == (False, None)


async def test_a_snapshot_that_is_lost_does_not_keep_the_target(world: World) -> None:
    activities = await in_hand(world, undone=True)
    says_so(world)
    for file in world.folder.rglob("*.sealed"):
        file.unlink()

    compared = await activities.hand_back(Call(ticket="chg-2"))

    assert compared.result == "diverged"
    assert compared.differences[0].startswith("The snapshot cannot be compared with:")


async def test_without_a_persons_word_nothing_is_compared_nor_freed(world: World) -> None:
    activities = await in_hand(world, undone=True)

    with pytest.raises(Conflict, match="Nobody has said"):
        await activities.hand_back(Call(ticket="chg-2"))

    row = world.ledger.read_now(targets.get_target, world.target)
    assert row is not None
    assert row.in_hand_of == "anna"
