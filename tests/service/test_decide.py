"""An approval is an entry of the ledger, bound to what was read; the update only tells the ticket."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from sqlalchemy import event

from holdpoint.ledger import entries
from holdpoint.models.errors import AccessDenied, Conflict, NotFound
from holdpoint.models.phases import Phase
from holdpoint.models.record import EntryDraft
from holdpoint.models.ticket import TicketView
from holdpoint.models.workflow_messages import ApprovalGiven
from holdpoint.service.decide import Word, decide
from tests.service.world import DIGEST, World, actor

OTHER = "sha256:" + "e" * 64


async def waiting(world: World, *, by: str = "ci") -> TicketView:
    return await world.a_ticket(phase=Phase.AWAITING_APPROVAL, digest=DIGEST, by=by)


async def say(world: World, ticket: str, word: Word, *, by: str = "approver") -> TicketView:
    return await decide(
        ticket, word, actor(by), ledger=world.ledger, delivery=world.delivery, turns=world.turns
    )


async def test_an_approval_is_recorded_with_its_digest_and_told_to_the_ticket(world: World) -> None:
    ticket = (await waiting(world)).id

    await say(world, ticket, Word("approve", DIGEST, "read it"))

    entry = (await world.ledger.read(entries.entries_of, ticket))[-1]
    assert (entry.kind, entry.actor) == ("approval.given", "approver")
    assert entry.body == {"by": "approver", "digest": DIGEST, "roles": ["approver"], "reason": "read it"}
    [(workflow, name, argument)] = world.temporal.updates.values()
    assert (workflow, name) == (f"change/{ticket}", "approve")
    assert isinstance(argument, ApprovalGiven)
    assert argument.digest == DIGEST


async def test_the_outbox_repeats_the_update_under_the_same_id(world: World) -> None:
    ticket = (await waiting(world)).id
    await say(world, ticket, Word("approve", DIGEST, ""))

    await world.delivery.deliver_due()

    assert len(world.temporal.updates) == 1


async def test_an_approval_after_one_that_was_voided_is_a_new_one_though_the_digest_is_the_same(
    world: World,
) -> None:
    ticket = (await waiting(world)).id
    await say(world, ticket, Word("approve", DIGEST, ""))
    voided = EntryDraft(
        key="run/1", kind="approval.voided", actor="holdpoint", at=datetime.now(UTC), body={"to": DIGEST}
    )
    await world.ledger.write(entries.append_entry, voided, ticket)

    await say(world, ticket, Word("approve", DIGEST, "in the role that is asked for"))
    await say(world, ticket, Word("approve", DIGEST, "the same again"))

    given = [e for e in await world.ledger.read(entries.entries_of, ticket) if e.kind == "approval.given"]
    assert [entry.body["reason"] for entry in given] == ["", "in the role that is asked for"]
    assert len(world.temporal.updates) == 2


async def test_an_approval_given_while_temporal_is_down_reaches_the_ticket_later(world: World) -> None:
    ticket = (await waiting(world)).id
    world.temporal.down = True
    await say(world, ticket, Word("approve", DIGEST, ""))
    assert "approval.given" in await world.kinds(ticket)

    world.temporal.down = False
    await world.delivery.deliver_due()

    assert [name for _, name, _ in world.temporal.updates.values()] == ["approve"]


async def test_another_digest_is_a_conflict_that_names_both(world: World) -> None:
    ticket = (await waiting(world)).id

    with pytest.raises(Conflict) as caught:
        await say(world, ticket, Word("approve", OTHER, ""))

    assert OTHER in caught.value.message
    assert DIGEST in caught.value.message
    assert "approval.given" not in await world.kinds(ticket)


async def test_the_requester_cannot_approve_and_the_denial_is_recorded(world: World) -> None:
    ticket = (await waiting(world, by="approver")).id

    with pytest.raises(AccessDenied):
        await say(world, ticket, Word("approve", DIGEST, ""), by="approver")

    kinds = await world.kinds(ticket)
    assert "approval.denied" in kinds
    assert "approval.given" not in kinds
    assert world.temporal.updates == {}


async def test_at_most_three_denials_of_one_actor_are_recorded(world: World) -> None:
    ticket = (await waiting(world)).id

    for by in ["sre", "ci"] * 5:
        with pytest.raises(AccessDenied):
            await say(world, ticket, Word("approve", DIGEST, ""), by=by)

    assert (await world.kinds(ticket)).count("approval.denied") == 6


async def test_what_a_word_is_held_against_is_read_under_the_ledgers_lock(world: World) -> None:
    ticket = (await waiting(world)).id
    sent: list[str] = []
    event.listen(world.ledger._writing, "before_cursor_execute", lambda *args: sent.append(args[2]))

    await say(world, ticket, Word("approve", DIGEST, ""))
    with pytest.raises(AccessDenied):
        await say(world, ticket, Word("approve", DIGEST, ""), by="sre")

    # PostgreSQL locks nothing by BEGIN: a ticket could move on between being read and being approved.
    first = [after for before, after in pairwise(sent) if before == "BEGIN IMMEDIATE"]
    assert [statement.partition("FROM ")[2].split()[0] for statement in first] == ["head", "head"]


async def test_approving_twice_is_one_entry(world: World) -> None:
    ticket = (await waiting(world)).id

    for _ in range(2):
        await say(world, ticket, Word("approve", DIGEST, ""))

    assert (await world.kinds(ticket)).count("approval.given") == 1


@pytest.mark.parametrize("phase", [Phase.EVALUATING, Phase.EXECUTING, Phase.SUCCEEDED])
async def test_a_ticket_that_does_not_wait_for_approval_is_a_conflict(world: World, phase: Phase) -> None:
    ticket = (await world.a_ticket(phase=phase, digest=DIGEST)).id

    with pytest.raises(Conflict):
        await say(world, ticket, Word("approve", DIGEST, ""))


async def test_a_rejection_needs_no_digest(world: World) -> None:
    ticket = (await waiting(world)).id

    await say(world, ticket, Word("reject", None, "not today"))

    assert "approval.rejected" in await world.kinds(ticket)
    assert [name for _, name, _ in world.temporal.updates.values()] == ["reject"]


async def test_a_refusal_of_the_ticket_is_a_conflict(world: World) -> None:
    ticket = (await waiting(world)).id
    world.temporal.refusal = "It is closing."

    with pytest.raises(Conflict, match="closing"):
        await say(world, ticket, Word("approve", DIGEST, ""))


@pytest.mark.parametrize("ticket", ["chg-aaaaaaaaaa", "nothing", "chg-\0", "x" * 5000])
async def test_an_unknown_ticket_is_not_found(world: World, ticket: str) -> None:
    with pytest.raises(NotFound):
        await say(world, ticket, Word("approve", DIGEST, ""))
