"""A change finds its rehearsal by its objects and the shape of its plan, wherever that was."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdpoint.ledger import entries, tickets
from holdpoint.models.change import Change
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft, Record
from tests.activities.ticket_world import MONDAY, TicketWorld
from tests.activities.world import BETTER, Sandbox, deployment, service


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    made = TicketWorld(sandbox, tmp_path)
    made.commit()
    yield made
    await made.close()


def staged(shop: TicketWorld) -> Change:
    """Return the change as it is rehearsed: in another namespace and environment."""
    namespace = f"{shop.namespace}-stage"
    space = {"kind": "Namespace", "metadata": {"name": namespace}}
    assert shop.sandbox.ask("POST", "/api/v1/namespaces", json=space).status_code == 201
    change = shop.a_change(environment="staging").model_dump(mode="json", exclude_none=True, by_alias=True)
    change["spec"]["target"]["namespace"] = namespace
    return Change.model_validate(change)


async def rehearse(shop: TicketWorld) -> None:
    """Have the change rehearsed, and well."""
    shop.submit("chg-0", change=staged(shop), rehearsal=True)
    await shop.evaluate("chg-0")
    draft = EntryDraft(key="ends", kind="phase.entered", actor="holdpoint", at=MONDAY)
    patch = {
        "phase": Phase.ROLLED_BACK.value,
        "reason": {"code": "rehearsed", "message": "A rehearsal."},
        "rollback": {"result": "restored"},
    }
    shop.ledger.write_now(entries.append, Record(ticket="chg-0", entries=[draft], patch=patch))


async def test_a_change_finds_the_rehearsal_of_what_it_is_and_shows_it(shop: TicketWorld) -> None:
    await rehearse(shop)
    shop.commit()  # another commit of the same objects
    shop.submit("chg-1")

    await shop.evaluate("chg-1")

    asked = shop.policy.asked[-1]
    assert asked.rehearsal is not None
    assert (asked.rehearsal.ticket, asked.rehearsal.passed, asked.rehearsal.result) == (
        "chg-0",
        True,
        "restored",
    )
    assert asked.rehearsal.plan_shape == asked.plan_shape
    assert not asked.is_rehearsal
    view = shop.ledger.read_now(tickets.get_ticket, "chg-1")
    assert view.rehearsal == asked.rehearsal


async def test_the_rehearsal_itself_says_that_it_is_one_and_looks_for_none(shop: TicketWorld) -> None:
    await rehearse(shop)

    (asked,) = shop.policy.asked
    assert asked.is_rehearsal
    assert asked.rehearsal is None


async def test_other_objects_were_not_rehearsed(shop: TicketWorld) -> None:
    await rehearse(shop)
    shop.commit(deployment(image=BETTER), service())
    shop.submit("chg-1")

    await shop.evaluate("chg-1")

    assert shop.policy.asked[-1].rehearsal is None


async def test_another_plan_was_not_rehearsed(shop: TicketWorld) -> None:
    await rehearse(shop)
    change = shop.a_change().model_dump(mode="json", exclude_none=True)
    change["spec"]["plan"]["steps"][0]["canary"]["weights"] = [10]
    shop.submit("chg-1", change=Change.model_validate(change))

    await shop.evaluate("chg-1")

    assert shop.policy.asked[-1].rehearsal is None
